package autodiff_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// First and second order of what moves pixels and of spectra, in float64; of determinants in float32.
func TestSpatialAndSignal(t *testing.T) {
	square := func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.Mul(v, v) }
	for _, e := range []example{
		of1("CenterCropPad", random(1, 5, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return square(b, b.Node("CenterCropPad", values{x, b.Ints(2, 6)}, 1)[0])
		}),
		of1("DFT", random(1, 2, 6, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, false, false)) }),
		of1("DFT of half", random(1, 2, 7, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, false, true)) }),
		of1("DFT inverse", random(1, 2, 6, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, true, false)) }),
		of1("DFT inverse of half, even", random(1, 2, 4, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, true, true)) }),
		of1("DFT inverse of half, odd", random(1, 2, 4, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return square(b, b.DFT(x, 1, b.Const(onnx.Scalar(int64(7))), true, true))
		}),
		of1("AffineGrid", random(1, 2, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return square(b, b.Node("AffineGrid", values{x, b.Ints(2, 1, 3, 4)}, 1)[0])
		}),
		{name: "GridSample", args: tensors{random(1, 1, 2, 4, 5), scaled(2, -0.7, 0.7, 1, 2, 3, 2)}, f: func(b *op.Builder, v values) *onnx.Value {
			return square(b, b.Node("GridSample", v, 1, onnx.Str("mode", "linear"))[0])
		}},
		{name: "GridSample cubic", args: tensors{random(1, 1, 2, 4, 5), scaled(2, -0.7, 0.7, 1, 2, 3, 2)}, f: func(b *op.Builder, v values) *onnx.Value {
			return square(b, b.Node("GridSample", v, 1, onnx.Str("mode", "cubic"), onnx.Str("padding_mode", "border"))[0])
		}},
		{name: "Det", args: tensors{random(1, 3, 2, 2)}, float32: true, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Node("Det", values{x}, 1)[0]
		}), reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			at := func(i int64) *onnx.Value { return b.Reshape(b.Gather(b.Reshape(x, 3, 4), b.Ints(i), 1), 3) }
			return b.Sub(b.Mul(at(0), at(3)), b.Mul(at(1), at(2)))
		})},
	} {
		t.Run(e.name, e.run)
	}
}
