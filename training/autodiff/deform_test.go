package autodiff_test

import (
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// deformed is the square of a deformable convolution of x, w, offset, bias and mask.
func deformed(attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		y := b.Node("DeformConv", v, 1, attrs...)[0]
		return b.Mul(y, y)
	}
}

// First and second order of deformable convolutions, in float64: differences are taken of the runtime's own kernel. No place
// that is sampled is within the differences' step of an element of x.
func TestDeformConv(t *testing.T) {
	off := func(seed uint64, dims ...int64) *onnx.Tensor { // 0.1 to 0.9 behind -1, 0 or 1
		t := scaled(seed, 0.1, 0.9, dims...)
		for i, v := range onnx.View[float64](integers(seed+1, dims...)) {
			onnx.View[float64](t)[i] += min(max(v, -1), 1)
		}
		return t
	}
	group, groups := onnx.Int("group", 2), onnx.Int("offset_group", 2)
	for _, e := range []example{
		{name: "plain", args: tensors{random(1, 1, 2, 4, 5), random(2, 3, 2, 2, 2), off(3, 1, 8, 3, 4)}, f: deformed()},
		{name: "mask and bias", args: tensors{random(1, 2, 1, 3, 4), random(2, 2, 1, 2, 2), off(3, 2, 8, 2, 3), random(4, 2), random(5, 2, 4, 2, 3)}, f: deformed()},
		{name: "groups", args: tensors{random(1, 1, 4, 5, 5), random(2, 2, 2, 3, 1), off(3, 1, 12, 3, 3), random(4, 2), random(5, 1, 6, 3, 3)},
			f: deformed(group, groups, onnx.Ints("strides", 1, 2), onnx.Ints("dilations", 2, 1), onnx.Ints("pads", 1, 0, 1, 0))},
	} {
		t.Run(e.name, e.run)
	}
}

// TestDeformConvSymbolic: batch and places of unknown number stay so, and the gradients are those of fixed sizes.
func TestDeformConvSymbolic(t *testing.T) {
	args := tensors{random(1, 2, 2, 5, 6), random(2, 3, 2, 2, 2), scaled(3, 0.1, 0.9, 2, 8, 4, 5)}
	gradients := func(b *op.Builder, v values) ([]*onnx.Value, error) {
		y := b.ReduceSum(deformed()(b, v), false)
		return autodiff.Gradients(b.Graph(), b.Reshape(y, 1), v)
	}
	want := compile(t, onnx.Double, args, gradients).run(t, args)
	types := make([]onnx.TensorType, len(args))
	for i, a := range args {
		types[i] = onnx.TypeOf(onnx.Double, a.Dims...)
	}
	free := func(names ...string) onnx.Shape {
		s := make(onnx.Shape, len(names))
		for i, n := range names {
			s[i] = onnx.Dim{Symbol: n}
		}
		return s
	}
	types[0].Shape = free("N", "C", "H", "W")
	types[2].Shape = free("N", "K", "OH", "OW")
	got := compileTypes(t, onnx.Double, types, gradients).run(t, args)
	for i := range want {
		for j, v := range onnx.View[float64](want[i]) {
			if d := v - onnx.View[float64](got[i])[j]; d > 1e-12 || d < -1e-12 {
				t.Fatalf("argument %d: %g with free sizes, %g with fixed ones", i, onnx.View[float64](got[i])[j], v)
			}
		}
	}
}

// TestDeformConvOfOtherRanks: without offsets it has the gradients of a convolution, in one and three dimensions too.
func TestDeformConvOfOtherRanks(t *testing.T) {
	for _, c := range []struct{ x, w, offset []int64 }{
		{[]int64{2, 4, 7}, []int64{2, 2, 3}, []int64{2, 3, 5}},
		{[]int64{1, 4, 3, 4, 4}, []int64{4, 2, 2, 1, 2}, []int64{1, 12, 2, 4, 3}},
	} {
		args := tensors{integers(1, c.x...), integers(2, c.w...)}
		run := func(f function) []*onnx.Tensor {
			return compile(t, onnx.Float, args, func(b *op.Builder, v values) ([]*onnx.Value, error) {
				y := f(b, v)
				return autodiff.Gradients(b.Graph(), b.ReduceSum(b.Mul(y, y), false), v)
			}).run(t, args)
		}
		got := run(func(b *op.Builder, v values) *onnx.Value {
			return b.Node("DeformConv", values{v[0], v[1], b.Const(onnx.NewTensor(onnx.Float, c.offset...))}, 1, onnx.Int("group", 2))[0]
		})
		want := run(func(b *op.Builder, v values) *onnx.Value { return b.Conv(v[0], v[1], nil, op.ConvAttrs{Group: 2}) })
		for i := range want {
			if !slices.Equal(onnx.View[float64](got[i]), onnx.View[float64](want[i])) {
				t.Errorf("argument %d of %v: %v, the convolution has %v", i, c.x, onnx.View[float64](got[i]), onnx.View[float64](want[i]))
			}
		}
	}
}
