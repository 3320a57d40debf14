package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	maxPictures = 1 << 24
	// maxCachedBytes is how much of a folder's decoded pictures is kept in memory: larger sets are decoded in every epoch.
	maxCachedBytes = 2 << 30
)

// pictureEndings are the names that count as pictures in a folder.
var pictureEndings = []string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

// folderParts are the folders of a set that comes in parts.
var folderParts = map[bool][]string{false: {"train"}, true: {"test", "val", "valid", "validation"}}

// imageRoot is the folder of the classes: that of the part where the set comes in parts.
func imageRoot(folder string, test bool) string {
	for _, name := range folderParts[test] {
		at := filepath.Join(folder, name)
		if info, err := os.Stat(at); err == nil && info.IsDir() && len(classFolders(at)) > 0 {
			return at
		}
	}
	return folder
}

// classFolders are the folders in a folder, by name. Hidden ones and links do not count.
func classFolders(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func isImageFolder(f *source) bool {
	return f.folder && len(classFolders(imageRoot(f.path, false))) > 0
}

// readImageFolder lists the pictures of each class; they are decoded when they are wanted.
func readImageFolder(f *source, c ReadConfig) (*Table, error) {
	root := imageRoot(f.path, c.Test)
	folders := classFolders(root)
	labels, classes, err := classNumbers(folders, c.Classes)
	if err != nil {
		return nil, limits.InFile(root, err)
	}
	var paths []string
	var answers []int64
	for i, folder := range folders {
		dir := filepath.Join(root, folder)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		before := len(paths)
		for _, e := range entries {
			if slices.Contains(pictureEndings, strings.ToLower(filepath.Ext(e.Name()))) && e.Type()&fs.ModeDir == 0 {
				paths = append(paths, filepath.Join(dir, e.Name()))
				answers = append(answers, labels[i])
			}
		}
		if len(paths) == before {
			return nil, limits.InFile(dir, limits.Refuse("", "the folder of a class holds no picture (%s)", strings.Join(pictureEndings, ", ")))
		}
		if len(paths) > maxPictures {
			return nil, limits.Refuse("", "more than %d pictures", maxPictures)
		}
	}
	if len(paths) == 0 {
		return nil, limits.Refuse("", "holds no picture")
	}
	files := &pictures{count: len(paths), decode: func(i int) (*Image, error) { return readPicture(paths[i]) }}
	if err := files.prepare(c); err != nil {
		return nil, err
	}
	rows, err := TensorRows(onnx.FromSlice(answers))
	if err != nil {
		return nil, err
	}
	return &Table{Columns: []Column{{Kind: Samples, Rows: files}, {Kind: Answers, Rows: rows}}, Classes: classes}, nil
}

// pictures are files that are decoded, brought to one size and kept as bytes while there is room.
type pictures struct {
	count   int
	decode  func(i int) (*Image, error)
	dims    []int64 // C, H, W
	convert *byteRows
	cache   []byte
	cached  []bool
}

// prepare settles the size: the one that is wanted, or where that is free the first picture's.
func (p *pictures) prepare(c ReadConfig) error {
	first, err := p.decode(0)
	if err != nil {
		return err
	}
	p.dims = []int64{int64(first.Channels), int64(first.Height), int64(first.Width)}
	if len(c.Image) == 3 {
		for i, d := range c.Image {
			if d > 0 {
				p.dims[i] = d
			}
		}
	}
	n, err := onnx.ElementCount(p.dims)
	if err != nil || n > maxPixels*4 {
		return limits.Refuse("", "pictures of %v: too large", p.dims)
	}
	if d := p.dims[0]; d != 1 && d != 3 {
		return limits.Refuse("", "the model wants pictures of %d channels, they have 1 or 3", d)
	}
	if p.convert, err = newByteRows(nil, 0, p.dims, c.Normalize); err != nil {
		return err
	}
	if total, ok := limits.MulInt(n, p.Len()); ok && total <= maxCachedBytes {
		p.cache, p.cached = make([]byte, total), make([]bool, p.count)
	}
	return nil
}

func (p *pictures) Len() int64                       { return int64(p.count) }
func (p *pictures) Sample() (onnx.DataType, []int64) { return onnx.Float, p.dims }

// Gather decodes on all processors.
func (p *pictures) Gather(dst []byte, picked []uint32) error {
	if len(picked) == 0 {
		return nil
	}
	to := onnx.View[float32](&onnx.Tensor{DType: onnx.Float, Dims: []int64{int64(len(dst) / 4)}, Data: dst})
	width := len(to) / len(picked)
	failed := make([]error, len(picked))
	var wait sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(picked))
	for w := range workers {
		wait.Go(func() {
			scratch := make([]byte, width)
			for i := w; i < len(picked); i += workers { // a sample that is picked twice would be decoded twice, to the same bytes
				failed[i] = p.sample(to[i*width:(i+1)*width], int(picked[i]), scratch)
			}
		})
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// sample decodes picture i, or takes it from the cache.
func (p *pictures) sample(to []float32, i int, scratch []byte) error {
	raw := scratch
	if p.cache != nil {
		raw = p.cache[i*len(scratch) : (i+1)*len(scratch)]
		if p.cached[i] {
			p.convert.put(to, raw)
			return nil
		}
	}
	m, err := p.decode(i)
	if err != nil {
		return err
	}
	m.samples(raw, int(p.dims[0]), int(p.dims[1]), int(p.dims[2]))
	p.convert.put(to, raw)
	if p.cache != nil {
		p.cached[i] = true
	}
	return nil
}

// readPicture reads a picture of any size from one pixel on.
func readPicture(path string) (*Image, error) {
	data, err := readImageFile(path)
	if err != nil {
		return nil, limits.InFile(path, err)
	}
	m, refusal := decodeImage(data, 1)
	if refusal != nil {
		return nil, limits.InFile(path, refusal)
	}
	return m, nil
}

// samples writes the picture as bytes of channels planes of h rows of w samples, as fitted makes them.
func (m *Image) samples(to []byte, channels, h, w int) {
	for i, v := range m.fitted(channels, h, w).Pix {
		to[i] = byte(min(1, max(0, v))*255 + 0.5)
	}
}
