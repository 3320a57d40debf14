package masking

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

func TestParsePattern(t *testing.T) {
	if p, err := ParsePattern("2:4"); err != nil || p != (Pattern{2, 4}) || p.String() != "2:4" {
		t.Errorf("%v, %v", p, err)
	}
	for _, s := range []string{"", "2", "4:2", "0:4", "4:4", "2:4:8", "-1:4", "1:9999999999", "1:1025", "a:b"} {
		if p, err := ParsePattern(s); err == nil || !strings.Contains(err.Error(), "such as 2:4") {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
}

// TestPattern holds every group of every layout to its count, and to the largest of it.
func TestPattern(t *testing.T) {
	g := onnx.NewGraph("patterns")
	wave := func(dims ...int64) *onnx.Tensor {
		w := onnx.NewTensor(onnx.Float, dims...)
		for i := range w.Float32s() {
			w.Float32s()[i] = float32(math.Sin(float64(7*i + 1)))
		}
		return w
	}
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 6, 4, 4))
	conv := g.Add("Conv", []*onnx.Value{x, g.AddInitializer("kernel", wave(3, 6, 2, 2)), g.AddInitializer("bias", wave(3))}, 1).Output(0)
	flat := g.Add("Flatten", []*onnx.Value{conv}, 1).Output(0)
	gemm := g.Add("Gemm", []*onnx.Value{flat, g.AddInitializer("rows", wave(8, 27))}, 1, onnx.Attr{Name: "transB", Value: int64(1)}).Output(0)
	g.AddOutput(g.Add("MatMul", []*onnx.Value{gemm, g.AddInitializer("columns", wave(8, 5))}, 1).Output(0), "y")
	score, err := FindScore("magnitude")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Choose(Weights(Parameters(g), 1), score, Choice{Pattern: Pattern{2, 4}, Sparsity: 0.99, Scope: Layer})
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]int64{"kernel": 3 * 4 * 4, "bias": 3, "rows": 8 * (6*2 + 2), "columns": 5 * 4} {
		if got := set.Get(name).Kept(); got != kept {
			t.Errorf("%s: %d kept, want %d", name, got, kept)
		}
	}
	// The inputs of an output of columns lie five apart; of each four the two largest stay.
	keep, w := set.Get("columns").Keep, g.Lookup("columns").Const.Float32s()
	for first := 0; first < 40; first += 20 {
		for o := range 5 {
			var in, out []float32
			for i := range 4 {
				if at := first + 5*i + o; keep[at] {
					in = append(in, abs(w[at]))
				} else {
					out = append(out, abs(w[at]))
				}
			}
			if len(in) != 2 || slices.Min(in) < slices.Max(out) {
				t.Errorf("output %d: %v stay, %v go", o, in, out)
			}
		}
	}
	// Equal scores are told apart by the seed, not all by their place.
	even := Pattern{1, 2}.best(Evidence{Dims: []int64{64, 2}, Output: 0, Input: 1}, make([]float32, 128), 1)
	first := 0
	for i := 0; i < 128; i += 2 {
		if even[i] == even[i+1] {
			t.Fatalf("group %d: %v", i/2, even[i:i+2])
		}
		if even[i] {
			first++
		}
	}
	if first == 0 || first == 64 {
		t.Errorf("%d of 64 ties went to the first", first)
	}
}
