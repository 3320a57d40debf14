package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var conv = []row{
	{op: "Conv", grad: gradConv},
	{op: "ConvTranspose", grad: gradConvTranspose},
	{op: "ConvInteger", none: integer},
}

// Y = X * W + B: dX = the transposed convolution of dY by W; dW[o,c,i] = sum_t dY[o,t] X[c, t*stride + i*dilation - begin];
// dB = sum dY.
func gradConv(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	out := make([]*onnx.Value, 3)
	win, ok := b.windowOf(n, x, w, n.Output(0))
	if !ok {
		return nil
	}
	if b.Wants(0) {
		out[0] = b.convInput(x, dy[0], w, win)
	}
	if b.Wants(1) {
		out[1] = b.convWeight(x, dy[0], w, win)
	}
	if b.Wants(2) {
		out[2] = b.sumChannels(dy[0])
	}
	return out
}

// sumChannels sums d [N,M,...] over all but the channels: [M].
func (b *Builder) sumChannels(d *onnx.Value) *onnx.Value {
	r, ok := b.rank(d)
	if !ok {
		return nil
	}
	return b.ReduceSum(d, false, append([]int64{0}, spatialAxes(r)...)...)
}

// Y = the transposed convolution of X by W, + B: dX = the convolution of dY by W; dW is that of the convolution from Y to
// X; dB = sum dY.
func gradConvTranspose(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	out := make([]*onnx.Value, 3)
	win, ok := b.windowOf(n, n.Output(0), w, x)
	if !ok {
		return nil
	}
	switch {
	case b.Wants(0) && fitsBlocks(win):
		out[0] = b.Conv(b.blocks(b.padded(dy[0], win), win), b.blockWeight(w, win), nil, op.ConvAttrs{})
	case b.Wants(0):
		out[0] = b.Conv(dy[0], w, nil, op.ConvAttrs{Kernel: win.kernel, Strides: win.strides, Dilations: win.dilations,
			Pads: slices.Concat(win.begins, win.ends), Group: win.group})
		for i, o := range win.out { // an output padding of a stride or more gives windows that x does not have
			if win.rests[i] < win.strides[i] {
				continue
			}
			if o == unsized {
				b.Fail("an output padding of %d with stride %d wants axis %d of %s, which is %v: fix that dimension",
					win.rests[i], win.strides[i], i+2, label(x), x.Type.Shape)
				return nil
			}
			out[0] = b.Slice(out[0], op.SliceSpec{Axis: int64(i + 2), Start: 0, End: o})
		}
	}
	if b.Wants(1) {
		out[1] = b.convWeight(dy[0], x, w, win)
	}
	if b.Wants(2) {
		out[2] = b.sumChannels(dy[0])
	}
	return out
}
