package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var signal = []row{
	{op: "DFT", grad: of(gradDFT)},
	{op: "STFT", expand: rewrite.STFT},
}

// y = F x along an axis, with the N points of F_jk = exp(-2 pi i j k / N): dx = the conjugate of F' times dy, which is N
// times the inverse transform; y = F^-1 x: dx = F dy / N. Bins that y leaves out are zeros in dy, points that x was lengthened
// by are cut off, those that it was cut by are zeros, and a real x takes the real part.
func gradDFT(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, y := n.Input(0), n.Output(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	inverse, onesided := onnx.AttrOr(n, "inverse", int64(0)) != 0, onnx.AttrOr(n, "onesided", int64(0)) != 0
	axis := int64(-2)
	if n.Input(2) != nil {
		if axis, ok = b.constantInt(n.Input(2), "the axis"); !ok {
			return nil
		}
	}
	if axis < 0 {
		axis += int64(rank)
	}
	in, parts, bins := x.Type.Shape[axis], x.Type.Shape[rank-1], y.Type.Shape[axis]
	if !in.Known() || !parts.Known() || !bins.Known() {
		b.Fail("the rule wants the number of points, x is %v and y %v", x.Type, y.Type)
		return nil
	}
	points := bins.Size
	if onesided && !inverse { // what was asked for, since bins do not tell odd from even
		points = in.Size
		if n.Input(1) != nil {
			if points, ok = b.constantInt(n.Input(1), "dft_length"); !ok {
				return nil
			}
		}
	}
	var dx *onnx.Value
	if onesided && inverse {
		dx = b.gradHalfInverse(dy, axis, points, in.Size)
	} else {
		if bins.Size < points {
			dy = b.resized(dy, axis, bins.Size, points)
		}
		dx = b.DFT(dy, axis, nil, !inverse, false)
		if inverse {
			dx = b.Mul(dx, b.Scalar(dx, 1/float64(points)))
		} else {
			dx = b.Mul(dx, b.Scalar(dx, float64(points)))
		}
		dx = b.resized(dx, axis, points, in.Size)
	}
	if parts.Size == 1 {
		dx = b.Slice(dx, op.SliceSpec{Axis: int64(rank - 1), Start: 0, End: 1})
	}
	return dx
}

// constantInt reads an operand that is one number, which must be known before the run.
func (b *Builder) constantInt(v *onnx.Value, what string) (int64, bool) {
	list, ok := op.ConstantInts(v)
	if !ok || len(list) != 1 {
		b.Fail("%s is not constant", what)
		return 0, false
	}
	return list[0], true
}

// y_t = 1/N sum_k c_k Re(x_k exp(2 pi i k t / N)) over the N/2+1 bins of half a spectrum, c_k = 1 for those that are their own
// mirror image, the first and, for an even N, the last, and 2 for others: dx = c/N F dy, its first half. Bins that y leaves out have no gradient.
func (b *Builder) gradHalfInverse(dy *onnx.Value, axis, points, bins int64) *onnx.Value {
	half := points/2 + 1
	rank := len(dy.Type.Shape)
	dims := make([]int64, rank)
	for i := range dims {
		dims[i] = 1
	}
	dims[axis] = half
	weights := onnx.NewTensor(onnx.Double, dims...)
	for k := range half {
		c := 2 / float64(points)
		if k == 0 || 2*k == points {
			c /= 2
		}
		onnx.View[float64](weights)[k] = c
	}
	dx := b.Mul(b.DFT(dy, axis, nil, false, true), b.castLike(b.Const(weights), dy))
	return b.resized(dx, axis, half, bins)
}

// resized cuts v along an axis, or puts zeros at its end.
func (b *Builder) resized(v *onnx.Value, axis, from, to int64) *onnx.Value {
	switch {
	case b.Err() != nil || from == to:
		return v
	case to < from:
		return b.Slice(v, op.SliceSpec{Axis: axis, Start: 0, End: to})
	}
	rank := len(v.Type.Shape)
	pads := make([]int64, 2*rank)
	pads[rank+int(axis)] = to - from
	return b.Pad(v, "constant", pads...)
}
