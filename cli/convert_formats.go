package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
)

// content is what a file holds while it is converted: a network, or weights by name without one.
type content struct {
	model    *onnx.Model
	tensors  []*onnx.Tensor // without a model: each under its name
	metadata onnx.Metadata  // without a model: what the file says of itself
}

// format is one kind of file that graft convert reads or writes.
type format struct {
	name       string
	extensions []string // lower case, with the dot
	// read gives what a file holds; nil: the format is only written.
	read func(c *call, path string) (*content, error)
	// write puts w at path, whole or not at all, and gives the bytes; under --dry-run it counts them and writes nothing. nil:
	// the format is only read.
	write func(c *call, w *content, path string) (int64, error)
}

// formats are the kinds of files, one a row.
var formats = []format{
	{name: "ONNX", extensions: []string{".onnx"}, read: (*call).readONNX, write: (*call).writeONNX},
}

// formatFlags are flags of graft convert that belong to formats, and to models put together or cut.
var formatFlags = []cli.Flag{}

// formatOf finds the row for a path by its extension.
func formatOf(path string) (*format, error) {
	ext := strings.ToLower(filepath.Ext(path))
	for i := range formats {
		if slices.Contains(formats[i].extensions, ext) {
			return &formats[i], nil
		}
	}
	var known []string
	for _, f := range formats {
		known = append(known, f.extensions...)
	}
	return nil, fmt.Errorf("no format has the extension %s: there are %s", quote(ext), strings.Join(known, ", "))
}

// readSources reads the arguments of graft convert and makes one content of them.
func (c *call) readSources(paths []string) (*content, error) {
	if len(paths) > 1 {
		return nil, misuse("%d files: one is converted at a time", len(paths))
	}
	f, err := formatOf(paths[0])
	if err != nil {
		return nil, refused(paths[0], err)
	}
	if f.read == nil {
		return nil, refused(paths[0], fmt.Errorf("%s is written, not read", f.name))
	}
	return f.read(c, paths[0])
}

func (c *call) readONNX(path string) (*content, error) {
	m, err := c.loadModel(path)
	if err != nil {
		return nil, err
	}
	return &content{model: m}, nil
}

func (c *call) writeONNX(w *content, path string) (int64, error) {
	if w.model == nil {
		return 0, &Error{File: path, Reason: "weights without a network make no ONNX file", Code: exitInput}
	}
	data, err := encodeModel(w.model, path)
	if err != nil {
		return 0, err
	}
	if c.Common.DryRun {
		return int64(len(data)), nil
	}
	return int64(len(data)), writeFile(path, data)
}
