package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// STFT is the discrete Fourier transform of each frame of a signal [N,L,1 or 2], times the window: frame i begins at
// i frame_step.
func STFT(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, window := n.Input(0), n.Input(2)
	step, ok := op.ConstantInts(n.Input(1))
	if !ok || len(step) != 1 || step[0] < 1 {
		b.Fail("STFT: frame_step is not constant")
		return nil
	}
	length := int64(-1)
	switch {
	case n.Input(3) != nil:
		if v, ok := op.ConstantInts(n.Input(3)); ok && len(v) == 1 {
			length = v[0]
		}
	case window != nil && len(window.Type.Shape) == 1 && window.Type.Shape[0].Known():
		length = window.Type.Shape[0].Size
	}
	if length < 1 || !x.Type.Shape.Ranked() || len(x.Type.Shape) != 3 || !x.Type.Shape[1].Known() {
		b.Fail("STFT: the signal is %v, frame_length %d: both lengths must be known", x.Type, length)
		return nil
	}
	frames := max(0, (x.Type.Shape[1].Size-length)/step[0]+1)
	const most = 1 << 26
	if frames*length > most {
		b.Fail("STFT: %d frames of %d: at most %d elements are made", frames, length, int64(most))
		return nil
	}
	index := onnx.NewTensor(onnx.Int64, frames, length)
	for i := range frames {
		for j := range length {
			index.Int64s()[i*length+j] = i*step[0] + j
		}
	}
	y := b.Gather(x, b.Const(index), 1) // [N,frames,length,1 or 2]
	if window != nil {
		y = b.Mul(y, b.Reshape(window, -1, 1))
	}
	return []*onnx.Value{b.DFT(y, 2, nil, false, onnx.AttrOr(n, "onesided", int64(1)) != 0)}
}
