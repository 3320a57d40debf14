package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/limits"
)

// mostText bounds a file of text or JSON.
const mostText = 16 << 20

func readText(path string) (string, error) { return readTextWithin(path, mostText) }

func readTextWithin(path string, most int64) (string, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return "", refused(path, err)
	}
	defer f.Close()
	if size > most {
		return "", refused(path, fmt.Errorf("%d bytes, text has at most %d", size, most))
	}
	data := make([]byte, size)
	if err := limits.ReadAt(f, data, 0, "text"); err != nil {
		return "", refused(path, err)
	}
	if !utf8.Valid(data) {
		return "", refused(path, fmt.Errorf("is no UTF-8 text"))
	}
	return string(data), nil
}

// textFeed reads a text. An input of strings gets its lines, or the text as a whole where it takes one element; one of
// numbers gets those in it, between blanks and commas.
func textFeed(g *onnx.Graph, _ pixelScale, feeds map[string]*onnx.Tensor, name, path string) error {
	v, err := theInput(g, name, path)
	if err != nil {
		return err
	}
	s, err := readText(path)
	if err != nil {
		return err
	}
	e := elements{dtype: v.Type.DType}
	if err := e.supported(); err != nil {
		return refused(path, err)
	}
	var parts []string
	switch {
	case e.dtype != onnx.String:
		parts = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
	case single(v.Type.Shape):
		parts = []string{strings.TrimRight(s, "\r\n")}
	default:
		for line := range strings.Lines(s) {
			parts = append(parts, strings.TrimRight(line, "\r\n"))
		}
	}
	for _, part := range parts {
		if err := e.add(part); err != nil {
			return refused(path, err)
		}
	}
	dims, err := dimsFor(v.Type.Shape, e.len())
	if err != nil {
		return refused(path, err)
	}
	if feeds[v.Name], err = e.tensor(dims); err != nil {
		return refused(path, err)
	}
	return nil
}

// single says whether a shape has one element.
func single(s onnx.Shape) bool {
	sizes, ok := s.Sizes()
	if !ok {
		return false
	}
	n, err := onnx.ElementCount(sizes)
	return err == nil && n == 1
}
