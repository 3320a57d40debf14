package cli

import (
	"errors"
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
	weights  []weight          // without a model, in the file's order
	metadata map[string]string // without a model: what the file says of itself
	close    func()            // nil: nothing is open
	saved    *savedModel       // of a model that is written
}

// release closes the file that the weights are read from.
func (w *content) release() {
	if w.close != nil {
		w.close()
	}
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
	{name: "ORT format", extensions: []string{".ort"}, write: (*call).writeORT},
	{name: "safetensors", extensions: []string{".safetensors"}, read: readSafetensors, write: (*call).writeSafetensors},
	{name: "weights in several files", extensions: []string{".json"}, read: readIndex},
	{name: "NumPy archive", extensions: []string{".npz"}, read: readNpz, write: (*call).writeNpz},
	{name: "PyTorch", extensions: pyTorchExtensions, read: readPyTorch},
	{name: "GGUF", extensions: []string{".gguf"}, read: readGGUF},
	{name: "llama2.c", read: readLlama2c}, // known by its content: the extension is PyTorch's
}

// formatFlags are flags of graft convert that belong to formats, and to models put together or cut.
var formatFlags = slices.Concat([]cli.Flag{
	text("weights", "FILE", "give the model the weights of FILE by name: safetensors, npz, PyTorch, GGUF, llama2.c or ONNX").under("Weights"),
}, surgeryFlags)

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

// buildsNetwork reports whether what is read is a language model's weights, of which the network is built: a folder, and for a network as
// output a GGUF file or one of llama2.c.
func (c *call) buildsNetwork(path string) bool {
	if isFolder(path) {
		return true
	}
	if to, err := formatOf(c.Common.Out); err != nil || to.name != "ONNX" && to.name != "ORT format" || len(c.Args) > 1 {
		return false
	}
	name, err := sniff(path)
	return err == nil && (name == "GGUF" || name == "llama2.c")
}

// readSource reads one file. What it is its first bytes say where they can, else its extension.
func (c *call) readSource(path string) (*content, error) {
	if c.buildsNetwork(path) {
		s, err := c.openLanguage(path)
		if err != nil {
			return nil, err
		}
		m, _, err := c.languageModel(s)
		return &content{model: m}, errors.Join(err, s.Close())
	}
	name, err := sniff(path)
	if err != nil {
		return nil, refused(path, err)
	}
	i := slices.IndexFunc(formats, func(f format) bool { return f.name == name })
	if i >= 0 {
		return formats[i].read(c, path)
	}
	f, err := formatOf(path)
	if err != nil {
		return nil, refused(path, err)
	}
	if f.read == nil {
		return nil, refused(path, fmt.Errorf("%s is written, not read", f.name))
	}
	return f.read(c, path)
}

// readSources reads the arguments of graft convert and makes one content of them: several models become one, weights are
// put in, and what the surgery flags say is done, in this order.
func (c *call) readSources(paths []string) (*content, error) {
	list := make([]*content, len(paths))
	for i, path := range paths {
		w, err := c.readSource(path)
		if err != nil {
			return nil, err
		}
		if w.model == nil && len(paths) > 1 {
			w.release()
			return nil, refused(path, fmt.Errorf("holds weights without a network: give it with --weights"))
		}
		list[i] = w
	}
	w := list[0]
	if w.model == nil {
		err := c.wantsModel(paths[0])
		if err != nil {
			w.release()
		}
		return w, err
	}
	if err := c.joinModels(paths, list); err != nil {
		return nil, err
	}
	if path := c.Text("weights"); path != "" {
		if err := c.fill(w.model, path); err != nil {
			return nil, err
		}
	}
	return w, c.operate(w.model, paths[0])
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
		w.release()
		return 0, &Error{File: path, Reason: "weights without a network make no ONNX file", Code: exitInput,
			Hint: "put them into a model of the same parameters: graft convert model.onnx --weights FILE"}
	}
	saved, err := c.saveModel(w.model, path, false, nil)
	if err != nil {
		return 0, err
	}
	w.saved = saved
	return saved.bytes, nil
}
