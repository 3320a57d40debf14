package gguf

import (
	"bytes"
	"io"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	magic      = "GGUF"
	maxTensors = 1_000_000
	maxKeys    = 1_000_000
)

// File is a GGUF file whose header, metadata and table of tensors have been read and checked. It is safe for concurrent use.
type File struct {
	Version   uint32
	Alignment int64
	name      string
	src       io.ReaderAt
	closer    io.Closer
	data      int64 // offset of the first tensor's bytes
	keys      []Key
	keyIndex  map[string]int
	entries   []Entry
	index     map[string]int
}

// Open opens the regular file at path and reads all but the tensors' bytes. Refused input is a *limits.InputError.
func Open(path string) (*File, error) {
	src, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	f, err := NewFile(src, size, path)
	if err != nil {
		src.Close()
		return nil, err
	}
	f.closer = src
	return f, nil
}

// NewFile reads the size bytes in src; name stands in errors.
func NewFile(src io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, src: src, Alignment: 32}
	if err := f.readHeader(limits.NewReader(src, size), size); err != nil {
		return nil, limits.InFile(name, err)
	}
	return f, nil
}

// Decode reads a file that is in memory, tensors included.
func Decode(b []byte, name string) (*File, []*onnx.Tensor, error) {
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), name)
	if err != nil {
		return nil, nil, err
	}
	list := make([]*onnx.Tensor, 0, len(f.entries))
	for _, e := range f.entries {
		t, err := f.Tensor(e.Name)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, t)
	}
	return f, list, nil
}

// Close closes the underlying file when Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

func (f *File) readHeader(r *limits.Reader, size int64) error {
	head, err := r.String(4, "header")
	if err != nil {
		return err
	}
	if head != magic {
		return limits.Refuse("header", "begins with %s, not with GGUF", limits.Name(head))
	}
	if f.Version, err = r.U32("version"); err != nil {
		return err
	}
	switch {
	case f.Version == 1:
		return limits.Refuse("version", "1, versions 2 and 3 are read").WithHint("convert the model anew with a current llama.cpp")
	case f.Version&0xffff == 0 && f.Version != 0:
		return limits.Refuse("version", "%#08x: a big-endian file, only little-endian ones are read", f.Version)
	case f.Version != 2 && f.Version != 3:
		return limits.Refuse("version", "%d, versions 2 and 3 are read", f.Version)
	}
	tensors, err := count(r, "tensor count", maxTensors, minEntry)
	if err != nil {
		return err
	}
	keys, err := count(r, "metadata count", maxKeys, minKey)
	if err != nil {
		return err
	}
	if err := f.readKeys(r, keys); err != nil {
		return err
	}
	if err := f.readEntries(r, tensors); err != nil {
		return err
	}
	return f.checkLayout(r.Offset(), size)
}

// count reads a number of things that take at least least bytes each.
func count(r *limits.Reader, field string, most, least uint64) (int, error) {
	n, err := r.U64(field)
	if err != nil {
		return 0, err
	}
	if n > most {
		return 0, limits.Refuse(field, "%d, at most %d", n, most)
	}
	if n*least > uint64(r.Remaining()) {
		return 0, limits.Refuse(field, "%d take at least %d bytes, %d are left", n, n*least, r.Remaining())
	}
	return int(n), nil
}
