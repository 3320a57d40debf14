package gguftest

import (
	"bytes"
	"encoding/binary"
)

// Types of values, by their numbers in the file.
const (
	U32    = 4
	F32    = 6
	Bool   = 7
	String = 8
	Array  = 9
	U64    = 10
)

// Builder writes a file field by field.
type Builder struct{ bytes.Buffer }

// U32 appends a number of four bytes.
func (b *Builder) U32(v uint32) *Builder {
	b.Write(binary.LittleEndian.AppendUint32(nil, v))
	return b
}

// U64 appends a number of eight bytes.
func (b *Builder) U64(v uint64) *Builder {
	b.Write(binary.LittleEndian.AppendUint64(nil, v))
	return b
}

// Text appends a length and the bytes of s.
func (b *Builder) Text(s string) *Builder { return b.U64(uint64(len(s))).Raw(s) }

// Raw appends the bytes of s.
func (b *Builder) Raw(s string) *Builder {
	b.WriteString(s)
	return b
}

// Head begins a file.
func Head(version uint32, tensors, keys uint64) *Builder {
	return new(Builder).Raw("GGUF").U32(version).U64(tensors).U64(keys)
}

// Meta is a file of no tensors and one key with the value that rest writes.
func Meta(key string, kind uint32, rest func(*Builder)) []byte {
	b := Head(3, 0, 1).Text(key).U32(kind)
	rest(b)
	return append(b.Bytes(), make([]byte, 64)...)
}

// Line is one row of the table of tensors.
type Line struct {
	Name   string
	Dims   []uint64 // in the file's order
	Type   uint32
	Offset uint64
}

// Table is a file of the given tensors before data zeros, after the padding.
func Table(data int, lines ...Line) []byte {
	b := Head(3, uint64(len(lines)), 0)
	for _, l := range lines {
		b.Text(l.Name).U32(uint32(len(l.Dims)))
		for _, d := range l.Dims {
			b.U64(d)
		}
		b.U32(l.Type).U64(l.Offset)
	}
	b.Write(make([]byte, (32-b.Len()%32)%32+data))
	return b.Bytes()
}
