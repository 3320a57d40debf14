package autodiff

import (
	"context"
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// lowered is a session of the weight gradient of a convolution [1,c,s,s] to [1,o,s,s] with a k x k kernel, its input padded
// beforehand, by one lowering.
func lowered(t testing.TB, l weightLowering, c, o, k, s int64, threads int) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph(l.name)
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, c, s+k-1, s+k-1))
	dy := g.AddInput("dy", onnx.TypeOf(onnx.Float, 1, o, s, s))
	b := &Builder{Builder: op.NewBuilder(g)}
	ones, zeros := []int64{1, 1}, []int64{0, 0}
	w := window{kernel: []int64{k, k}, strides: ones, dilations: ones, begins: zeros, ends: zeros,
		in: []int64{s + k - 1, s + k - 1}, out: []int64{s, s}, group: 1}
	g.AddOutput(b.Reshape(l.emit(b, x, dy, o, w), o, c, k, k), "dw")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	data, err := (&onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	options := runtimetest.Options(t)
	options.Threads = threads
	session, err := runtime.Open(data, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	feeds := map[string]*onnx.Tensor{}
	for _, v := range g.Inputs() {
		sizes, _ := v.Type.Shape.Sizes()
		f := onnx.NewTensor(onnx.Float, sizes...)
		for i := range f.Float32s() {
			f.Float32s()[i] = float32(i*i%7 - 3)
		}
		feeds[v.Name] = f
	}
	return session, feeds
}

// TestWeightLowerings holds all lowerings to the same result, exactly: the data are small whole numbers.
func TestWeightLowerings(t *testing.T) {
	var want []float32
	for _, l := range weightLowerings[1:] {
		s, feeds := lowered(t, l, 3, 4, 3, 6, 1)
		out, err := s.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		got := out["dw"].Float32s()
		if want == nil {
			want = got
		}
		for i := range got {
			if got[i] != want[i] || math.IsNaN(float64(got[i])) {
				t.Fatalf("%s: element %d is %v, by %s %v", l.name, i, got[i], weightLowerings[1].name, want[i])
			}
		}
	}
}

// BenchmarkWeightLowerings compares the lowerings at the shapes of image generators.
func BenchmarkWeightLowerings(b *testing.B) {
	for _, c := range []struct{ c, o, k, s int64 }{
		{32, 16, 5, 128}, {16, 16, 5, 64}, {16, 32, 5, 64}, {64, 64, 5, 32}, {64, 64, 5, 16}, {64, 64, 5, 8},
		{32, 16, 3, 128}, {64, 64, 3, 32}, {64, 64, 3, 16}, {16, 3, 1, 128},
	} {
		for _, l := range weightLowerings {
			if l.name == "product" && c.k > 1 || l.name == "blocks" { // blocks are for strides
				continue
			}
			b.Run(fmt.Sprintf("%dto%d_%dx%d_at_%d/%s", c.c, c.o, c.k, c.k, c.s, l.name), func(b *testing.B) {
				s, feeds := lowered(b, l, c.c, c.o, c.k, c.s, 1)
				for b.Loop() {
					if _, err := s.Run(context.Background(), feeds); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
