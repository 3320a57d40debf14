package gguf

import (
	"cmp"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	minEntry = 8 + 4 + 8 + 4 + 8 // length of the name, rank, one size, type, offset
	maxRank  = 4
)

// Entry is one line of the table of tensors. Dims are in ONNX's order, the last one contiguous: the reverse of the file's.
type Entry struct {
	Name         string
	Type         Type
	Dims         []int64
	Offset, Size int64 // of the tensor's bytes in the file
}

// Entries are the tensors in the order of the table. The slice is the file's own.
func (f *File) Entries() []Entry { return f.entries }

// Entry is the table's line for name.
func (f *File) Entry(name string) (Entry, bool) {
	i, ok := f.index[name]
	if !ok {
		return Entry{}, false
	}
	return f.entries[i], true
}

func (f *File) readEntries(r *limits.Reader, n int) error {
	f.index = map[string]int{}
	for range n {
		e, err := f.readEntry(r)
		if err != nil {
			return err
		}
		if _, twice := f.index[e.Name]; twice {
			return limits.Refuse("tensor "+limits.Name(e.Name), "name twice")
		}
		f.index[e.Name] = len(f.entries)
		f.entries = append(f.entries, e)
	}
	return nil
}

// readEntry reads one line; its offset is still relative to the data.
func (f *File) readEntry(r *limits.Reader) (e Entry, err error) {
	if e.Name, err = readName(r, "tensor name"); err != nil {
		return e, err
	}
	field := "tensor " + limits.Name(e.Name)
	rank, err := r.U32(field)
	if err != nil {
		return e, err
	}
	if rank == 0 || rank > maxRank {
		return e, limits.Refuse(field, "%d dimensions, wants 1 to %d", rank, maxRank)
	}
	for range rank {
		d, err := r.U64(field)
		if err != nil {
			return e, err
		}
		if int64(d) <= 0 {
			return e, limits.Refuse(field, "a dimension of %d", int64(d))
		}
		e.Dims = append(e.Dims, int64(d))
	}
	number, err := r.U32(field)
	if err != nil {
		return e, err
	}
	e.Type = Type(number)
	kind, ok := e.Type.format()
	if !ok {
		return e, limits.Refuse(field, "type %d is not known", number)
	}
	if e.Dims[0]%kind.block != 0 {
		return e, limits.Refuse(field, "rows of %d elements are not whole blocks: %s has %d in a block", e.Dims[0], kind.name, kind.block)
	}
	slices.Reverse(e.Dims)
	if _, ok := limits.Bytes(e.Dims, 64); !ok { // whatever the elements become
		return e, limits.Refuse(field, "shape %v has no size", e.Dims)
	}
	elements, _ := onnx.ElementCount(e.Dims)
	e.Size = elements / kind.block * kind.bytes // at most 8 bytes an element
	offset, err := r.U64(field)
	if err != nil {
		return e, err
	}
	if int64(offset) < 0 || int64(offset)%f.Alignment != 0 {
		return e, limits.Refuse(field, "offset %d is no multiple of the alignment %d", offset, f.Alignment)
	}
	e.Offset = int64(offset)
	return e, nil
}

// checkLayout places the data, which begin at the next aligned byte after the table's end at from, and refuses tensors that
// overlap or reach beyond the file.
func (f *File) checkLayout(from, size int64) error {
	f.data = from + (f.Alignment-from%f.Alignment)%f.Alignment
	order := make([]int, len(f.entries))
	for i := range f.entries {
		order[i] = i
		e := &f.entries[i]
		at, ok := limits.AddInt(f.data, e.Offset)
		end, ok2 := limits.AddInt(at, e.Size)
		if !ok || !ok2 || end > size {
			return limits.Refuse("tensor "+limits.Name(e.Name), "%d bytes at offset %d of the data, the file has %d bytes of data",
				e.Size, e.Offset, max(size-f.data, 0))
		}
		e.Offset = at
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(f.entries[a].Offset, f.entries[b].Offset) })
	for i := 1; i < len(order); i++ {
		a, b := &f.entries[order[i-1]], &f.entries[order[i]]
		if a.Offset+a.Size > b.Offset {
			return limits.Refuse("tensor "+limits.Name(b.Name), "overlaps tensor %s", limits.Name(a.Name))
		}
	}
	return nil
}
