package limits

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestArithmetic(t *testing.T) {
	edge := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 32, -1 << 32}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		if got, ok := AddInt(a, b); ok != sum.IsInt64() || ok && got != sum.Int64() {
			t.Fatalf("%d+%d: %d, %v", a, b, got, ok)
		}
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		if got, ok := MulInt(a, b); ok != product.IsInt64() || ok && got != product.Int64() {
			t.Fatalf("%d*%d: %d, %v", a, b, got, ok)
		}
		x, y := uint64(a), uint64(b)
		wide := new(big.Int).Add(new(big.Int).SetUint64(x), new(big.Int).SetUint64(y))
		if got, ok := Add(x, y); ok != wide.IsUint64() || ok && got != wide.Uint64() {
			t.Fatalf("%d+%d: %d, %v", x, y, got, ok)
		}
		wide.Mul(new(big.Int).SetUint64(x), new(big.Int).SetUint64(y))
		if got, ok := Mul(x, y); ok != wide.IsUint64() || ok && got != wide.Uint64() {
			t.Fatalf("%d*%d: %d, %v", x, y, got, ok)
		}
	})
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		dims  []int64
		width int
		want  int64
		ok    bool
	}{
		{nil, 32, 4, true}, {[]int64{2, 3}, 16, 12, true}, {[]int64{0, 3}, 8, 0, true}, {[]int64{3}, 4, 0, false}, {[]int64{4}, 4, 2, true},
		{[]int64{-1}, 8, 0, false}, {[]int64{0, -1}, 8, 0, false}, {[]int64{1 << 62, 4}, 8, 0, false}, {[]int64{0, 1 << 62, 4}, 8, 0, false},
		{[]int64{1 << 61}, 8, 0, false}, {make([]int64, MaxRank+1), 8, 0, false}, {[]int64{1}, 0, 0, false},
	} {
		if n, ok := Bytes(c.dims, c.width); ok != c.ok || ok && n != c.want {
			t.Errorf("%v of %d bits: %d, %v", c.dims, c.width, n, ok)
		}
	}
}

func TestReader(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 5000)
	r := OverBytes([]byte(content))
	if v, err := r.U8("x"); err != nil || v != '0' {
		t.Fatal(err)
	}
	if v, err := r.U16("x"); err != nil || v != '1'|'2'<<8 {
		t.Fatal(err)
	}
	if v, err := r.U32("x"); err != nil || v != '3'|'4'<<8|'5'<<16|'6'<<24 {
		t.Fatal(err)
	}
	if v, err := r.U64("x"); err != nil || v != '7'|'8'<<8|'9'<<16|'a'<<24|'b'<<32|'c'<<40|'d'<<48|'e'<<56 {
		t.Fatal(err)
	}
	if s, err := r.String(40_000, "x"); err != nil || s != content[15:40_015] {
		t.Fatal(err)
	}
	if err := r.Skip(100, "x"); err != nil || r.Offset() != 40_115 {
		t.Fatal(err)
	}
	if b, err := r.Bytes(10, "x"); err != nil || string(b) != content[40_115:40_125] {
		t.Fatal(err)
	}
	left := r.Remaining()
	for _, n := range []uint64{uint64(left) + 1, 1 << 63, math.MaxUint64} {
		_, err := r.Bytes(n, "field")
		if want := fmt.Sprintf("field: %d bytes declared at byte 40125, %d left", n, left); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if r.Skip(n, "x") == nil || r.Offset() != 40_125 {
			t.Error("a skip beyond the end")
		}
	}
	if _, err := r.Line(20, "x"); err == nil || !strings.Contains(err.Error(), "no end of line within 21 bytes") {
		t.Error(err)
	}
	line := OverBytes([]byte("abc\ndef"))
	if s, err := line.Line(3, "x"); err != nil || s != "abc" {
		t.Error(s, err)
	}
	if _, err := line.Line(3, "x"); err == nil {
		t.Error("a line without an end")
	}
	cut := NewReader(strings.NewReader("abc"), 10)
	if _, err := cut.U32("x"); err == nil || !strings.Contains(err.Error(), "the file ends at byte 3") {
		t.Error(err)
	}
	if err := NewReader(failing{}, 10).Fill(make([]byte, 5), "x"); !errors.Is(err, errDisk) {
		t.Error(err)
	}
}

