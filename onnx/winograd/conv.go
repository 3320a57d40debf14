package winograd

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Conv is the convolution of x [N,C,H,W] by w [O,C,3,3]: [N,O,Height,Width]. All sizes but N are known.
func Conv(b *op.Builder, x, w *onnx.Value, p Plane) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	o, c := w.Type.Shape[0].Size, w.Type.Shape[1].Size
	k := b.Reshape(kernelMarks(b, w, kernel), marks, o, c)
	return convolved(b, x, b.Transpose(k, 0, 2, 1), p, c, o)
}

// ConvBack is the convolution of dy [N,O,H,W] by w [O,C,3,3] with its taps reversed and its channels exchanged,
// [N,C,Height,Width]: the cotangent of a convolution's input, or a transposed convolution.
func ConvBack(b *op.Builder, dy, w *onnx.Value, p Plane) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	o, c := w.Type.Shape[0].Size, w.Type.Shape[1].Size
	return convolved(b, dy, b.Reshape(kernelMarks(b, w, reversed(kernel)), marks, o, c), p, o, c)
}

// kernelMarks is the transform of w [O,C,3,3]: [16, O C].
func kernelMarks(b *op.Builder, w *onnx.Value, g [][]float64) *onnx.Value {
	return b.MatMul(both(b, w.Type.DType, g), b.Transpose(b.Reshape(w, -1, taps), 1, 0))
}

// convolved multiplies tiles of x, of so many channels, with kernels k [16,from,to].
func convolved(b *op.Builder, x, k *onnx.Value, p Plane, from, to int64) *onnx.Value {
	h, w := p.inputs()
	x = places(b, x, h, w, p.Begins, p.even().Ends)
	var parts []*onnx.Value
	for _, rows := range p.parts() {
		y := b.MatMul(tileMarks(b, x, from, p, rows), k) // [16, tiles N, to]
		if b.Err() != nil {
			return nil
		}
		parts = append(parts, b.MatMul(both(b, x.Type.DType, output), b.Reshape(y, marks, -1)))
	}
	return picture(b, parts, to, p)
}

// tileMarks is the transform of rows of tiles of the padded x [H W, N C]: [16, tiles N, C].
func tileMarks(b *op.Builder, x *onnx.Value, channels int64, p Plane, rows [2]int64) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.Reshape(b.MatMul(both(b, x.Type.DType, tile), tiled(b, x, side, p.even().Width+side-step, rows)), marks, -1, channels)
}
