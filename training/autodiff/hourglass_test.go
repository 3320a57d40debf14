package autodiff_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

type values = []*onnx.Value

// convReference is a convolution without groups or dilation in operators that have float64 kernels.
func convReference(b *op.Builder, x, w, bias *onnx.Value, a op.ConvAttrs) *onnx.Value {
	ws, _ := w.Type.Shape.Sizes()
	spatial := len(ws) - 2
	fill := func(v []int64, n int, def int64) []int64 {
		if len(v) > 0 {
			return v
		}
		out := make([]int64, n)
		for i := range out {
			out[i] = def
		}
		return out
	}
	strides, dilations, pads := fill(a.Strides, spatial, 1), fill(a.Dilations, spatial, 1), fill(a.Pads, 2*spatial, 0)
	group := max(a.Group, 1)
	all := append([]int64{0, 0}, pads[:spatial]...)
	all = append(append(all, 0, 0), pads[spatial:]...)
	x = b.Pad(x, "constant", all...)
	xs, _ := x.Type.Shape.Sizes()
	out, taps := make([]int64, spatial), int64(1)
	for i := range out {
		out[i] = (xs[i+2]-(ws[i+2]-1)*dilations[i]-1)/strides[i] + 1
		taps *= ws[i+2]
	}
	wt := b.Reshape(w, 1, group, ws[0]/group, ws[1], taps)
	var sum *onnx.Value
	for t := range taps {
		var specs []op.SliceSpec
		rest := t
		for i := spatial - 1; i >= 0; i-- {
			from := rest % ws[i+2] * dilations[i]
			rest /= ws[i+2]
			specs = append(specs, op.SliceSpec{Axis: int64(i + 2), Start: from, End: from + (out[i]-1)*strides[i] + 1, Step: strides[i]})
		}
		seen := b.Reshape(b.Slice(x, specs...), xs[0], group, xs[1]/group, -1)
		tap := b.Squeeze(b.Slice(wt, op.SliceSpec{Axis: 4, Start: t, End: t + 1}), 4)
		if p := b.MatMul(tap, seen); sum == nil {
			sum = p
		} else {
			sum = b.Add(sum, p)
		}
	}
	dims := append([]int64{xs[0], ws[0]}, out...)
	sum = b.Reshape(sum, dims...)
	if bias == nil {
		return sum
	}
	col := []int64{1, -1}
	for range spatial {
		col = append(col, 1)
	}
	return b.Add(sum, b.Reshape(bias, col...))
}

func convExample(name string, x, w *onnx.Tensor, a op.ConvAttrs) example {
	return example{name: name, float32: true,
		args:      []*onnx.Tensor{x, w, random(3, w.Dims[0])},
		f:         func(b *op.Builder, v values) *onnx.Value { return b.Conv(v[0], v[1], v[2], a) },
		reference: func(b *op.Builder, v values) *onnx.Value { return convReference(b, v[0], v[1], v[2], a) }}
}

func normReference(b *op.Builder, v values) *onnx.Value {
	mean := b.ReduceMean(v[0], true, 2, 3)
	xc := b.Sub(v[0], mean)
	std := b.Sqrt(b.Add(b.ReduceMean(b.Mul(xc, xc), true, 2, 3), b.Scalar(xc, 1e-5)))
	return b.Add(b.Mul(b.Div(xc, std), b.Reshape(v[1], 1, -1, 1, 1)), b.Reshape(v[2], 1, -1, 1, 1))
}

func unary(f func(b *op.Builder, x *onnx.Value) *onnx.Value) function {
	return func(b *op.Builder, v values) *onnx.Value { return f(b, v[0]) }
}

func TestHourglass(t *testing.T) {
	for _, e := range []example{
		convExample("Conv 5x5", random(1, 1, 3, 8, 9), random(2, 4, 3, 5, 5), op.ConvAttrs{Kernel: []int64{5, 5}}),
		convExample("Conv 3x3 padded", random(1, 2, 3, 6, 5), random(2, 4, 3, 3, 3), op.ConvAttrs{Pads: []int64{1, 0, 2, 1}}),
		convExample("Conv 1x1", random(1, 1, 3, 4, 5), random(2, 2, 3, 1, 1), op.ConvAttrs{}),
		{name: "Pad reflect", args: []*onnx.Tensor{random(1, 1, 2, 6, 7)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pad(x, "reflect", 0, 0, 2, 2, 0, 0, 2, 2)
		})},
		{name: "Pad reflect overlapping", args: []*onnx.Tensor{random(1, 1, 2, 3, 4)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pad(x, "reflect", 0, 0, 2, 2, 0, 0, 2, 1)
		})},
		{name: "AveragePool 2x2", float32: true, args: []*onnx.Tensor{random(1, 1, 2, 4, 6)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.AveragePool(x, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
		}), reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Mul(b.ReduceSum(b.Reshape(x, 1, 2, 2, 2, 3, 2), false, 3, 5), b.Scalar(x, 0.25))
		})},
		{name: "InstanceNormalization", float32: true, tolerance: 1e-4,
			args: []*onnx.Tensor{random(1, 2, 3, 4, 5), random(2, 3), random(3, 3)},
			f: func(b *op.Builder, v values) *onnx.Value {
				return b.InstanceNormalization(v[0], v[1], v[2], 1e-5)
			}, reference: normReference},
		{name: "LeakyRelu", args: []*onnx.Tensor{spaced(1, 3, 5)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.LeakyRelu(x, 0.2)
		}), float32: true, reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Where(b.Less(x, b.Scalar(x, 0)), b.Mul(x, b.Scalar(x, 0.2)), x)
		})},
		{name: "Upsample nearest", float32: true, args: []*onnx.Tensor{random(1, 1, 2, 3, 4)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.UpsampleNearest(x, 2)
		}), reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Reshape(b.Tile(b.Reshape(x, 1, 2, 3, 1, 4, 1), 1, 1, 1, 2, 1, 2), 1, 2, 6, 8)
		})},
		{name: "Sigmoid", args: []*onnx.Tensor{random(1, 3, 5)}, f: unary((*op.Builder).Sigmoid)},
		{name: "mean of squares", args: []*onnx.Tensor{random(1, 3, 5), random(2, 3, 5)}, f: func(b *op.Builder, v values) *onnx.Value {
			d := b.Sub(v[0], v[1])
			return b.ReduceMean(b.Mul(d, d), false)
		}},
		{name: "Concat", args: []*onnx.Tensor{random(1, 2, 3), random(2, 2, 1)}, f: func(b *op.Builder, v values) *onnx.Value {
			y := b.Concat(1, v[0], v[1])
			return b.Mul(y, y)
		}},
	} {
		t.Run(e.name, e.run)
	}
}
