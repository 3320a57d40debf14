package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/gguf"
	"graft/onnx/limits"
	"graft/onnx/llama2c"
	"graft/onnx/safetensors"
	"graft/onnx/strictzip"
	"graft/training/dataset"
)

// weight is a tensor of a file that is read when it is wanted, so that a file larger than the memory can be converted.
type weight struct {
	name  string
	dtype onnx.DataType
	dims  []int64
	read  func() (*onnx.Tensor, error)
}

// held are weights that are in memory.
func held(tensors []*onnx.Tensor) []weight {
	list := make([]weight, len(tensors))
	for i, t := range tensors {
		list[i] = weight{t.Name, t.DType, t.Dims, func() (*onnx.Tensor, error) { return t, nil }}
	}
	return list
}

// sniff gives the name of the row of formats that a file's first bytes belong to; "" where they do not say. What they show to
// be of no format that is read is refused, whatever the file is called.
func sniff(path string) (string, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, min(size, limits.RecognizeLen))
	if err := limits.ReadAt(f, head, 0, ""); err != nil {
		return "", limits.InFile(path, err)
	}
	begins := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case begins("GGUF"):
		return "GGUF", nil
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= uint64(size):
		return "safetensors", nil
	case llama2c.Is(head, size):
		return "llama2.c", nil
	case begins("\x93NUMPY"):
		return "NumPy archive", nil
	case strictzip.IsZip(head):
		name, err := sniffZip(f, size)
		return name, limits.InFile(path, err)
	case len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && !strings.EqualFold(filepath.Ext(path), ".onnx"), len(head) > 262 && string(head[257:262]) == "ustar":
		return "PyTorch", nil
	}
	if what, hint := limits.Recognize(head, size); what != "" {
		return "", limits.InFile(path, limits.Refuse("", "is %s, which is not read", what).WithHint("%s", hint))
	}
	return "", nil
}

// sniffZip tells the archives that hold weights apart.
func sniffZip(src io.ReaderAt, size int64) (string, error) {
	a, err := strictzip.Open(src, size)
	if err != nil {
		return "", err
	}
	for _, e := range a.Entries() {
		switch folder, name := path.Split(e.Name); {
		case name == "data.pkl" && strings.Count(folder, "/") == 1:
			return "PyTorch", nil
		case strings.HasSuffix(name, ".weights.h5"):
			return "", limits.Refuse("", "is a model of Keras, which is not read").WithHint("export the model to ONNX with tf2onnx")
		case strings.HasSuffix(name, ".npy"):
			return "NumPy archive", nil
		}
	}
	return "", nil
}

func readSafetensors(_ *call, path string) (*content, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, refused(path, err)
	}
	w := &content{metadata: f.Metadata(), close: func() { _ = f.Close() }}
	for _, e := range f.Entries() {
		w.weights = append(w.weights, weight{e.Name, e.DType, e.Dims, func() (*onnx.Tensor, error) { return f.Tensor(e.Name) }})
	}
	return w, nil
}

func readNpz(_ *call, path string) (*content, error) {
	tensors, err := dataset.ReadTensors(path)
	if err != nil {
		return nil, refused(path, err)
	}
	if len(tensors) == 1 && tensors[0].Name == "" {
		return nil, refused(path, errors.New("one array without a name, as in a .npy: weights have names, as in a .npz"))
	}
	return &content{weights: held(tensors)}, nil
}

func readPyTorch(_ *call, path string) (*content, error) {
	tensors, err := stateDict(path)
	if err != nil {
		return nil, refused(path, err)
	}
	return &content{weights: held(tensors), metadata: map[string]string{"format": "pt"}}, nil
}

// readLlama2c gives the weights under Hugging Face's names, and the numbers of the header.
func readLlama2c(_ *call, path string) (*content, error) {
	f, err := llama2c.Open(path)
	if err != nil {
		return nil, refused(path, err)
	}
	w := &content{metadata: map[string]string{}, close: func() { _ = f.Close() }}
	for name, n := range map[string]int{"hidden_size": f.Width, "intermediate_size": f.Hidden, "num_hidden_layers": f.Layers,
		"num_attention_heads": f.Heads, "num_key_value_heads": f.KVHeads, "vocab_size": f.Vocabulary, "max_position_embeddings": f.Sequence} {
		w.metadata["llama2c."+name] = fmt.Sprint(n)
	}
	w.metadata["llama2c.tie_word_embeddings"] = fmt.Sprint(!f.OwnClassifier)
	for _, e := range f.Entries() {
		w.weights = append(w.weights, weight{e.Name, onnx.Float, e.Dims, func() (*onnx.Tensor, error) { return f.Tensor(e.Name) }})
	}
	return w, nil
}

