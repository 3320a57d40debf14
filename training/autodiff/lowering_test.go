package autodiff

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
)

// lowered is a session of one lowering, with its inputs: small whole numbers.
func lowered(t testing.TB, threads int, build func(b *Builder) *onnx.Value) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph("lowered")
	b := &Builder{Builder: op.NewBuilder(g)}
	y := build(b)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.AddOutput(y, "y")
	feeds := map[string]*onnx.Tensor{}
	for _, v := range g.Inputs() {
		sizes, _ := v.Type.Shape.Sizes()
		f := onnx.NewTensor(onnx.Float, sizes...)
		for i := range f.Float32s() {
			f.Float32s()[i] = float32(i*i%7 - 3)
		}
		feeds[v.Name] = f
	}
	feeds = stayOnDevice(t, g, feeds)
	return openFormed(t, g, threads), feeds
}

// square is a convolution of square pictures: batch, channels, kernel, side of y, stride, groups; without padding.
type square struct{ n, c, o, k, s, stride, group int64 }

func (q square) String() string {
	return fmt.Sprintf("%dx%dto%d_%dx%d_at_%d_stride_%d_group_%d", q.n, q.c, q.o, q.k, q.k, q.s, q.stride, q.group)
}

func (q square) layer() layer {
	two := func(v int64) []int64 { return []int64{v, v} }
	return layer{single: q.n == 1, c: q.c, o: q.o, window: window{kernel: two(q.k), strides: two(q.stride), dilations: two(1),
		begins: two(0), ends: two(0), rests: two(0), in: two((q.s-1)*q.stride + q.k), out: two(q.s), group: q.group}}
}

// weight is the gradient of the weight by one lowering, the input padded beforehand.
func (q square) weight(form weightLowering) func(b *Builder) *onnx.Value {
	return func(b *Builder) *onnx.Value {
		l := q.layer()
		x := b.Graph().AddInput("x", onnx.TypeOf(onnx.Float, q.n, q.c, l.in[0], l.in[1]))
		dy := b.Graph().AddInput("dy", onnx.TypeOf(onnx.Float, q.n, q.o, q.s, q.s))
		return b.Reshape(form.emit(b, x, dy, l), q.o, q.c/q.group, q.k, q.k)
	}
}

// input is the gradient of the input by one form.
func (q square) input(form func(b *Builder, x, dy, w *onnx.Value, win window) *onnx.Value) func(b *Builder) *onnx.Value {
	return func(b *Builder) *onnx.Value {
		l := q.layer()
		x := b.zerosOf(q.n, q.c, l.in[0], l.in[1])
		dy := b.Graph().AddInput("dy", onnx.TypeOf(onnx.Float, q.n, q.o, q.s, q.s))
		w := b.Graph().AddInput("w", onnx.TypeOf(onnx.Float, q.o, q.c/q.group, q.k, q.k))
		return form(b, x, dy, w, l.window)
	}
}

// zerosOf is a value of that shape.
func (b *Builder) zerosOf(dims ...int64) *onnx.Value {
	return b.ConstantOfShape(b.Ints(dims...), onnx.NewTensor(onnx.Float, 1))
}

