package gguf

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"graft/onnx"
)

// TestToHalf: every binary16 comes back, and halves between two go to the even one.
func TestToHalf(t *testing.T) {
	for bits := range 1 << 15 {
		v := half([]byte{byte(bits), byte(bits >> 8)})
		if got := toHalf(v); got != uint16(bits) && !math.IsNaN(float64(v)) {
			t.Fatalf("%g: %#x, want %#x", v, got, bits)
		}
		if bits >= 0x7bff {
			continue
		}
		next := half([]byte{byte(bits + 1), byte((bits + 1) >> 8)})
		between, want := (v+next)/2, uint16(bits+bits&1)
		if got := toHalf(between); got != want {
			t.Fatalf("%g: %#x, want %#x", between, got, want)
		}
		if got := toHalf(-between); got != want|0x8000 {
			t.Fatalf("%g: %#x, want %#x", -between, got, want|0x8000)
		}
	}
	if toHalf(65519.9) != 0x7bff || toHalf(65520) != 0x7c00 || toHalf(float32(math.NaN())) != 0x7e00 {
		t.Error("the ends of the range")
	}
}

func TestWrite(t *testing.T) {
	keys := []Key{{"general.architecture", "x"}, {"a", uint32(7)}, {"b", float32(0.5)}, {"c", true}, {"d", int64(-5)}, {"e", uint64(1 << 40)}, {"f", int8(-1)},
		{"g", []string{"p", "", "ö"}}, {"h", []int32{1, -2}}, {"i", []float32{0.25}}, {"j", []bool{true, false}}, {"k", []uint8{1}}, {"l", 0.1}}
	entries := []Entry{{Name: "one", Type: F32, Dims: []int64{3}}, {Name: "two", Type: F16, Dims: []int64{2, 5}}, {Name: "three", Type: Q8_0, Dims: []int64{2, 64}}}
	tensors := make([]*onnx.Tensor, len(entries))
	for i, e := range entries {
		tensors[i] = onnx.NewTensor(onnx.Float, e.Dims...)
		for j := range tensors[i].Float32s() {
			tensors[i].Float32s()[j] = float32(math.Sin(float64(j+i))) * 3
		}
	}
	var b bytes.Buffer
	if err := WriteEach(&b, keys, entries, func(i int) (*onnx.Tensor, error) { return tensors[i], nil }); err != nil {
		t.Fatal(err)
	}
	if n, err := Size(keys, entries); err != nil || n != int64(b.Len()) {
		t.Errorf("%d bytes, %v; %d are written", n, err, b.Len())
	}
	f, list, err := Decode(b.Bytes(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Keys(), keys) {
		t.Errorf("%v", f.Keys())
	}
	for i, far := range []float64{0, 1.0 / 1024, 3.0/254 + 3.0/2048} { // none, half a step of 11 bits below 4, half a step of 127 and the step's own rounding
		got, _ := list[i].Reals()
		for j, v := range tensors[i].Float32s() {
			if math.Abs(got[j]-float64(v)) > far {
				t.Errorf("%s: element %d is %g, want %g", list[i].Name, j, got[j], v)
			}
		}
	}
	read := func(int) (*onnx.Tensor, error) { return tensors[0], nil }
	for _, e := range []Entry{{Name: "x", Type: 12, Dims: []int64{256}}, {Name: "x", Type: Q8_0, Dims: []int64{33}}, {Name: "x", Dims: nil}, {Name: "x", Dims: []int64{4}}} {
		if err := WriteEach(&b, nil, []Entry{e}, read); err == nil {
			t.Errorf("%v %v is written", e.Type, e.Dims)
		}
	}
	if err := WriteEach(&b, []Key{{"x", 7}}, nil, nil); err == nil {
		t.Error("an int is written")
	}
}
