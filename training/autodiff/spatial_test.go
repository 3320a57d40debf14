package autodiff_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// First and second order of what moves pixels and of spectra, in float64.
func TestSpatialAndSignal(t *testing.T) {
	square := func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.Mul(v, v) }
	for _, e := range []example{
		of1("CenterCropPad", random(1, 5, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return square(b, b.Node("CenterCropPad", values{x, b.Ints(2, 6)}, 1)[0])
		}),
		of1("DFT", random(1, 2, 6, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, false, false)) }),
		of1("DFT of half", random(1, 2, 7, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, false, true)) }),
		of1("DFT inverse", random(1, 2, 6, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, b.DFT(x, 1, nil, true, false)) }),
	} {
		t.Run(e.name, e.run)
	}
}
