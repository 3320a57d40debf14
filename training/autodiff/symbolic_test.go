package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training/autodiff"
)

// compareSymbolic builds the gradients of sum exp f in inputs of shapes with names for sizes, and again with the sizes known,
// runs both, and holds them to each other.
func compareSymbolic(t *testing.T, sizes map[string]int64, shapes [][]any, f function) {
	t.Helper()
	want, got := symbolicGradients(t, sizes, shapes, f, false), symbolicGradients(t, sizes, shapes, f, true)
	for name, w := range want {
		for i, v := range w.Float32s() {
			if d := math.Abs(float64(got[name].Float32s()[i] - v)); !(d <= 1e-5*(1+math.Abs(float64(v)))) {
				t.Fatalf("%s, element %d: %v, with sizes known %v", name, i, got[name].Float32s()[i], v)
			}
		}
	}
}

func symbolicGradients(t *testing.T, sizes map[string]int64, shapes [][]any, f function, symbolic bool) map[string]*onnx.Tensor {
	t.Helper()
	g := onnx.NewGraph("symbolic")
	b := op.NewBuilder(g)
	var xs values
	feeds := map[string]*onnx.Tensor{}
	for i, dims := range shapes {
		shape, real := onnx.NewShape(), []int64{}
		for _, d := range dims {
			size := onnx.Dim{}
			switch d := d.(type) {
			case int:
				size.Size = int64(d)
			case string:
				if size.Size = sizes[d]; symbolic {
					size = onnx.Dim{Symbol: d}
				}
				real = append(real, sizes[d])
			}
			if len(real) == len(shape) {
				real = append(real, size.Size)
			}
			shape = append(shape, size)
		}
		name := fmt.Sprintf("x%d", i)
		xs = append(xs, g.AddInput(name, onnx.TensorType{DType: onnx.Float, Shape: shape}))
		feeds[name] = convert(scaled(uint64(i+1), 0.5, 1.5, real...), onnx.Float)
	}
	y := b.ReduceSum(b.Exp(f(b, xs)), false)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	ds, err := autodiff.Gradients(g, y, xs)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range ds {
		if len(d.Type.Shape) != len(xs[i].Type.Shape) {
			t.Errorf("gradient %d is %v, want %v", i, d.Type, xs[i].Type)
		}
		g.AddOutput(b.Identity(d), fmt.Sprintf("d%d", i))
	}
	g.RemoveUnused()
	low, err := op.LowestOpset(g)
	if err != nil {
		t.Fatal(err)
	}
	s := runtimetest.Open(t, &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: max(low, op.Opset)}}, Graph: g}, runtimetest.Options(t))
	used := map[string]*onnx.Tensor{}
	for _, in := range s.Inputs() {
		used[in.Name] = feeds[in.Name]
	}
	out, err := s.Run(context.Background(), used)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
