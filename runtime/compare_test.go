package runtime

import (
	"encoding/json"
	"math"
	"testing"

	"graft/onnx"
)

func TestCompare(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	floats := func(v ...float32) *onnx.Tensor { return onnx.FromSlice(v) }
	tol := Tolerance{Abs: 0.5, Rel: 0.1}
	for _, c := range []struct {
		name string
		a, b *onnx.Tensor
		want Difference
	}{
		{"same", floats(1, 2), floats(1, 2), Difference{Cosine: 1, Equal: true}},
		{"within, by the largest of all a", floats(0, 10), floats(1.5, 10), Difference{MaxAbs: 1.5, MaxRel: 0.15, Cosine: 0.9889, Equal: true}},
		{"just beyond", floats(0, 10), floats(1.6, 10), Difference{MaxAbs: 1.6, MaxRel: 0.16, Cosine: 0.9874}},
		{"the bound is of a, not of b", floats(1), floats(10), Difference{MaxAbs: 9, MaxRel: 9, Cosine: 1}},
		{"zeros", floats(0, 0), floats(0, 0.25), Difference{MaxAbs: 0.25, MaxRel: Real(inf), Equal: true}},
		{"opposite", floats(1, 1), floats(-1, -1), Difference{MaxAbs: 2, MaxRel: 2, Cosine: -1}},
		{"nan in the same place", floats(nan, 1), floats(nan, 1.25), Difference{MaxAbs: 0.25, MaxRel: 0.25, Cosine: 1, Equal: true}},
		{"nan in one", floats(1, 1), floats(nan, 1), Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan)}},
		{"infinities of one sign", floats(inf, 1), floats(inf, 1), Difference{Cosine: 1, Equal: true}},
		{"infinities of two signs", floats(inf, 1), floats(-inf, 1), Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan)}},
		{"an infinity in a", floats(inf, 1), floats(5, 1), Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan)}},
		{"integers", onnx.FromSlice([]int64{10, -3}), onnx.FromSlice([]int64{11, -3}), Difference{MaxAbs: 1, MaxRel: 0.1, Cosine: 0.9997, Equal: true}},
		{"bools", onnx.FromSlice([]bool{true, false}), onnx.FromSlice([]bool{true, true}), Difference{MaxAbs: 1, MaxRel: 1, Cosine: 0.7071}},
		{"no elements", onnx.NewTensor(onnx.Float, 0), onnx.NewTensor(onnx.Float, 0), Difference{Cosine: 1, Equal: true}},
		{"half and single", &onnx.Tensor{DType: onnx.Float16, Dims: []int64{2}, Data: []byte{0, 0x3c, 0, 0xc0}}, floats(1, -2), Difference{Cosine: 1, Equal: true}},
		{"bfloat", &onnx.Tensor{DType: onnx.BFloat16, Dims: []int64{1}, Data: []byte{0x80, 0x3f}}, floats(1), Difference{Cosine: 1, Equal: true}},
		{"shapes", floats(1, 2), onnx.FromSlice([]float32{1, 2}, 1, 2), Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan), Reason: "shapes differ: [2] and [1 2]"}},
		{"texts", &onnx.Tensor{DType: onnx.String, Strings: []string{"a"}}, &onnx.Tensor{DType: onnx.String, Strings: []string{"b"}},
			Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan), Reason: "the texts differ"}},
		{"only one", floats(1), nil, Difference{MaxAbs: Real(inf), MaxRel: Real(inf), Cosine: Real(nan), Reason: "only the first has it"}},
	} {
		a, b := map[string]*onnx.Tensor{"y": c.a}, map[string]*onnx.Tensor{"y": c.b}
		if c.b == nil {
			b = nil
		}
		got := Compare(a, b, tol)
		c.want.Name = "y"
		d := got.Outputs[0]
		if !near(d.MaxAbs, c.want.MaxAbs) || !near(d.MaxRel, c.want.MaxRel) || !near(d.Cosine, c.want.Cosine) || d.Equal != c.want.Equal || d.Reason != c.want.Reason {
			t.Errorf("%s: %+v, want %+v", c.name, d, c.want)
		}
		if got.Equal != c.want.Equal || !near(got.MaxAbs, c.want.MaxAbs) {
			t.Errorf("%s: all of it: %+v", c.name, got)
		}
	}
}

func near(a, b Real) bool {
	x, y := float64(a), float64(b)
	return x == y || math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) < 1e-4
}

func TestCompareSets(t *testing.T) {
	one, two := onnx.FromSlice([]float32{1}), onnx.FromSlice([]float32{2})
	got := Compare(map[string]*onnx.Tensor{"b": one, "a": one}, map[string]*onnx.Tensor{"b": one, "a": two, "c": one}, Tolerance{})
	if got.Equal || len(got.Outputs) != 3 || got.Outputs[0].Name != "a" || !got.Outputs[1].Equal || got.Outputs[2].Reason != "only the second has it" {
		t.Errorf("%+v", got)
	}
	data, err := json.Marshal(got.Outputs[2])
	if err != nil || string(data) != `{"name":"c","max_abs":null,"max_rel":null,"cosine":null,"equal":false,"reason":"only the second has it"}` {
		t.Errorf("%s, %v", data, err)
	}
	if !Compare(nil, nil, Tolerance{}).Equal {
		t.Error("nothing differs from nothing")
	}
}
