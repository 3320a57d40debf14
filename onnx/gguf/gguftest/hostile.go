package gguftest

import (
	"fmt"
	"math"

	"graft/onnx/limits/limitstest"
)

// Hostile are some of each family of attacks that a reader must refuse, G01 to G20 without G19, which is to be read.
func Hostile() []limitstest.Case {
	var cases []limitstest.Case
	add := func(id, what, want string, data []byte) {
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: data, Want: want})
	}
	number := func(id string, n uint64, want string, data []byte) { add(id, fmt.Sprint(n), want, data) }
	padded := func(b *Builder) []byte { return append(b.Bytes(), make([]byte, 64)...) }
	one := func(dims ...uint64) []byte { return Table(64, Line{Name: "a", Dims: dims}) }

	add("G01", "four bytes", "version", []byte("GGUF"))
	add("G01", "header cut short", "metadata count", Head(3, 0, 0).Bytes()[:20])
	number("G02", 1<<62, "tensor count: 4611686018427387904, at most", Head(3, 1<<62, 0).Bytes())
	number("G02", 1000, "tensor count: 1000 take at least", Head(3, 1000, 0).U64(0).U64(0).U64(0).Bytes())
	number("G03", 1<<62, "metadata count: 4611686018427387904, at most", Head(3, 0, 1<<62).Bytes())
	number("G03", 1000, "metadata count: 1000 take at least", Head(3, 0, 1000).U64(0).U64(0).Bytes())
	for _, n := range []uint64{1 << 40, 1 << 63} {
		number("G04", n, "a name of", padded(Head(3, 0, 1).U64(n)))
		number("G04", n, "a string of", Meta("k", String, func(b *Builder) { b.U64(n) }))
	}
	number("G05", 1<<40, `metadata "k"`, Meta("k", Array, func(b *Builder) { b.U32(F32).U64(1 << 40) }))
	number("G05", 1<<61, `metadata "k"`, Meta("k", Array, func(b *Builder) { b.U32(U64).U64(1 << 61) }))
	number("G05", 1<<40, `metadata "k"`, Meta("k", Array, func(b *Builder) { b.U32(String).U64(1 << 40) }))
	add("G06", "arrays three million deep", "array of arrays", Meta("k", Array, func(b *Builder) {
		for range 3_000_000 {
			b.U32(Array).U64(1)
		}
	}))
	add("G07", "type of a value", "is not known", Meta("k", 99, func(*Builder) {}))
	add("G07", "type of an array's", "is not known", Meta("k", Array, func(b *Builder) { b.U32(99).U64(0) }))
	add("G07", "bool 7", "bool is 7", Meta("k", Bool, func(b *Builder) { b.Raw("\x07") }))
	add("G08", "key", `metadata "k": key twice`, Head(3, 0, 2).Text("k").U32(U32).U32(1).Text("k").U32(U32).U32(1).Bytes())
	add("G08", "tensor", `tensor "a": name twice`, Table(64, Line{"a", []uint64{4}, 0, 0}, Line{"a", []uint64{4}, 0, 32}))
	add("G08", "escape in a name", "control characters", Table(64, Line{"a\x1b[2J", []uint64{4}, 0, 0}))
	for _, n := range []uint32{0, 3, 1 << 31} {
		number("G09", uint64(n), "power of two", Meta("general.alignment", U32, func(b *Builder) { b.U32(n) }))
	}
	add("G09", "string", "wants uint32", Meta("general.alignment", String, func(b *Builder) { b.Text("32") }))
	add("G10", "none", "0 dimensions", one())
	add("G10", "five", "5 dimensions", one(1, 1, 1, 1, 1))
	add("G10", "2^32-1", "4294967295 dimensions", padded(Head(3, 1, 0).Text("a").U32(math.MaxUint32)))
	for _, dims := range [][]uint64{{math.MaxInt64, 2}, {1 << 63, 4}, {math.MaxUint64}, {0}, {1 << 32, 1 << 32}} {
		add("G11", fmt.Sprint(dims), `tensor "a"`, one(dims...))
	}
	number("G12", math.MaxUint64/4, `tensor "a"`, one(math.MaxUint64/4))
	const big = 1 << 59
	add("G13", "sum", `tensor "a"`, Table(64, Line{"a", []uint64{big / 4}, 0, 0}, Line{"b", []uint64{big / 4}, 0, big}, Line{"c", []uint64{4}, 0, math.MaxInt64 &^ 31}))
	add("G13", "end", `tensor "c"`, Table(64, Line{"c", []uint64{4}, 0, math.MaxInt64 &^ 31}))
	add("G14", "half a block", "not whole blocks", Table(64, Line{"a", []uint64{33}, 2, 0}))
	for _, kind := range []uint32{4, 31, 99, math.MaxUint32} {
		add("G15", fmt.Sprintf("type %d", kind), fmt.Sprintf("type %d is not known", kind), Table(64, Line{"a", []uint64{4}, kind, 0}))
	}
	add("G15", "type without numbers", "IQ2_XXS is not dequantized", Table(66, Line{"a", []uint64{256}, 16, 0}))
	add("G16", "unaligned", "no multiple of the alignment", Table(64, Line{"a", []uint64{4}, 0, 1}))
	add("G16", "overlap", "overlaps", Table(64, Line{"a", []uint64{16}, 0, 0}, Line{"b", []uint64{4}, 0, 32}))
	add("G16", "beyond the end", "the file has 64 bytes of data", Table(64, Line{"a", []uint64{4}, 0, 64}))
	add("G16", "wraps", "no multiple of the alignment", Table(64, Line{"a", []uint64{4}, 0, math.MaxUint64 &^ 31}))
	whole := Table(64, Line{"a", []uint64{16}, 0, 0})
	add("G17", "one byte less", "the file has 63 bytes of data", whole[:len(whole)-1])
	for version, want := range map[uint32]string{0: "0, versions 2 and 3", 1: "a current llama.cpp", 99: "99, versions 2 and 3", 3 << 24: "big-endian"} {
		number("G18", uint64(version), want, Head(version, 0, 0).Bytes())
	}
	const tokens = "tokenizer.ggml.tokens"
	add("G20", "token of 2 GiB", "a string of 2147483648 bytes", Meta(tokens, Array, func(b *Builder) { b.U32(String).U64(1).U64(2 << 30) }))
	b := Head(3, 0, 2).Text(tokens).U32(Array).U32(String).U64(2).Text("a").Text("b")
	b.Text("tokenizer.ggml.scores").U32(Array).U32(F32).U64(1).U32(0)
	add("G20", "fewer scores than tokens", "1 elements, tokenizer.ggml.tokens has 2", b.Bytes())
	return cases
}
