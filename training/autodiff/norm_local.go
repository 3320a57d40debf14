package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// y = x/|x| with the p-norm along an axis, 0 where the norm is: dx = (dy - u E)/|x|, 0 where the norm is, with E the sum of
// dy y, and u = sign x for p = 1, y for p = 2.
func gradLpNormalization(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, y, axis := n.Input(0), n.Output(0), onnx.AttrOr(n, "axis", int64(-1))
	zero, one := b.Scalar(x, 0), b.Scalar(x, 1)
	var length, some, u *onnx.Value
	switch p := onnx.AttrOr(n, "p", int64(2)); p {
	case 1:
		u = b.Sign(x)
		length = b.ReduceSum(b.Abs(x), true, axis)
		some = b.Greater(length, zero)
		length = b.Where(some, length, one)
	case 2:
		u = y
		square := b.ReduceSumSquare(x, true, axis)
		some = b.Greater(square, zero)
		length = b.Sqrt(b.Where(some, square, one))
	default:
		b.Fail("p = %d, wants 1 or 2", p)
		return nil
	}
	part := b.Sub(dy, b.Mul(u, b.ReduceSum(b.Mul(dy, y), true, axis)))
	return b.Mul(part, b.Div(b.castLike(some, x), length))
}

// y = x s^-beta with s = bias + alpha/size W(x^2), W the sum over a window of channels: with W' the sum over the mirrored
// window, dx = dy s^-beta - 2 alpha beta/size x W'(dy x s^(-beta-1)).
func gradLRN(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, size := n.Input(0), onnx.AttrOr(n, "size", int64(0))
	if size < 1 {
		b.Fail("size = %d, wants 1 or more", size)
		return nil
	}
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	alpha, beta := attribute(n, "alpha", 1e-4), attribute(n, "beta", 0.75)
	before, after := (size-1)/2, size/2
	sum := b.windowSum(b.Mul(x, x), rank, before, after)
	s := b.Add(b.Mul(sum, b.Scalar(x, alpha/float64(size))), b.Scalar(x, attribute(n, "bias", 1)))
	part := b.Mul(dy, b.Pow(s, b.Scalar(x, -beta)))
	back := b.windowSum(b.Div(b.Mul(part, x), s), rank, after, before)
	return b.Sub(part, b.Mul(b.Mul(x, b.Scalar(x, 2*alpha*beta/float64(size))), back))
}

// windowSum adds to each channel of x [N,C,...] that many channels before and after it.
func (b *Builder) windowSum(x *onnx.Value, rank int, before, after int64) *onnx.Value {
	if before+after == 0 {
		return x
	}
	pads := make([]int64, 2*rank)
	pads[1], pads[rank+1] = before, after
	padded := b.Pad(x, "constant", pads...)
	parts := make([]*onnx.Value, before+after+1)
	for i := range parts {
		end := int64(i) - before - after
		if end == 0 {
			end = math.MaxInt64
		}
		parts[i] = b.Slice(padded, op.SliceSpec{Axis: 1, Start: int64(i), End: end})
	}
	return b.Sum(parts...)
}