// TestWeightLowerings holds all lowerings to the same result, exactly: the data are small whole numbers.
func TestWeightLowerings(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range []square{
		{1, 3, 4, 3, 6, 1, 1}, {1, 3, 2, 2, 20, 1, 1}, {2, 3, 4, 3, 6, 1, 1}, {2, 3, 4, 4, 5, 2, 1}, {1, 3, 4, 4, 5, 2, 1}, {2, 4, 6, 3, 4, 2, 2}, {2, 3, 4, 1, 6, 1, 1}, {3, 4, 4, 3, 4, 1, 4},
	} {
		var want []float32
		for _, form := range slices.Backward(weightLowerings) {
			if !form.fits(q.layer()) || form.name == "tiles" && q.s < 16 {
				continue
			}
			seen[form.name] = true
			s, feeds := lowered(t, 1, q.weight(form))
			out, err := s.Run(context.Background(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			got := out["y"].Float32s()
			if want == nil {
				want = got
			}
			for i := range got {
				if got[i] != want[i] || math.IsNaN(float64(got[i])) {
					t.Fatalf("%v, %s: element %d is %v, want %v", q, form.name, i, got[i], want[i])
				}
			}
		}
	}
	for _, form := range weightLowerings {
		if !seen[form.name] {
			t.Errorf("%s is not tested", form.name)
		}
	}
}

// TestWinogradTwice holds the gradient of the square of one lowering to that of another, exactly.
func TestWinogradTwice(t *testing.T) {
	q := square{2, 3, 2, 3, 5, 1, 1}
	out := map[string]map[string]*onnx.Tensor{}
	for _, form := range weightLowerings {
		if form.name != "winograd" && form.name != "taps" {
			continue
		}
		s, feeds := lowered(t, 1, func(b *Builder) *onnx.Value {
			d := q.weight(form)(b)
			y := b.ReduceSum(b.Mul(d, d), false)
			if b.Err() != nil {
				return nil
			}
			grads, err := Gradients(b.Graph(), y, b.Graph().Inputs())
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range grads {
				b.Graph().AddOutput(v, []string{"dx", "ddy"}[i])
			}
			return y
		})
		var err error
		if out[form.name], err = s.Run(t.Context(), feeds); err != nil {
			t.Fatal(err)
		}
	}
	if len(out["taps"]) != 3 || len(out["winograd"]) != 3 {
		t.Fatalf("%d and %d outputs", len(out["taps"]), len(out["winograd"]))
	}
	for name, want := range out["taps"] {
		if got := out["winograd"][name]; !slices.Equal(got.Float32s(), want.Float32s()) {
			t.Errorf("%s: the two forms differ", name)
		}
	}
}

var inputForms = map[string]func(b *Builder, x, dy, w *onnx.Value, win window) *onnx.Value{
	"transposed": (*Builder).convTransposed,
	"flipped":    func(b *Builder, _, dy, w *onnx.Value, win window) *onnx.Value { return b.convFlipped(dy, w, win) },
}

func TestInputLowerings(t *testing.T) {
	for _, q := range []square{{1, 3, 4, 3, 6, 1, 1}, {2, 4, 6, 3, 5, 1, 2}, {2, 4, 4, 3, 5, 1, 4}, {2, 4, 8, 2, 5, 1, 4}} {
		out := map[string][]float32{}
		for name, form := range inputForms {
			s, feeds := lowered(t, 1, q.input(form))
			got, err := s.Run(context.Background(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = got["y"].Float32s()
		}
		if !slices.Equal(out["transposed"], out["flipped"]) {
			t.Errorf("%v: the two forms differ", q)
		}
	}
}

func bench(b *testing.B, build func(b *Builder) *onnx.Value) {
	s, feeds := lowered(b, 1, build)
	measure(b, s, feeds, func(run func()) { run() })
}

// BenchmarkWeightLowerings compares the lowerings of dW at the shapes of image generators and classifiers.
func BenchmarkWeightLowerings(b *testing.B) {
	for _, q := range []square{
		{64, 32, 64, 3, 24, 1, 1}, {64, 64, 32, 3, 24, 1, 1}, {64, 1, 8, 5, 28, 1, 1}, {64, 8, 16, 5, 14, 1, 1}, {32, 3, 16, 3, 32, 1, 1}, {8, 3, 32, 3, 112, 2, 1},
		{32, 16, 16, 3, 28, 1, 1}, {32, 64, 64, 3, 28, 1, 1}, {32, 64, 128, 3, 14, 2, 1}, {32, 128, 256, 3, 7, 2, 1},
		{16, 128, 128, 3, 4, 1, 1}, {4, 256, 256, 3, 14, 1, 1}, {32, 256, 256, 3, 14, 1, 1}, {128, 128, 128, 3, 16, 1, 1}, {128, 256, 256, 3, 8, 1, 1},
		{128, 512, 512, 3, 4, 1, 1}, {32, 128, 128, 3, 7, 1, 1}, {32, 512, 512, 3, 7, 1, 1}, {128, 128, 128, 3, 8, 1, 1}, {32, 64, 256, 1, 14, 1, 1},
		{1, 3, 16, 3, 64, 1, 1}, {1, 64, 64, 5, 32, 1, 1}, {1, 32, 16, 5, 128, 1, 1}, {1, 32, 16, 3, 512, 1, 1}, {1, 16, 16, 4, 64, 2, 1},
		{8, 144, 144, 3, 56, 1, 144}, {8, 96, 96, 3, 56, 2, 96}, {8, 256, 256, 3, 14, 1, 32},
	} {
		for _, form := range weightLowerings {
			if form.fits(q.layer()) && (form.name != "tiles" || q.s > 16) {
				b.Run(fmt.Sprintf("%v/%s", q, form.name), func(b *testing.B) { bench(b, q.weight(form)) })
			}
		}
	}
}

// BenchmarkInputLowerings compares the forms of dX.
func BenchmarkInputLowerings(b *testing.B) {
	for _, q := range []square{
		{16, 16, 8, 3, 28, 1, 1}, {16, 16, 16, 3, 7, 1, 1}, {16, 16, 16, 3, 28, 1, 1}, {16, 16, 32, 3, 28, 1, 1},
		{1, 64, 128, 5, 56, 1, 1}, {1, 32, 16, 5, 128, 1, 1}, {16, 8, 16, 5, 14, 1, 1}, {8, 32, 32, 3, 56, 1, 32},
	} {
		for _, name := range []string{"transposed", "flipped"} {
			b.Run(fmt.Sprintf("%v/%s", q, name), func(b *testing.B) { bench(b, q.input(inputForms[name])) })
		}
	}
}

// BenchmarkPoolLowerings compares the forms of the adjoints of pools: the sum over windows by matrices, by a pool and by a
// transposed convolution; the maximum by MaxUnpool and ScatterElements.
func BenchmarkPoolLowerings(b *testing.B) {
	for _, q := range []square{{64, 8, 8, 3, 14, 2, 1}, {8, 64, 64, 3, 28, 1, 1}, {8, 64, 64, 3, 56, 2, 1}, {1, 32, 32, 5, 128, 1, 1}, {64, 8, 8, 2, 14, 2, 1}, {64, 16, 16, 3, 4, 3, 1}, {8, 64, 64, 2, 56, 2, 1}} {
		win := q.layer().window
		for _, form := range []string{"matrices", "pool", "transposed", "unpool", "scatter"} {
			if form == "pool" && !win.pools(true) || form == "unpool" && !win.apart() {
				continue
			}
			b.Run(fmt.Sprintf("%v/%s", q, form), func(b *testing.B) { bench(b, q.pool(form)) })
		}
	}
}

func (q square) pool(form string) func(b *Builder) *onnx.Value {
	return func(b *Builder) *onnx.Value {
		win := q.layer().window
		dy := b.Graph().AddInput("dy", onnx.TypeOf(onnx.Float, q.n, q.c, q.s, q.s))
		a := op.PoolAttrs{Kernel: win.kernel, Strides: win.strides}
		switch form {
		case "matrices":
			for i := range win.kernel {
				dy = b.alongAxis(dy, i+2, b.Const(win.matrix(i, true, true)))
			}
			return dy
		case "pool":
			return b.poolBack(dy, win)
		case "transposed":
			ones := onnx.NewTensor(onnx.Float, q.c, 1, q.k, q.k)
			for i := range ones.Float32s() {
				ones.Float32s()[i] = 1
			}
			return b.ConvTranspose(dy, b.Const(ones), nil, op.ConvAttrs{Strides: win.strides, Group: q.c})
		}
		x := b.Graph().AddInput("x", onnx.TypeOf(onnx.Float, q.n, q.c, win.in[0], win.in[1]))
		_, at := b.MaxPoolIndices(x, a)
		if form == "unpool" {
			return b.MaxUnpool(dy, at, b.shapeOf(x), a)
		}
		flat := b.ScatterElements(b.Reshape(b.zerosLike(x), -1), b.Reshape(at, -1), b.Reshape(dy, -1), 0, "add")
		return b.reshapeLike(flat, x)
	}
}
