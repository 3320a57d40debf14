package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// UpsampleIntoConv makes one transposed convolution of nearest-neighbour upsampling by two, a reflected border of one pixel
// and a 3x3 convolution. Reflecting the upsampled image repeats its outermost pixel, for the pixel beside it is a copy:
//
//	Conv(Pad(Upsample(x), reflect), w) = ConvTranspose(Pad(x, edge), w'), w' [C,O,4,4], stride 2
//
// It takes 4/9 of the multiplications. w' is linear in w, one product with a constant matrix, so that w stays the
// parameter and gradients flow to it. Sums are associated differently: results agree to rounding. The stored model would
// grow by 16/9, so it is for training.
var UpsampleIntoConv = Rule{Name: "UpsampleIntoConv", Op: "Conv", Build: upsampleIntoConv}

func upsampleIntoConv(b *op.Builder, n *onnx.Node) []*onnx.Value {
	w, pad := n.Input(1), n.Input(0).Producer()
	kernel, ok := w.Type.Shape.Sizes()
	one := []int64{1, 1}
	if !ok || len(kernel) != 4 || kernel[2] != 3 || kernel[3] != 3 || w.Type.DType != onnx.Float {
		return nil
	}
	a := op.ConvAttrsOf(n, 2)
	if a.Group != 1 || !slices.Equal(a.Strides, one) || !slices.Equal(a.Dilations, one) || any(a.Pads) || (a.AutoPad != "NOTSET" && a.AutoPad != "VALID") {
		return nil
	}
	border := []int64{0, 0, 1, 1, 0, 0, 1, 1}
	if pad == nil || !pad.Is("Pad") || !alone(b.Graph(), n.Input(0)) || onnx.AttrOr(pad, "mode", "constant") != "reflect" || pad.Input(3) != nil {
		return nil
	}
	pads, ok := op.ConstantInts(pad.Input(1))
	up := pad.Input(0).Producer()
	if !ok || !slices.Equal(pads, border) || up == nil || !alone(b.Graph(), pad.Input(0)) || !slices.Equal(repeats(up), []int64{1, 1, 2, 2}) {
		return nil
	}
	outputs, inputs := kernel[0], kernel[1]
	flat := b.MatMul(b.Reshape(w, outputs*inputs, 9), b.Const(doubled()))
	folded := b.Transpose(b.Reshape(flat, outputs, inputs, 4, 4), 1, 0, 2, 3)
	x := b.Pad(up.Input(0), "edge", border...)
	return []*onnx.Value{b.ConvTranspose(x, folded, n.Input(2), op.ConvAttrs{Kernel: []int64{4, 4}, Strides: []int64{2, 2}, Pads: []int64{3, 3, 3, 3}})}
}

// doubled is the matrix from a kernel's 3x3 taps to the 4x4 that a pixel repeated 2x2 has on the outputs around it.
func doubled() *onnx.Tensor {
	taps := [4][]int64{{2}, {1, 2}, {0, 1}, {0}} // of one axis
	t := onnx.NewTensor(onnx.Float, 9, 16)
	for i := range int64(4) {
		for j := range int64(4) {
			for _, u := range taps[i] {
				for _, v := range taps[j] {
					t.Float32s()[(u*3+v)*16+i*4+j] = 1
				}
			}
		}
	}
	return t
}
