package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/gguf/gguftest"
	"graft/onnx/limits/limitstest"
)

// The pieces that the tests write files from.
type builder = gguftest.Builder

var (
	head  = gguftest.Head
	meta  = gguftest.Meta
	table = gguftest.Table
)

func line(name string, dims []uint64, kind uint32, offset uint64) gguftest.Line {
	return gguftest.Line{Name: name, Dims: dims, Type: kind, Offset: offset}
}

// seeds are files that are read.
func seeds() [][]byte {
	vocabulary := head(3, 0, 2).Text("tokenizer.ggml.tokens").U32(kindArray).U32(kindString).U64(2).Text("a").Text("b")
	vocabulary.Text("tokenizer.ggml.scores").U32(kindArray).U32(kindF32).U64(2).U64(0)
	aligned := head(3, 0, 1).Text("general.alignment").U32(kindU32).U32(64)
	list := [][]byte{vocabulary.Bytes(), aligned.Bytes(),
		head(2, 0, 0).Bytes(), table(64, line("a", []uint64{4}, 0, 0), line("b", []uint64{2, 4}, 0, 32)),
		meta("k", kindArray, func(b *builder) { b.U32(kindString).U64(1).Text("x") }),
	}
	for kind, f := range formats {
		if kind.DType() != onnx.Undefined {
			list = append(list, table(int(f.bytes), line(f.name, []uint64{uint64(f.block)}, uint32(kind), 0)))
		}
	}
	return list
}

// refused wants b to be refused at little cost.
func refused(t testing.TB, b []byte, want string) {
	t.Helper()
	var err error
	if used := limitstest.CPU(t, func() { _, _, err = Decode(b, "x.gguf") }); used > time.Second {
		t.Errorf("%v for %d bytes", used, len(b))
	}
	limitstest.Refused(t, err, "x.gguf", want)
}

// The same files that verbs are tested with.
func TestHostileFiles(t *testing.T) {
	for _, c := range gguftest.Hostile() {
		t.Run(c.Name(), func(t *testing.T) { refused(t, c.Bytes, c.Want) })
	}
}

