package onnx

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

const (
	mappedFile   = 16 << 20 // from this size on a model file is mapped and not read
	mostMappings = 1024     // what lies in further files is read
)

// mapping is a file in memory, privately: what is written to the memory never reaches the file. It stays until the process
// ends, since slices of it are tensors' data, of which nobody knows when the last is gone; the system takes back the memory
// of what was only read whenever it wants to.
type mapping struct {
	file *os.File
	info os.FileInfo
	path string // of a data file, by which another model may refer to it; empty for a model
	sha1 string // that the model gave for it
	data []byte
}

// mappings are all that there are, in the order of their addresses.
var mappings struct {
	sync.RWMutex
	list []*mapping
}

// mapFile maps size bytes of file. It is nil where that is not possible: then they are to be read.
func mapFile(file *os.File, size int64) *mapping {
	mappings.Lock()
	defer mappings.Unlock()
	if size <= 0 || int64(int(size)) != size || len(mappings.list) >= mostMappings {
		return nil
	}
	info, err := file.Stat()
	if err != nil || info.Size() < size { // memory behind a file's end is no memory
		return nil
	}
	data, own, err := mapMemory(file, int(size))
	if err != nil {
		return nil
	}
	m := &mapping{file: own, info: info, data: data}
	i, _ := findMapping(address(data))
	mappings.list = slices.Insert(mappings.list, i, m)
	return m
}

// release gives back a mapping that nothing refers to.
func (m *mapping) release() {
	if m == nil {
		return
	}
	mappings.Lock()
	defer mappings.Unlock()
	if i, found := findMapping(address(m.data)); found {
		mappings.list = slices.Delete(mappings.list, i, i+1)
	}
	unmapMemory(m.data)
	m.file.Close()
	m.data = nil
}

// findMapping is the place in the list of the mapping that begins at an address.
func findMapping(at uintptr) (int, bool) {
	return slices.BinarySearchFunc(mappings.list, at, func(m *mapping, at uintptr) int { return cmp.Compare(address(m.data), at) })
}

// mappingOf is where data lies when it is a part of a mapped file; nil when it is not.
func mappingOf(data []byte) (m *mapping, offset int64) {
	if len(data) == 0 {
		return nil, 0
	}
	mappings.RLock()
	defer mappings.RUnlock()
	i, found := findMapping(address(data))
	if !found {
		i--
	}
	if i < 0 {
		return nil, 0
	}
	m = mappings.list[i]
	at := address(data) - address(m.data)
	if at >= uintptr(len(m.data)) || uintptr(len(data)) > uintptr(len(m.data))-at {
		return nil, 0
	}
	return m, int64(at)
}

// stored is mappingOf as long as the file has what the memory has: nobody wrote to it.
func stored(data []byte) (m *mapping, offset int64) {
	m, offset = mappingOf(data)
	if m == nil || written(data) {
		return nil, 0
	}
	return m, offset
}

// rangeWriter is a writer that can take bytes of a file without showing them to the process.
type rangeWriter interface {
	io.Writer
	CopyRange(from *os.File, offset, n int64) error
}

// putData writes data, by copying from the file that it lies in where it does.
func putData(w io.Writer, data []byte) error {
	if to, ok := w.(rangeWriter); ok && len(data) >= largeData {
		if m, offset := stored(data); m != nil {
			return to.CopyRange(m.file, offset, int64(len(data)))
		}
	}
	_, err := w.Write(data)
	return err
}

// Mapped reports whether the elements of t lie in a mapped file, and not in memory of Go's.
func (t *Tensor) Mapped() bool {
	m, _ := mappingOf(t.Data)
	return m != nil
}

// ReadData copies the elements of t into memory of the same length. Those that lie in a mapped file are read from the file,
// so that they take no memory twice.
func (t *Tensor) ReadData(into []byte) error {
	if len(into) != len(t.Data) {
		return fmt.Errorf("read tensor %q: %d bytes into %d", t.Name, len(t.Data), len(into))
	}
	if len(into) >= largeData {
		if m, offset := stored(t.Data); m != nil {
			_, err := io.ReadFull(io.NewSectionReader(m.file, offset, int64(len(into))), into)
			return err
		}
	}
	copy(into, t.Data)
	return nil
}
