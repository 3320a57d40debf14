package signal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/training/dataset"
)

// Picture is a grey picture.
type Picture struct {
	Name          string // of the file
	Height, Width int
	Pix           []float64 // Height rows of Width samples, 0 black to 1 white
}

// pictureEnds are the ends of names that are taken for pictures; other files of a folder are passed over.
var pictureEnds = []string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

// IsPictureName says whether a name ends as ReadFolder wants it.
func IsPictureName(name string) bool {
	return slices.Contains(pictureEnds, strings.ToLower(filepath.Ext(name)))
}

// ReadFolder reads the pictures of a folder in the order of their names, colour as its luma (ITU-R BT.601).
func ReadFolder(folder string) ([]Picture, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read pictures: %w", err)
	}
	var list []Picture
	for _, e := range entries {
		if e.IsDir() || !IsPictureName(e.Name()) {
			continue
		}
		p, err := ReadPicture(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("read pictures: %s has none; names end in %s", folder, strings.Join(pictureEnds, ", "))
	}
	return list, nil
}

// ReadPicture reads one picture.
func ReadPicture(path string) (Picture, error) {
	m, err := dataset.ReadPicture(path, 1, 0, 0)
	if err != nil {
		return Picture{}, err
	}
	p := Picture{Name: filepath.Base(path), Height: m.Height, Width: m.Width, Pix: make([]float64, len(m.Pix))}
	for i, v := range m.Pix {
		p.Pix[i] = float64(v)
	}
	return p, nil
}
