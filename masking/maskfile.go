package masking

import (
	"fmt"
	"io"

	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// ReadFile reads a mask file: safetensors with one bool or uint8 tensor of zeros and ones for each parameter, keyed by the
// initializer's name. The order is that of the file. Refused input is a *limits.InputError.
func ReadFile(path string) (*Set, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &Set{}
	for _, e := range f.Entries() {
		m, err := readMask(f, e)
		if err == nil {
			err = s.Add(m)
		}
		if err != nil {
			return nil, limits.InFile(path, err)
		}
	}
	if len(s.masks) == 0 {
		return nil, limits.InFile(path, limits.Refuse("mask file", "holds no tensor"))
	}
	return s, nil
}

func readMask(f *safetensors.File, e safetensors.Entry) (*Mask, error) {
	field := "mask " + limits.Name(e.Name)
	if e.DType != onnx.Bool && e.DType != onnx.Uint8 {
		return nil, limits.Refuse(field, "is of %v, a mask is of bool or of uint8 0 and 1", e.DType)
	}
	t, err := f.Tensor(e.Name)
	if err != nil {
		return nil, err
	}
	m := &Mask{Name: e.Name, Dims: e.Dims, Keep: make([]bool, len(t.Data))}
	for i, v := range t.Data {
		if v > 1 {
			return nil, limits.Refuse(field, "element %d is %d, neither 0 nor 1", i, v)
		}
		m.Keep[i] = v == 1
	}
	return m, nil
}

// WriteFile writes the set as a mask file of bool tensors, in order and with metadata. An existing file is replaced as a
// whole when the new one is complete and on disk.
func (s *Set) WriteFile(path string, metadata map[string]string) error {
	tensors := make([]*onnx.Tensor, len(s.masks))
	for i, m := range s.masks {
		t := onnx.NewTensor(onnx.Bool, m.Dims...)
		t.Name = m.Name
		copy(onnx.View[bool](t), m.Keep)
		tensors[i] = t
	}
	return atomicfile.Write(path, 0o644, func(w io.Writer) error {
		if err := safetensors.Write(w, tensors, metadata); err != nil {
			return fmt.Errorf("mask file: %w", err)
		}
		return nil
	})
}
