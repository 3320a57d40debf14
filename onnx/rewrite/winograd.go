package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/winograd"
)

// Winograd writes convolutions by 3x3 kernels of many channels over small pictures, and their transposes, in fewer
// multiplications (package winograd), where that is faster on a CPU. A weight that is constant stays as it is: runtimes lay it
// out for their own convolution once. The nodes are more, and harder to differentiate: the rules are for what is complete.
var Winograd = []Rule{
	{Name: "WinogradConv", Op: "Conv", Build: winogradConv},
	{Name: "WinogradConvTranspose", Op: "ConvTranspose", Build: winogradConvTranspose},
}

func winogradConv(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	a, out, ok := plainKernel(n)
	if !ok {
		return nil
	}
	k := w.Type.Shape
	p := winograd.Plane{Height: out[0], Width: out[1], Begins: [2]int64(a.Pads[:2]), Ends: [2]int64(a.Pads[2:])}
	if !winograd.Pays(sizeOrZero(x.Type.Shape[0]), k[1].Size, k[0].Size, out[0]*out[1]) {
		return nil
	}
	return []*onnx.Value{biased(b, winograd.Conv(b, x, w, p), n)}
}

// A transposed convolution is one by the reversed kernel, whose padding is what the kernel reaches beyond its middle.
func winogradConvTranspose(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	a, out, ok := plainKernel(n)
	if !ok || len(a.OutputShape) > 0 {
		return nil
	}
	k := w.Type.Shape
	p := winograd.Plane{Height: out[0], Width: out[1], Begins: [2]int64{2 - a.Pads[0], 2 - a.Pads[1]},
		Ends: [2]int64{2 - a.Pads[2] + a.OutputPadding[0], 2 - a.Pads[3] + a.OutputPadding[1]}}
	if !winograd.Pays(sizeOrZero(x.Type.Shape[0]), k[0].Size, k[1].Size, out[0]*out[1]) {
		return nil
	}
	return []*onnx.Value{biased(b, winograd.ConvBack(b, x, w, p), n)}
}

// plainKernel tells the attributes and the spatial sizes of the output of a convolution by 3x3 kernels of stride 1, in one
// group, with a weight that is not constant and sizes that are known, all but the batch's.
func plainKernel(n *onnx.Node) (a op.ConvAttrs, out []int64, ok bool) {
	x, w, y := n.Input(0).Type, n.Input(1), n.Output(0).Type
	kernel, ok := w.Type.Shape.Sizes()
	if !ok || len(kernel) != 4 || kernel[2] != 3 || kernel[3] != 3 || op.ConstantOf(w) != nil || x.DType != onnx.Float {
		return a, nil, false
	}
	if len(x.Shape) != 4 || len(y.Shape) != 4 {
		return a, nil, false
	}
	if _, ok = x.Shape[1:].Sizes(); !ok {
		return a, nil, false
	}
	if out, ok = y.Shape[2:].Sizes(); !ok || slices.Min(out) < 1 {
		return a, nil, false
	}
	a = op.ConvAttrsOf(n, 2)
	one := []int64{1, 1}
	plain := a.Group == 1 && slices.Equal(a.Strides, one) && slices.Equal(a.Dilations, one) && (a.AutoPad == "NOTSET" || a.AutoPad == "VALID") &&
		len(a.Pads) == 4 && slices.Min(a.Pads) >= 0 && slices.Max(a.Pads) <= 2 && (n.Is("Conv") || len(a.OutputPadding) == 2)
	return a, out, plain
}

// sizeOrZero is a dimension's size, 0 where it is not known.
func sizeOrZero(d onnx.Dim) int64 {
	if d.Known() {
		return d.Size
	}
	return 0
}

// biased adds the bias of n to y, which takes the place of its output.
func biased(b *op.Builder, y *onnx.Value, n *onnx.Node) *onnx.Value {
	if n.Input(2) != nil {
		y = b.Add(y, b.Reshape(n.Input(2), 1, -1, 1, 1))
	}
	if b.Err() == nil {
		y.Type = n.Output(0).Type // the name of the batch's size is lost on the way
	}
	return y
}
