package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"strings"
	"unicode"
)

// Picture is an image with what it shows. The PNG is embedded as it is.
type Picture struct {
	Caption string // "noisy, 20.0 dB"
	PNG     []byte
}

// Table is rows of cells under a head, each row as long as the head. The first column is the row's name; the others hold
// numbers and are set to the right.
type Table struct {
	Head []string
	Rows [][]string
}

// Code is a block to be copied.
type Code struct {
	Title string // "Python, onnxruntime"
	Text  string
}

// Pair is a setting or a version and its value.
type Pair struct{ Name, Value string }

// Denoise is the report of one denoising run. Every string is taken as foreign and escaped; a part that is empty is left
// out with its heading.
type Denoise struct {
	Title   string    // the photo's name
	Summary string    // one or two sentences: what came out
	Images  []Picture // noisy, denoised, and what else there is: clean, mask only, dense
	Crops   []Picture // parts of the same pictures, enlarged pixel by pixel
	Numbers Table     // PSNR of each method
	Curves  string    // an svg element of training/chart
	Layers  string    // an svg element of training/chart: kept weights per layer
	Sizes   Table     // dense, compact, sparse: bytes and parameters
	Steps   []string  // what was done, a paragraph each
	Use     []Code    // how to run the file elsewhere
	Set     []Pair    // settings
	Origin  []Pair    // versions, seed, hashes
}

//go:embed denoise.html
var denoiseHTML string

var denoisePage = template.Must(template.New("denoise").Funcs(template.FuncMap{
	"data": dataURI, "line": oneLine, "text": printable,
}).Parse(denoiseHTML))

// Write writes the page. A picture that is no PNG, a table with rows of odd length, and an SVG with anything but drawing
// in it are errors. The same report gives the same bytes.
func (d Denoise) Write(w io.Writer) error {
	for _, p := range append(append([]Picture{}, d.Images...), d.Crops...) {
		if _, err := png.DecodeConfig(bytes.NewReader(p.PNG)); err != nil {
			return fmt.Errorf("write report: picture %q: %w", oneLine(p.Caption), err)
		}
	}
	for _, t := range []Table{d.Numbers, d.Sizes} {
		for i, r := range t.Rows {
			if len(r) != len(t.Head) {
				return fmt.Errorf("write report: row %d of a table has %d cells, its head %d", i+1, len(r), len(t.Head))
			}
		}
	}
	for name, svg := range map[string]string{"curves": d.Curves, "layers": d.Layers} {
		if err := drawingOnly(svg); err != nil {
			return fmt.Errorf("write report: %s: %w", name, err)
		}
	}
	page := struct {
		Denoise
		Curves, Layers template.HTML // drawingOnly has passed them
	}{d, template.HTML(d.Curves), template.HTML(d.Layers)}
	var b bytes.Buffer
	if err := denoisePage.Execute(&b, page); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// dataURI is a PNG as an address; Write has looked that it is one.
func dataURI(data []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))
}

// oneLine is s with every character that does not print as a space.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// printable is oneLine that keeps line ends and tabs.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, s)
}
