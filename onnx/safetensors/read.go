package safetensors

import (
	"bytes"
	"io"

	"graft/onnx"
	"graft/onnx/limits"
)

// File is a safetensors file whose header has been read and checked. It is safe for concurrent use.
type File struct {
	name     string
	src      io.ReaderAt
	closer   io.Closer
	data     int64 // offset of the first data byte
	entries  []Entry
	index    map[string]int
	metadata map[string]string
}

// Open opens the regular file at path and reads its header. Refused input is a *limits.InputError.
func Open(path string) (*File, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	s, err := NewFile(f, size, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	s.closer = f
	return s, nil
}

// NewFile reads the header of the size bytes in src; name stands in errors.
func NewFile(src io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, src: src}
	if err := f.readHeader(size); err != nil {
		return nil, limits.InFile(name, err)
	}
	return f, nil
}

func (f *File) readHeader(size int64) error {
	r := limits.NewReader(f.src, size)
	n, err := r.U64("header length")
	if err != nil {
		return err
	}
	if n > maxHeader {
		return limits.Refuse("header", "%d bytes declared, at most %d", n, maxHeader)
	}
	header, err := r.Bytes(n, "header")
	if err != nil {
		return err
	}
	f.data = r.Offset()
	f.entries, f.metadata, err = parseHeader(header, r.Remaining())
	if err != nil {
		return err
	}
	f.index = make(map[string]int, len(f.entries))
	for i, e := range f.entries {
		f.index[e.Name] = i
	}
	return nil
}

// Close closes the underlying file when Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Entries are the tensors in the order of their bytes. The slice is the file's own.
func (f *File) Entries() []Entry { return f.entries }

// Names are the tensors' names in the order of their bytes.
func (f *File) Names() []string {
	list := make([]string, len(f.entries))
	for i, e := range f.entries {
		list[i] = e.Name
	}
	return list
}

// Entry is the header's line for name.
func (f *File) Entry(name string) (Entry, bool) {
	i, ok := f.index[name]
	if !ok {
		return Entry{}, false
	}
	return f.entries[i], true
}

// Metadata is the header's __metadata__; nil when it has none. The map is the file's own.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensor reads one tensor.
func (f *File) Tensor(name string) (*onnx.Tensor, error) {
	e, ok := f.Entry(name)
	if !ok {
		return nil, limits.InFile(f.name, limits.Refuse("", "no tensor %s", limits.Name(name)))
	}
	t := onnx.NewTensor(e.DType, e.Dims...)
	t.Name = e.Name
	field := "tensor " + limits.Name(name)
	err := limits.ReadAt(f.src, t.Data, f.data+e.Begin, field)
	if err == nil && e.DType == onnx.Bool {
		err = limits.Bools(t.Data, field)
	}
	if err != nil {
		return nil, limits.InFile(f.name, err)
	}
	return t, nil
}

// All reads every tensor, in the order of their bytes.
func (f *File) All() ([]*onnx.Tensor, error) {
	list := make([]*onnx.Tensor, 0, len(f.entries))
	for _, e := range f.entries {
		t, err := f.Tensor(e.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// Decode reads a file that is in memory; name stands in errors.
func Decode(b []byte, name string) ([]*onnx.Tensor, map[string]string, error) {
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), name)
	if err != nil {
		return nil, nil, err
	}
	list, err := f.All()
	return list, f.metadata, err
}

// ReadFile reads every tensor of the file at path, in the order of their bytes, and its metadata.
func ReadFile(path string) ([]*onnx.Tensor, map[string]string, error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	list, err := f.All()
	return list, f.metadata, err
}