func TestSeedsAreRead(t *testing.T) {
	for i, b := range seeds() {
		if _, _, err := Decode(b, "x"); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestHostileG01Short(t *testing.T) {
	refused(t, []byte("GGUF"), "version")
	whole := golden(t)
	for n := range 2000 {
		refused(t, whole[:n], "")
	}
	refused(t, []byte("GGUX\x03\x00\x00\x00"), "not with GGUF")
}

func TestHostileG02TensorCount(t *testing.T) {
	refused(t, head(3, 1<<62, 0).Bytes(), "tensor count: 4611686018427387904, at most")
	refused(t, head(3, 1000, 0).U64(0).U64(0).U64(0).Bytes(), "tensor count: 1000 take at least")
}

func TestHostileG03KeyCount(t *testing.T) {
	refused(t, head(3, 0, 1<<62).Bytes(), "metadata count: 4611686018427387904, at most")
	refused(t, head(3, 0, 1000).U64(0).U64(0).Bytes(), "metadata count: 1000 take at least")
}

func TestHostileG04StringLength(t *testing.T) {
	for _, n := range []uint64{1 << 40, 1 << 63, math.MaxUint64, maxName + 1, 0} {
		refused(t, append(head(3, 0, 1).U64(n).Bytes(), make([]byte, 32)...), "a name of")
		refused(t, append(head(3, 1, 0).U64(n).Bytes(), make([]byte, 64)...), "a name of")
	}
	for _, n := range []uint64{1 << 40, 1 << 63, math.MaxUint64} {
		refused(t, meta("k", kindString, func(b *builder) { b.U64(n) }), "a string of")
		refused(t, meta("k", kindArray, func(b *builder) { b.U32(kindString).U64(1).U64(n) }), "a string of")
	}
	refused(t, meta("k", kindString, func(b *builder) { b.U64(1000) }), "1000 bytes declared")
}

func TestHostileG05ArrayCount(t *testing.T) {
	for kind := range uint32(13) {
		if kind != kindArray {
			for _, n := range []uint64{1 << 40, 1 << 61, math.MaxUint64} {
				refused(t, meta("k", kindArray, func(b *builder) { b.U32(kind).U64(n) }), `metadata "k"`)
			}
			refused(t, meta("k", kindArray, func(b *builder) { b.U32(kind).U64(65) }), "65")
		}
	}
	empty := head(3, 0, 1).Text("k").U32(kindArray).U32(kindString).U64(maxStrings + 1)
	refused(t, append(empty.Bytes(), make([]byte, 8*(maxStrings+1))...), "more than 4000000 strings in arrays")
}

func TestHostileG06NestedArrays(t *testing.T) {
	refused(t, meta("k", kindArray, func(b *builder) {
		for range 3_000_000 {
			b.U32(kindArray).U64(1)
		}
	}), "array of arrays")
}

func TestHostileG07ValueTypes(t *testing.T) {
	for _, kind := range []uint32{13, 99, math.MaxUint32} {
		refused(t, meta("k", kind, func(*builder) {}), "is not known")
		refused(t, meta("k", kindArray, func(b *builder) { b.U32(kind).U64(0) }), "is not known")
	}
	refused(t, meta("k", kindBool, func(b *builder) { b.Raw("\x07") }), "bool is 7")
	refused(t, meta("k", kindArray, func(b *builder) { b.U32(kindBool).U64(2).Raw("\x01\x02") }), "bool is 2")
}

func TestHostileG08Duplicates(t *testing.T) {
	refused(t, head(3, 0, 2).Text("k").U32(kindU32).U32(1).Text("k").U32(kindU32).U32(1).Bytes(), `metadata "k": key twice`)
	refused(t, table(64, line("a", []uint64{4}, 0, 0), line("a", []uint64{4}, 0, 32)), `tensor "a": name twice`)
	refused(t, table(64, line("a\x1b[2J", []uint64{4}, 0, 0)), "control characters")
	refused(t, table(64, line("a\xff", []uint64{4}, 0, 0)), "not UTF-8")
}

func TestHostileG09Alignment(t *testing.T) {
	for _, n := range []uint32{0, 3, 1 << 31, maxAlign * 2} {
		refused(t, meta("general.alignment", kindU32, func(b *builder) { b.U32(n) }), "power of two")
	}
	refused(t, meta("general.alignment", kindString, func(b *builder) { b.Text("32") }), "wants uint32")
	refused(t, meta("general.alignment", kindU64, func(b *builder) { b.U64(32) }), "wants uint32")
}

func TestHostileG10Rank(t *testing.T) {
	refused(t, table(64, line("a", nil, 0, 0)), "0 dimensions")
	refused(t, table(64, line("a", []uint64{1, 1, 1, 1, 1}, 0, 0)), "5 dimensions")
	refused(t, append(head(3, 1, 0).Text("a").U32(math.MaxUint32).Bytes(), make([]byte, 64)...), "4294967295 dimensions")
}

func TestHostileG11Dimensions(t *testing.T) {
	for _, dims := range [][]uint64{{math.MaxInt64, 2}, {1 << 63, 4}, {math.MaxUint64}, {0}, {4, 0}, {1 << 32, 1 << 32}, {1 << 62, 4}} {
		refused(t, table(64, line("a", dims, 0, 0)), `tensor "a"`)
	}
}

func TestHostileG12Padding(t *testing.T) {
	refused(t, table(64, line("a", []uint64{math.MaxUint64 / 4}, 0, 0)), `tensor "a"`)
	refused(t, table(64, line("a", []uint64{math.MaxInt64 / 8}, 0, 0)), `tensor "a"`)
}

func TestHostileG13SumOfSizes(t *testing.T) {
	const big = 1 << 59
	refused(t, table(64, line("a", []uint64{big / 4}, 0, 0), line("b", []uint64{big / 4}, 0, big), line("c", []uint64{4}, 0, math.MaxInt64&^31)), `tensor "a"`)
	refused(t, table(64, line("c", []uint64{4}, 0, math.MaxInt64&^31)), `tensor "c"`)
}

func TestHostileG14Blocks(t *testing.T) {
	refused(t, table(64, line("a", []uint64{33}, 2, 0)), "not whole blocks")
	refused(t, table(640, line("a", []uint64{128, 2}, 12, 0)), "not whole blocks")
}

func TestHostileG15Types(t *testing.T) {
	for _, kind := range []uint32{4, 5, 31, 32, 33, 36, 37, 38, 99, math.MaxUint32} {
		refused(t, table(64, line("a", []uint64{4}, kind, 0)), fmt.Sprintf("type %d is not known", kind))
	}
	refused(t, table(66, line("a", []uint64{256}, 16, 0)), "IQ2_XXS is not dequantized; requantize")
}

func TestHostileG16Offsets(t *testing.T) {
	refused(t, table(64, line("a", []uint64{4}, 0, 1)), "no multiple of the alignment")
	refused(t, table(64, line("a", []uint64{4}, 0, 1<<63)), "no multiple of the alignment")
	refused(t, table(64, line("a", []uint64{4}, 0, math.MaxUint64&^31)), "no multiple of the alignment")
	refused(t, table(64, line("a", []uint64{16}, 0, 0), line("b", []uint64{4}, 0, 32)), "overlaps")
	refused(t, table(64, line("a", []uint64{4}, 0, 0), line("b", []uint64{4}, 0, 0)), "overlaps")
	refused(t, table(64, line("a", []uint64{4}, 0, 64)), "the file has 64 bytes of data")
	refused(t, table(64, line("a", []uint64{17}, 0, 0)), "the file has 64 bytes of data")
	refused(t, table(0, line("a", []uint64{4}, 0, 0)), "the file has 0 bytes of data")
}

// Bytes that the file no longer has are an error: nothing of the memory stands in for them.
func TestHostileG17Truncated(t *testing.T) {
	whole := golden(t)
	f, err := NewFile(bytes.NewReader(whole), int64(len(whole)), "x.gguf")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries() {
		f.src = io.NewSectionReader(bytes.NewReader(whole), 0, e.Offset+e.Size-1)
		if _, err := f.Tensor(e.Name); err == nil || !strings.Contains(err.Error(), "the file ends at byte") {
			t.Errorf("%s: %v", e.Name, err)
		}
		refused(t, whole[:e.Offset+e.Size-1], `tensor "`)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, int64(len(whole))/2); err != nil {
		t.Fatal(err)
	}
	last := f.Entries()[len(f.Entries())-1]
	if _, err := f.Tensor(last.Name); err == nil {
		t.Error("a tensor of a file cut short")
	}
}

func TestHostileG18Version(t *testing.T) {
	for version, want := range map[uint32]string{0: "0, versions 2 and 3", 1: "a current llama.cpp", 99: "99, versions 2 and 3", 3 << 24: "big-endian"} {
		refused(t, head(version, 0, 0).Bytes(), want)
	}
}

// A template is text, whatever it says.
func TestHostileG19ChatTemplate(t *testing.T) {
	code := "{{ cycler.__init__.__globals__.os.popen('id').read() }}<script>\x1b[2J"
	f, _, err := Decode(meta("tokenizer.chat_template", kindString, func(b *builder) { b.Text(code) }), "x")
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := f.String("tokenizer.chat_template"); !ok || s != code {
		t.Errorf("%q", s)
	}
}

func TestHostileG20Vocabulary(t *testing.T) {
	const tokens = "tokenizer.ggml.tokens"
	refused(t, meta(tokens, kindArray, func(b *builder) { b.U32(kindString).U64(1).U64(2 << 30) }), "a string of 2147483648 bytes")
	for _, column := range []string{"tokenizer.ggml.scores", "tokenizer.ggml.token_type"} {
		b := head(3, 0, 2).Text(tokens).U32(kindArray).U32(kindString).U64(2).Text("a").Text("b")
		b.Text(column).U32(kindArray).U32(kindF32).U64(1).U32(0)
		refused(t, b.Bytes(), "1 elements, tokenizer.ggml.tokens has 2")
	}
	b := head(3, 0, 2).Text(tokens).U32(kindU32).U32(2).Text("tokenizer.ggml.scores").U32(kindArray).U32(kindF32).U64(1).U32(0)
	refused(t, b.Bytes(), "tokenizer.ggml.tokens has -1")
}

// What a file costs stays in proportion to it: names and empty strings too.
func TestHostileMemory(t *testing.T) {
	const n = 2_000_000
	b := head(3, 0, 1).Text("k").U32(kindArray).U32(kindString).U64(n)
	data := append(b.Bytes(), make([]byte, 8*n)...)
	kib, known := limitstest.Peak(t, func() {
		if _, _, err := Decode(data, "x"); err != nil {
			t.Error(err)
		}
	})
	if known && kib > len(data)>>10+64<<10 {
		t.Errorf("%d KiB for a file of %d", kib, len(data)>>10)
	}
}

// A folder, a pipe and a missing file are no GGUF.
func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.gguf")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if onnx.Undefined != Type(16).DType() {
		t.Error("a type that is not dequantized has an element type")
	}
}
