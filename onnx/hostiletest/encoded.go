package hostiletest

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// raw is a model of bytes that no encoder writes.
func raw(id, name, says string, make func(t testing.TB) []byte) Model {
	return Model{ID: id, Name: id + " " + name, Says: says, data: func(t testing.TB, _ string) []byte { return make(t) }}
}

func text(id, name, says, data string) Model {
	return raw(id, name, says, func(testing.TB) []byte { return []byte(data) })
}

func tag(b []byte, field protowire.Number) []byte {
	return protowire.AppendTag(b, field, protowire.BytesType)
}

// nest wraps data in the fields of path, from the inside out, n times.
func nest(data []byte, n int, path ...protowire.Number) []byte {
	size := len(data)
	var parts [][]byte // the inner ones first: lengths need what is inside
	for range n {
		for _, f := range path {
			part := protowire.AppendVarint(tag(nil, f), uint64(size))
			parts = append(parts, part)
			size += len(part)
		}
	}
	var head []byte
	for i := len(parts) - 1; i >= 0; i-- {
		head = append(head, parts[i]...)
	}
	return append(head, data...)
}

// encoded are attacks by the encoding.
func encoded() []Model {
	list := []Model{
		text("O01", "empty", "empty", ""),
		text("O01", "one byte", "damaged", "\x08"),
		raw("O01", "cut in a field", "claims", func(t testing.TB) []byte {
			data := Marshal(t, Good())
			return data[:len(data)/2]
		}),
	}
	for _, n := range []uint64{1 << 31, 1<<31 - 1, 1 << 63, math.MaxUint64} {
		for _, field := range []protowire.Number{2, 7, 8, 99} {
			claim := append(protowire.AppendVarint(tag(nil, field), n), "abc"...)
			list = append(list,
				raw("O02", fmt.Sprintf("length %d of field %d", n, field), "claims", func(testing.TB) []byte { return claim }),
				raw("O02", fmt.Sprintf("length %d of field %d of the graph", n, field), "claims", func(testing.TB) []byte {
					return protowire.AppendBytes(tag(nil, 7), claim)
				}))
		}
	}
	list = append(list,
		raw("O02", "a length of 12 bytes", "damaged", func(testing.TB) []byte { return append([]byte{0x3a}, bytes.Repeat([]byte{0xff}, 11)...) }),
		raw("O03", "graphs in attributes of nodes", "nested", func(testing.TB) []byte { return nest(nest(nil, 50_000, 6, 5, 1), 1, 7) }),
		raw("O03", "sequences of sequences", "nested", func(testing.TB) []byte { return nest(nest(nil, 50_000, 1, 4), 1, 2, 11, 7) }),
		raw("O04", "5 million groups", "groups", func(testing.TB) []byte {
			return bytes.Repeat(protowire.AppendTag(nil, 99, protowire.StartGroupType), 5_000_000)
		}),
		raw("O04", "the end of a group", "groups", func(testing.TB) []byte { return protowire.AppendTag(nil, 99, protowire.EndGroupType) }))
	for _, f := range []struct {
		what string
		path []protowire.Number
		says string
	}{
		{"metadata", []protowire.Number{14}, "metadata"}, {"nodes", []protowire.Number{1, 7}, "memory"}, {"initializers", []protowire.Number{5, 7}, "memory"},
		{"inputs", []protowire.Number{11, 7}, "memory"}, {"value_info", []protowire.Number{13, 7}, "memory"},
		{"functions", []protowire.Number{25}, "memory"},
		{"sparse initializers", []protowire.Number{15, 7}, "memory"}, {"training", []protowire.Number{20}, "memory"},
	} {
		list = append(list, raw("O05", "a million "+f.what, f.says, func(testing.TB) []byte {
			return nest(bytes.Repeat(protowire.AppendBytes(tag(nil, f.path[0]), nil), 1<<20), 1, f.path[1:]...)
		}))
	}
	return append(list,
		text("O24", "another message", "no graph", string(protowire.AppendString(tag(nil, 2), "hello"))),
		raw("O24", "a model before a ZIP", "damaged", func(t testing.TB) []byte {
			return append(Marshal(t, Good()), "PK\x03\x04\x14\x00\x00\x00\x08\x00"...)
		}),
		text("O24", "ZIP", "is a ZIP archive", "PK\x03\x04 a zip"),
		text("O24", "HTML", "is an HTML page", "<!DOCTYPE html><html>"),
		text("O24", "a pointer of Git LFS", "Git LFS", "version https://git-lfs.github.com/spec/v1\n"))
}
