package ort

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/limits"
)

// Checkpoint is the state of a training. Tensors share their memory with the file's bytes.
type Checkpoint struct {
	Trained []*onnx.Tensor // parameters that are trained
	Frozen  []*onnx.Tensor // parameters that are not, and buffers
	Groups  []Group
}

// Group is the state of an optimizer for some of the parameters.
type Group struct {
	Name         string
	Step         int64 // updates so far
	LearningRate float32
	// Slots are the optimizer's tensors by parameter and name: "fc.weight.momentum0".
	Slots map[string]*onnx.Tensor
}

// Tensor finds a parameter by its name; nil when there is none.
func (c *Checkpoint) Tensor(name string) *onnx.Tensor {
	for _, list := range [][]*onnx.Tensor{c.Trained, c.Frozen} {
		for _, t := range list {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// ReadCheckpoint reads the file at path. Refused input is a *limits.InputError.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	defer f.Close()
	if size > math.MaxInt32 { // offsets have 32 bits, and verifiers take half
		return nil, limits.InFile(path, limits.Refuse("", "%d bytes, a flatbuffer has at most %d", size, math.MaxInt32))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, limits.InFile(path, limits.Refuse("", "cannot be read whole: %v", err))
	}
	c, err := Decode(data)
	return c, limits.InFile(path, err)
}

// Decode reads a checkpoint from the bytes of its file, which must not change afterwards.
func Decode(data []byte) (*Checkpoint, error) {
	root, err := openFlatbuffer(data, "ODTC")
	if err != nil {
		return nil, err
	}
	module, ok, err := root.table(1, "module state")
	if err == nil && !ok {
		err = limits.Refuse("module state", "is missing: there are no parameters")
	}
	if err != nil {
		return nil, err
	}
	nominal, err := module.bool(2, "nominal state")
	if err != nil {
		return nil, err
	}
	elsewhere, err := module.bool(3, "external data")
	switch {
	case err != nil:
		return nil, err
	case nominal:
		return nil, limits.Refuse("module state", "has names without values (a nominal checkpoint)").WithHint("give the full checkpoint")
	case elsewhere:
		return nil, limits.Refuse("module state", "keeps its tensors in another file, which is not supported")
	}
	c := &Checkpoint{}
	seen := map[string]bool{}
	for i, list := range []*[]*onnx.Tensor{&c.Trained, &c.Frozen} {
		err := module.each(i, "parameter", func(t table) error {
			p, err := tensor(t, seen)
			*list = append(*list, p)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	err = root.each(2, "optimizer group", func(t table) error {
		g, err := group(t)
		c.Groups = append(c.Groups, g)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func group(t table) (g Group, err error) {
	g.Slots = map[string]*onnx.Tensor{}
	if g.Name, err = t.string(0, "group name"); err != nil {
		return g, err
	}
	if g.Step, err = t.int64(1, "step"); err != nil {
		return g, err
	}
	const most = 1 << 53
	if g.Step < 0 || g.Step > most {
		return g, limits.Refuse("step", "is %d", g.Step)
	}
	if g.LearningRate, err = t.float(2, "learning rate"); err != nil {
		return g, err
	}
	return g, t.each(3, "optimizer state", func(state table) error {
		param, err := name(state, 0, "parameter name")
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		return state.each(1, "momentum", func(t table) error {
			m, err := tensor(t, seen)
			if err != nil {
				return err
			}
			key := param + "." + m.Name
			if g.Slots[key] != nil {
				return limits.Refuse("optimizer state", "of %s stands there twice", limits.Name(param))
			}
			g.Slots[key] = m
			return nil
		})
	})
}

// name is a string that may go into files and messages.
func name(t table, i int, field string) (string, error) {
	s, err := t.string(i, field)
	const longest = 4096
	switch {
	case err != nil:
		return "", err
	case s == "" || len(s) > longest || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", limits.Refuse(field, "%s is no name", limits.Name(s))
	}
	return s, nil
}

// tensor reads a tensor whose name is not in seen, and puts it there.
func tensor(t table, seen map[string]bool) (*onnx.Tensor, error) {
	called, err := name(t, 0, "tensor name")
	if err != nil {
		return nil, err
	}
	field := "tensor " + limits.Name(called)
	if seen[called] {
		return nil, limits.Refuse(field, "stands there twice")
	}
	seen[called] = true
	raw, _, err := t.vector(2, 8, field+": dims")
	if err != nil {
		return nil, err
	}
	if len(raw)/8 > limits.MaxRank {
		return nil, limits.Refuse(field, "has rank %d, at most %d", len(raw)/8, limits.MaxRank)
	}
	if err := t.b.bytes.Spend(int64(len(raw)), field); err != nil {
		return nil, err
	}
	dims := make([]int64, len(raw)/8)
	for i := range dims {
		dims[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	dtype, err := t.int32(3, field+": element type")
	if err != nil {
		return nil, err
	}
	d := onnx.DataType(dtype) // numbered as in ONNX
	if !d.Valid() || d == onnx.String {
		return nil, limits.Refuse(field, "has element type %d, which no parameter has", dtype)
	}
	data, err := t.blob(4, field+": data")
	if err != nil {
		return nil, err
	}
	if size, ok := limits.Bytes(dims, d.Bits()); !ok || size != int64(len(data)) {
		return nil, limits.Refuse(field, "has %d bytes of data, %v of %d dimensions takes another number", len(data), d, len(dims))
	}
	if d == onnx.Bool {
		if err := limits.Bools(data, field); err != nil {
			return nil, err
		}
	}
	return &onnx.Tensor{Name: called, DType: d, Dims: dims, Data: data}, nil
}
