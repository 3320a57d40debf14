package noise_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
)

// TestEmitBelow holds masks and numbers that a graph makes from a step that it is fed to those that Go makes.
func TestEmitBelow(t *testing.T) {
	const seed = 1<<40 + 77
	streams, probabilities := []string{"dropout/0", "b", "c", "d"}, []float64{0.1, 0.5, 0, 0.999}
	g := onnx.NewGraph("masks")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 7}}})
	keys := noise.EmitStreams(b, seed, streams, g.AddInput("step", onnx.TypeOf(onnx.Int64, 1)))
	for i := range streams {
		g.AddOutput(b.Identity(keys.EmitBelow(b, int64(i), probabilities[i], x)), fmt.Sprint("y", i))
	}
	g.AddOutput(keys.EmitUniform(b, 1, 3, 7), "uniform")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	s := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, runtimetest.Options(t))
	for _, step := range []int64{0, 1, 2, 65535, 65536, 1<<40 + 3} {
		out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.NewTensor(onnx.Float, step%3+1, 7), "step": onnx.FromSlice([]int64{step})})
		if err != nil {
			t.Fatal(err)
		}
		uniform := make([]float32, 3*7)
		noise.Uniform(uniform, noise.NewKey(seed, streams[1], uint64(step)))
		if got := out["uniform"].Float32s(); !slices.Equal(got, uniform) {
			t.Fatalf("step %d: %v, want %v", step, got, uniform)
		}
		for i, stream := range streams {
			key := noise.NewKey(seed, stream, uint64(step))
			for j, got := range onnx.View[bool](out[fmt.Sprint("y", i)]) {
				if want := float64(noise.Float(key, uint32(j))) < probabilities[i]; got != want {
					t.Fatalf("step %d, %s: element %d is %v, want %v", step, stream, j, got, want)
				}
			}
		}
	}
}

// TestEmitNormal holds normal numbers that a graph makes to Go's.
func TestEmitNormal(t *testing.T) {
	for _, n := range []int64{1, 2, 7, 1000} {
		g := onnx.NewGraph("normal")
		b := op.NewBuilder(g)
		keys := noise.EmitStreams(b, 9, []string{"a", "pac/1"}, g.AddInput("step", onnx.TypeOf(onnx.Int64, 1)))
		g.AddOutput(keys.EmitNormal(b, 1, n), "normal")
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
		s := runtimetest.Open(t, m, runtimetest.Options(t))
		for _, step := range []int64{0, 3, 1 << 20} {
			out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"step": onnx.FromSlice([]int64{step})})
			if err != nil {
				t.Fatal(err)
			}
			want := make([]float32, n)
			noise.Normal(want, noise.NewKey(9, "pac/1", uint64(step)))
			got := out["normal"]
			if !slices.Equal(got.Dims, []int64{n}) {
				t.Fatalf("%d numbers come as %v", n, got.Dims)
			}
			for i, x := range got.Float32s() {
				if math.Abs(float64(x-want[i])) > 1e-5 {
					t.Errorf("step %d: number %d of %d is %g, want %g", step, i, n, x, want[i])
				}
			}
		}
	}
}
