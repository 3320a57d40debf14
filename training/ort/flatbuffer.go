package ort

import (
	"encoding/binary"
	"math"

	"graft/onnx/limits"
)

// flatbuffer is a file of Google's FlatBuffers: tables that refer to each other, and to vectors and strings, by offsets. Every
// access is held against the bytes that are there. What may be referred to many times is paid from budgets, so that a file
// cannot make its reader do more than a small multiple of its own size.
type flatbuffer struct {
	data    []byte
	entries *limits.Budget // tables of vectors
	bytes   *limits.Budget // of strings and byte vectors
}

const maxEntries = 250_000

// openFlatbuffer gives the root table of a file with that identifier.
func openFlatbuffer(data []byte, identifier string) (table, error) {
	b := &flatbuffer{data: data, entries: limits.NewBudget("tables", maxEntries), bytes: limits.NewBudget("bytes of names, sizes and data", 2*int64(len(data)))} // strings may be shared
	if len(data) < 8 || string(data[4:8]) != identifier {
		return table{}, limits.Refuse("identifier", "is not %s: no checkpoint of ONNX Runtime's training", identifier)
	}
	return b.at(0, "root")
}

// u32 reads four bytes.
func (b *flatbuffer) u32(at int, field string) (uint32, error) {
	if at < 0 || at > len(b.data)-4 {
		return 0, limits.Refuse(field, "lies at byte %d of %d", at, len(b.data))
	}
	return binary.LittleEndian.Uint32(b.data[at:]), nil
}

// follow gives the place that the offset at at leads to.
func (b *flatbuffer) follow(at int, field string) (int, error) {
	off, err := b.u32(at, field)
	if err != nil {
		return 0, err
	}
	if int64(off) > int64(len(b.data)-at) {
		return 0, limits.Refuse(field, "lies %d bytes behind byte %d of %d", off, at, len(b.data))
	}
	return at + int(off), nil
}

// table is a table of a flatbuffer; the zero table has no fields.
type table struct {
	b        *flatbuffer
	at, size int
	vtable   []byte // offsets of the fields, two bytes each
}

// at follows an offset to a table.
func (b *flatbuffer) at(at int, field string) (table, error) {
	at, err := b.follow(at, field)
	if err != nil {
		return table{}, err
	}
	back, err := b.u32(at, field)
	if err != nil {
		return table{}, err
	}
	v := int64(at) - int64(int32(back))
	if v < 0 || v > int64(len(b.data)-4) {
		return table{}, limits.Refuse(field, "its layout lies at byte %d of %d", v, len(b.data))
	}
	layout, size := int(binary.LittleEndian.Uint16(b.data[v:])), int(binary.LittleEndian.Uint16(b.data[v+2:]))
	if layout < 4 || layout%2 != 0 || layout > len(b.data)-int(v) || size < 4 || size > len(b.data)-at {
		return table{}, limits.Refuse(field, "has a layout of %d bytes for a table of %d at byte %d of %d", layout, size, at, len(b.data))
	}
	return table{b, at, size, b.data[v+4 : int(v)+layout]}, nil
}

// field gives the place of the i-th field, of width bytes; 0 when it is not there.
func (t table) field(i, width int, name string) (int, error) {
	if 2*i+2 > len(t.vtable) {
		return 0, nil
	}
	off := int(binary.LittleEndian.Uint16(t.vtable[2*i:]))
	if off == 0 {
		return 0, nil
	}
	if off < 4 || off > t.size-width {
		return 0, limits.Refuse(name, "lies at byte %d of a table of %d", off, t.size)
	}
	return t.at + off, nil
}

func (t table) integer(i, width int, name string) (uint64, error) {
	at, err := t.field(i, width, name)
	if err != nil || at == 0 {
		return 0, err
	}
	switch width {
	case 1:
		return uint64(t.b.data[at]), nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(t.b.data[at:])), nil
	}
	return binary.LittleEndian.Uint64(t.b.data[at:]), nil
}

func (t table) int32(i int, name string) (int32, error) {
	v, err := t.integer(i, 4, name)
	return int32(v), err
}

func (t table) int64(i int, name string) (int64, error) {
	v, err := t.integer(i, 8, name)
	return int64(v), err
}

func (t table) float(i int, name string) (float32, error) {
	v, err := t.integer(i, 4, name)
	return math.Float32frombits(uint32(v)), err
}

func (t table) bool(i int, name string) (bool, error) {
	v, err := t.integer(i, 1, name)
	if v > 1 {
		return false, limits.Refuse(name, "is %d, neither 0 nor 1", v)
	}
	return v == 1, err
}

// table gives the table that the i-th field refers to; ok is false when there is none.
func (t table) table(i int, name string) (sub table, ok bool, err error) {
	at, err := t.field(i, 4, name)
	if err != nil || at == 0 {
		return table{}, false, err
	}
	sub, err = t.b.at(at, name)
	return sub, true, err
}

// vector gives the bytes of the i-th field, a vector of elements of a width, and their place; nil when there is none.
func (t table) vector(i, width int, name string) (data []byte, at int, err error) {
	if at, err = t.field(i, 4, name); err != nil || at == 0 {
		return nil, 0, err
	}
	if at, err = t.b.follow(at, name); err != nil {
		return nil, 0, err
	}
	n, err := t.b.u32(at, name)
	if err != nil {
		return nil, 0, err
	}
	at += 4
	if int64(n)*int64(width) > int64(len(t.b.data)-at) {
		return nil, 0, limits.Refuse(name, "%d elements of %d bytes declared at byte %d, %d bytes left", n, width, at, len(t.b.data)-at)
	}
	return t.b.data[at : at+int(n)*width : at+int(n)*width], at, nil
}

// blob is a vector of bytes, paid for.
func (t table) blob(i int, name string) ([]byte, error) {
	data, _, err := t.vector(i, 1, name)
	if err != nil {
		return nil, err
	}
	return data, t.b.bytes.Spend(int64(len(data)), name)
}

func (t table) string(i int, name string) (string, error) {
	data, err := t.blob(i, name)
	return string(data), err
}

// each calls visit with the tables of a vector.
func (t table) each(i int, name string, visit func(table) error) error {
	data, at, err := t.vector(i, 4, name)
	if err != nil {
		return err
	}
	if err := t.b.entries.Spend(int64(len(data)/4), name); err != nil {
		return err
	}
	for ; len(data) > 0; data, at = data[4:], at+4 {
		sub, err := t.b.at(at, name)
		if err == nil {
			err = visit(sub)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