var errDisk = errors.New("input/output error")

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func TestBudgetAndDepth(t *testing.T) {
	b := NewBudget("opcodes", 10)
	if b.Spend(10, "x") != nil || b.Left() != 0 || b.Spend(0, "x") != nil {
		t.Error("the budget is not its limit")
	}
	if err := b.Spend(1, "pickle"); err == nil || err.Error() != "pickle: more than 10 opcodes" {
		t.Error(err)
	}
	if b.Spend(-1, "x") == nil || b.Left() != 0 {
		t.Error("a negative amount")
	}
	d := NewDepth(2)
	first, second, third := d.Enter("x"), d.Enter("x"), d.Enter("x")
	if first != nil || second != nil || third == nil {
		t.Error("depth is not its limit")
	}
	if d.Leave(); d.Enter("x") != nil {
		t.Error("leaving gives no room")
	}
}

func TestInputError(t *testing.T) {
	e := Refuse("header", "value %d", 7).WithHint("make it %d", 6)
	err := InFile("a\x1b[2J.onnx", e)
	if err.Error() != `"a\x1b[2J.onnx": header: value 7; make it 6` || InFile("b", err).Error() != err.Error() || e.File != "" {
		t.Error(err)
	}
	var in *InputError
	if !errors.As(err, &in) || in.ExitCode() != 3 || in.Hint != "make it 6" {
		t.Error(in)
	}
	if err := InFile("größe.onnx", io.ErrClosedPipe); err.Error() != "größe.onnx: io: read/write on closed pipe" || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if err := InFile("x", fmt.Errorf("read node: %w", Refuse("dims", "negative"))); err.Error() != "x: read node: dims: negative" || !errors.As(err, &in) {
		t.Error(err)
	}
	if InFile("x", nil) != nil {
		t.Error("no error has become one")
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"conv1/w": `"conv1/w"`, "größe漢": `"größe漢"`, "\x1b[2J\n\x00": `"\x1b[2J\n\x00"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`,
		strings.Repeat("ä", 100): `"` + strings.Repeat("ä", 100) + `"`, strings.Repeat("ä", 101): `"` + strings.Repeat("ä", 100) + `"…`,
	} {
		if got := Name(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
	if got := Names([]string{"a", "b", "c"}, 2); got != `"a", "b" and 1 more` {
		t.Error(got)
	}
}

func TestRecognize(t *testing.T) {
	for head, want := range map[string]string{
		"PK\x03\x04": "ZIP", "\x80\x02": "pickle", "\x80\x06": "", "\x02\x00\x00\x00\x00\x00\x00\x00{}": "safetensors", "\xff\x00\x00\x00\x00\x00\x00\x00{}": "",
		"": "", "\x08\x08": "", "GGUF": "GGUF", strings.Repeat("\x00", 257) + "ustar": "tar", strings.Repeat("\x00", 257): "", "xxxxORTM": "own format", "<html>": "HTML",
	} {
		if what, _ := Recognize([]byte(head), int64(len(head))); !strings.Contains(what, want) || (want == "") != (what == "") {
			t.Errorf("%.20q: %q, want %q", head, what, want)
		}
	}
}

func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, size, err := OpenRegular(path)
	if err != nil || size != 3 {
		t.Fatal(err)
	}
	f.Close()
	for _, bad := range []string{dir, os.DevNull} {
		if _, _, err := OpenRegular(bad); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	}
	if _, _, err := OpenRegular(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
