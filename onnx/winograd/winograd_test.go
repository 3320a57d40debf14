package winograd_test

import (
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/winograd"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// geometry is a convolution of c to o channels by 3x3 kernels: batch, sizes of the outputs, padding.
type geometry struct {
	n, c, o int64
	p       winograd.Plane
}

func (g geometry) String() string {
	return fmt.Sprintf("%dx%dto%d_at_%dx%d_pad_%v_%v", g.n, g.c, g.o, g.p.Height, g.p.Width, g.p.Begins, g.p.Ends)
}

// x and y are the sizes of the inputs and outputs.
func (g geometry) x() []int64 {
	return []int64{g.n, g.c, g.p.Height + 2 - g.p.Begins[0] - g.p.Ends[0], g.p.Width + 2 - g.p.Begins[1] - g.p.Ends[1]}
}
func (g geometry) y() []int64 { return []int64{g.n, g.o, g.p.Height, g.p.Width} }

// transposed is the geometry of the transposed convolution that leads from the outputs back to the inputs.
func (g geometry) transposed() winograd.Plane {
	x := g.x()
	return winograd.Plane{Height: x[2], Width: x[3], Begins: [2]int64{2 - g.p.Begins[0], 2 - g.p.Begins[1]}, Ends: [2]int64{2 - g.p.Ends[0], 2 - g.p.Ends[1]}}
}

func (g geometry) pads() []int64 {
	return []int64{g.p.Begins[0], g.p.Begins[1], g.p.Ends[0], g.p.Ends[1]}
}

type build func(b *op.Builder, x, y, w *onnx.Value) *onnx.Value

// direct and by are the forms by the operators and by tiles: the convolution, the transposed one, the weight's gradient.
func (g geometry) direct(kind string) build {
	a := op.ConvAttrs{Kernel: []int64{3, 3}, Pads: g.pads()}
	return map[string]build{
		"conv": func(b *op.Builder, x, _, w *onnx.Value) *onnx.Value { return b.Conv(x, w, nil, a) },
		"back": func(b *op.Builder, _, y, w *onnx.Value) *onnx.Value { return b.ConvTranspose(y, w, nil, a) },
		"weight": func(b *op.Builder, x, y, _ *onnx.Value) *onnx.Value { // batch and channels exchanged
			d := b.Conv(b.Transpose(x, 1, 0, 2, 3), b.Transpose(y, 1, 0, 2, 3), nil, op.ConvAttrs{Kernel: g.y()[2:], Pads: g.pads()})
			return b.Transpose(d, 1, 0, 2, 3)
		},
	}[kind]
}

func (g geometry) by(kind string) build {
	return map[string]build{
		"conv": func(b *op.Builder, x, _, w *onnx.Value) *onnx.Value { return winograd.Conv(b, x, w, g.p) },
		"back": func(b *op.Builder, _, y, w *onnx.Value) *onnx.Value {
			return winograd.ConvBack(b, y, w, g.transposed())
		},
		"weight": func(b *op.Builder, x, y, _ *onnx.Value) *onnx.Value { return winograd.Weight(b, x, y, g.c, g.o, g.p) },
	}[kind]
}

func (g geometry) open(t testing.TB, f build) (*runtime.Session, map[string]*onnx.Tensor) {
	graph := onnx.NewGraph("winograd")
	b := op.NewBuilder(graph)
	in, feeds := make([]*onnx.Value, 3), map[string]*onnx.Tensor{}
	for i, dims := range [][]int64{g.x(), g.y(), {g.o, g.c, 3, 3}} {
		name := []string{"x", "y", "w"}[i]
		ty := onnx.TypeOf(onnx.Float, dims...)
		if i < 2 {
			ty.Shape[0] = onnx.UnknownDim
		}
		in[i] = graph.AddInput(name, ty)
		feeds[name] = onnx.NewTensor(onnx.Float, dims...)
		for j := range feeds[name].Float32s() {
			feeds[name].Float32s()[j] = float32((j*j+i)%7-3) / 4
		}
	}
	out := f(b, in[0], in[1], in[2])
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	graph.AddOutput(out, "out")
	for i, v := range in {
		if v.NumUses() == 0 {
			if err := graph.RemoveInput(v); err != nil {
				t.Fatal(err)
			}
			delete(feeds, []string{"x", "y", "w"}[i])
		}
	}
	return runtimetest.Open(t, &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: graph}, runtimetest.OneThread(t)), feeds
}

// TestForms holds the forms by tiles to the operators: odd and even sizes, paddings of every kind. The data are small multiples
// of 1/4, for which both are exact.
func TestForms(t *testing.T) {
	for _, g := range []geometry{
		{2, 3, 4, winograd.Plane{Height: 4, Width: 6, Begins: [2]int64{1, 1}, Ends: [2]int64{1, 1}}},
		{3, 2, 2, winograd.Plane{Height: 7, Width: 5, Begins: [2]int64{1, 1}, Ends: [2]int64{1, 1}}},
		{1, 2, 3, winograd.Plane{Height: 1, Width: 1}},
		{2, 1, 1, winograd.Plane{Height: 11, Width: 2, Begins: [2]int64{0, 2}, Ends: [2]int64{1, 0}}},
		{2, 2, 2, winograd.Plane{Height: 3, Width: 4, Begins: [2]int64{2, 2}, Ends: [2]int64{0, 1}}},
	} {
		for _, kind := range []string{"conv", "back", "weight"} {
			t.Run(fmt.Sprintf("%s/%v", kind, g), func(t *testing.T) {
				var want, got *onnx.Tensor
				for _, v := range []struct {
					f  build
					to **onnx.Tensor
				}{{g.direct(kind), &want}, {g.by(kind), &got}} {
					s, feeds := g.open(t, v.f)
					out, err := s.Run(t.Context(), feeds)
					if err != nil {
						t.Fatal(err)
					}
					*v.to = out["out"]
				}
				if fmt.Sprint(got.Dims) != fmt.Sprint(want.Dims) {
					t.Fatalf("sizes %v, want %v", got.Dims, want.Dims)
				}
				for i, v := range want.Float32s() {
					if w := got.Float32s()[i]; w != v || math.IsNaN(float64(w)) {
						t.Fatalf("element %d is %v, want %v", i, w, v)
					}
				}
			})
		}
	}
}

// BenchmarkForms compares them, on one thread.
func BenchmarkForms(b *testing.B) {
	for _, q := range []struct{ n, c, o, side int64 }{
		{128, 64, 64, 32}, {128, 64, 64, 8}, {128, 128, 128, 16}, {128, 128, 128, 4}, {128, 256, 256, 8}, {128, 512, 512, 4}, {128, 512, 512, 2},
		{32, 128, 128, 28}, {32, 256, 256, 14}, {32, 512, 512, 7}, {32, 128, 128, 8}, {8, 256, 256, 14}, {8, 512, 512, 7}, {8, 256, 256, 4}, {1, 256, 256, 14}, {1, 512, 512, 7}, {1, 128, 128, 64},
	} {
		one := [2]int64{1, 1}
		g := geometry{q.n, q.c, q.o, winograd.Plane{Height: q.side, Width: q.side, Begins: one, Ends: one}}
		for _, kind := range []string{"conv", "back"} {
			for form, f := range map[string]build{"direct": g.direct(kind), "tiles": g.by(kind)} {
				b.Run(fmt.Sprintf("%s/%dx%dto%d_at_%d/%s", kind, q.n, q.c, q.o, q.side, form), func(b *testing.B) {
					s, feeds := g.open(b, f)
					for b.Loop() {
						if _, err := s.Run(b.Context(), feeds); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