// readGGUF gives every tensor, quantized ones as float32. What the metadata says in numbers and words goes along, lists such
// as the vocabulary do not.
func readGGUF(c *call, path string) (*content, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, refused(path, err)
	}
	w := &content{metadata: map[string]string{}, close: func() { _ = f.Close() }}
	left := 0
	for _, k := range f.Keys() {
		switch v := k.Value.(type) {
		case string:
			if utf8.ValidString(v) {
				w.metadata["gguf."+k.Name] = v
			}
		case bool, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float32, float64:
			w.metadata["gguf."+k.Name] = fmt.Sprint(v)
		default:
			left++
		}
	}
	if left > 0 {
		c.Detail("%s: %d lists of the metadata are left out", path, left)
	}
	for _, e := range f.Entries() {
		w.weights = append(w.weights, weight{e.Name, e.Type.DType(), e.Dims, func() (*onnx.Tensor, error) { return f.Tensor(e.Name) }})
		if e.Type.DType() == onnx.Undefined {
			_, err := f.Tensor(e.Name) // says why
			w.release()
			return nil, refused(path, err)
		}
	}
	return w, nil
}

// weightsOf are the tensors of a content by name: of a model its initializers.
func weightsOf(w *content) ([]weight, error) {
	if w.model == nil {
		return w.weights, nil
	}
	var list []weight
	for _, v := range w.model.Graph.Initializers() {
		if v.Const == nil {
			return nil, fmt.Errorf("initializer %s is stored sparse: make it dense first", limits.Name(v.Name))
		}
		list = append(list, weight{v.Name, v.Const.DType, v.Const.Dims, func() (*onnx.Tensor, error) { return v.Const, nil }})
	}
	if len(list) == 0 {
		return nil, errors.New("the model has no initializers to write")
	}
	return list, nil
}

func (c *call) writeSafetensors(w *content, path string) (int64, error) {
	defer w.release()
	weights, err := weightsOf(w)
	if err != nil {
		return 0, refused(path, err)
	}
	entries := make([]safetensors.Entry, len(weights))
	for i, t := range weights {
		entries[i] = safetensors.Entry{Name: t.name, DType: t.dtype, Dims: t.dims}
	}
	size, err := safetensors.Size(entries, w.metadata)
	if err != nil {
		return 0, refused(path, err)
	}
	return c.writeEach(path, size, func(out io.Writer) error {
		return safetensors.WriteEach(out, entries, w.metadata, func(i int) (*onnx.Tensor, error) {
			t, err := weights[i].read()
			return named(t, weights[i].name), err
		})
	})
}

func (c *call) writeNpz(w *content, path string) (int64, error) {
	defer w.release()
	weights, err := weightsOf(w)
	if err != nil {
		return 0, refused(path, err)
	}
	names := make([]string, len(weights))
	for i, t := range weights {
		names[i] = t.name
	}
	return c.writeEach(path, -1, func(out io.Writer) error {
		err := dataset.WriteNpzEach(out, names, func(i int) (*onnx.Tensor, error) { return weights[i].read() })
		if err != nil && strings.HasPrefix(err.Error(), "write np") {
			err = &Error{File: path, Err: err, Hint: "a .safetensors file holds every name and element type", Code: exitInput}
		}
		return err
	})
}

// named is t under a name.
func named(t *onnx.Tensor, name string) *onnx.Tensor {
	if t == nil || t.Name == name {
		return t
	}
	c := *t
	c.Name = name
	return &c
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// writeEach writes a file and gives its size. Under --dry-run nothing is written; where the size is not known (-1) what
// would be is counted.
func (c *call) writeEach(path string, size int64, fill func(io.Writer) error) (int64, error) {
	count := &counter{}
	run := func(w io.Writer) error {
		count.w = w
		return fill(count)
	}
	var err error
	switch {
	case !c.Common.DryRun:
		err = atomicfile.Write(path, 0o666, run)
	case size < 0:
		err = run(io.Discard)
	default:
		return size, nil
	}
	var disk *atomicfile.Error
	var known *Error
	switch {
	case errors.As(err, &disk):
		return 0, &Error{File: path, Err: err, Code: exitEnvironment}
	case err != nil && !errors.As(err, &known):
		return 0, refused("", err)
	}
	return count.n, err
}
