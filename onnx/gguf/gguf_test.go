package gguf

import (
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"graft/onnx/safetensors"
)

func golden(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every type, bit for bit as the reference implementation dequantizes it. testdata/peers/gguf_goldens.py makes the files.
func TestDequantizeGolden(t *testing.T) {
	f, list, err := Decode(golden(t), "types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := safetensors.ReadFile("testdata/types.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(want) || len(list) != 14 {
		t.Fatalf("%d tensors, want %d", len(list), len(want))
	}
	for i, w := range want {
		got := list[i]
		values, ok := got.Reals()
		if got.Name != w.Name || !slices.Equal(got.Dims, w.Dims) || !ok || got.DType != f.entries[i].Type.DType() {
			t.Fatalf("%s %v, want %s %v", got.Name, got.Type(), w.Name, w.Type())
		}
		for j, x := range w.Float32s() {
			if math.Float32bits(float32(values[j])) != math.Float32bits(x) {
				t.Fatalf("%s: element %d is %g, want %g", w.Name, j, values[j], x)
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	f, err := Open("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, want := range map[string]any{
		"general.architecture": "test", "general.name": "types", "test.u32": uint32(7), "test.f32": float32(0.5), "test.bool": true,
		"test.i64": int64(-5), "test.ints": []int32{1, -2, 3}, "tokenizer.ggml.tokens": []string{"<s>", "a", "ö"},
		"tokenizer.ggml.scores": []float32{0, -1, -2},
	} {
		if got, _ := f.Value(key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", key, got, want)
		}
	}
	if _, ok := f.String("test.u32"); ok {
		t.Error("a number as text")
	}
	if _, err := f.Tensor("none"); err == nil || err.Error() != `testdata/types.gguf: no tensor "none"` {
		t.Error(err)
	}
	if len(f.Keys()) != len(f.keyIndex) || len(f.Entries()) != 14 || Type(12).String() != "Q4_K" || Type(4).String() != "type(4)" {
		t.Error("accessors")
	}
}

// half is IEEE binary16, all patterns.
func TestHalf(t *testing.T) {
	for bits := range 1 << 16 {
		sign, exponent, fraction := bits>>15, bits>>10&31, bits&1023
		want := math.Ldexp(float64(fraction), -24)
		switch {
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		case exponent > 0:
			want = math.Ldexp(float64(1024+fraction), exponent-25)
		}
		if sign == 1 {
			want = -want
		}
		got := half([]byte{byte(bits), byte(bits >> 8)})
		if float64(got) != want && !(math.IsNaN(want) && math.IsNaN(float64(got))) || math.Signbit(float64(got)) != math.Signbit(want) && !math.IsNaN(want) {
			t.Fatalf("%#04x: %g, want %g", bits, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, list, err := Decode(b, "x")
		if err != nil {
			return
		}
		for i, e := range file.Entries() {
			if err := list[i].Check(); err != nil || e.Offset+e.Size > int64(len(b)) {
				t.Fatalf("%s: %v", e.Name, err)
			}
		}
	})
}
