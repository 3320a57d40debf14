package dataset

import (
	"archive/zip"
	"fmt"
	"io"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/strictzip"
)

// ReadNpz reads the arrays of a NumPy archive, named without their ending .npy, in the order of the archive. name stands in
// errors.
func ReadNpz(src io.ReaderAt, size int64, name string) ([]*onnx.Tensor, error) {
	list, err := readNpz(src, size)
	if err != nil {
		return nil, limits.InFile(name, err)
	}
	return list, nil
}

func readNpz(src io.ReaderAt, size int64) ([]*onnx.Tensor, error) {
	a, err := strictzip.Open(src, size)
	if err != nil {
		return nil, err
	}
	for _, e := range a.Entries() { // the names first, so that a foreign archive costs nothing
		if !strings.HasSuffix(e.Name, ".npy") {
			return nil, limits.Refuse("zip entry "+limits.Name(e.Name), "is no .npy: no archive of NumPy")
		}
	}
	list := make([]*onnx.Tensor, 0, len(a.Entries()))
	for _, e := range a.Entries() {
		b, err := a.Bytes(e.Name)
		if err != nil {
			return nil, err
		}
		t, err := readNpy(limits.OverBytes(b))
		if err != nil {
			return nil, within("zip entry "+limits.Name(e.Name), err)
		}
		t.Name = strings.TrimSuffix(e.Name, ".npy")
		list = append(list, t)
	}
	return list, nil
}

// within says in which part of the file err was found.
func within(part string, err error) error {
	if in, ok := err.(*limits.InputError); ok {
		c := *in
		c.Field = part + ": " + in.Field
		return &c
	}
	return err
}

// WriteNpz writes tensors under their names, stored, in order. The same tensors give the same bytes. A name must be a plain
// relative path, as strictzip.CheckName says.
func WriteNpz(w io.Writer, tensors []*onnx.Tensor) error {
	names := make([]string, len(tensors))
	for i, t := range tensors {
		names[i] = t.Name
	}
	return WriteNpzEach(w, names, func(i int) (*onnx.Tensor, error) { return tensors[i], nil })
}

// WriteNpzEach is WriteNpz with one tensor in memory at a time: read gives the tensor called names[i] when its turn comes.
func WriteNpzEach(w io.Writer, names []string, read func(i int) (*onnx.Tensor, error)) error {
	z := zip.NewWriter(w)
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] || strictzip.CheckName(name+".npy") != nil {
			return fmt.Errorf("write npz: tensor name %s is used twice or is no plain path", limits.Name(name))
		}
		seen[name] = true
	}
	for i, name := range names {
		t, err := read(i)
		if err != nil {
			return err
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := WriteNpy(f, t); err != nil {
			return err
		}
	}
	return z.Close()
}
