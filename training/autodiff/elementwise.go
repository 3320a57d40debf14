package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

var elementwise = []row{
	{op: "Add", grad: gradAdd},
	{op: "Sub", grad: gradSub},
	{op: "Mul", grad: gradMul},
	{op: "Div", grad: gradDiv},
	{op: "Pow", grad: gradPow},
	{op: "Min", grad: gradExtreme},
	{op: "Max", grad: gradExtreme},
	{op: "Sum", grad: gradSum},
	{op: "Mean", grad: gradMean},
	{op: "Mod", grad: gradMod},
	{op: "Neg", grad: of(gradNeg)},
	{op: "Abs", grad: of(gradAbs)},
	{op: "Sqrt", grad: of(gradSqrt)},
	{op: "Exp", grad: of(gradExp)},
	{op: "Log", grad: of(gradLog)},
	{op: "Reciprocal", grad: of(gradReciprocal)},
	{op: "Erf", grad: of(gradErf)},
	{op: "Sin", grad: of(gradSin)},
	{op: "Cos", grad: of(gradCos)},
	{op: "Tan", grad: of(gradTan)},
	{op: "Asin", grad: of(gradAsin)},
	{op: "Acos", grad: of(gradAcos)},
	{op: "Atan", grad: of(gradAtan)},
	{op: "Sinh", grad: of(gradSinh)},
	{op: "Cosh", grad: of(gradCosh)},
	{op: "Asinh", grad: of(gradAsinh)},
	{op: "Acosh", grad: of(gradAcosh)},
	{op: "Atanh", grad: of(gradAtanh)},
	{op: "Identity", grad: of(gradIdentity)},
	{op: "Where", grad: gradWhere},
	{op: "Clip", grad: gradClip},
	{op: "Cast", grad: of(gradCast)},
	{op: "CastLike", grad: of(gradCast)},
	{op: "Sign", zero: true},
	{op: "Floor", zero: true},
	{op: "Ceil", zero: true},
	{op: "Round", zero: true},
	{op: "BitShift", zero: true},
	{op: "BitwiseAnd", zero: true},
	{op: "BitwiseNot", zero: true},
	{op: "BitwiseOr", zero: true},
	{op: "BitwiseXor", zero: true},
	{op: "BitCast", none: "reads bits as another type: not differentiable"},
}

// y = a + b: da = dy, db = dy.
func gradAdd(_ *Builder, _ *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	return []*onnx.Value{dy[0], dy[0]}
}

// y = a - b: da = dy, db = -dy.
func gradSub(b *Builder, _ *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	return []*onnx.Value{dy[0], b.Neg(dy[0])}
}

// y = a b: da = dy b, db = dy a.
func gradMul(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	if n.Input(0) == n.Input(1) { // a square, in one product
		return []*onnx.Value{b.Mul(dy[0], b.Mul(n.Input(0), b.Scalar(dy[0], 2))), nil}
	}
	return []*onnx.Value{b.Mul(dy[0], n.Input(1)), b.Mul(dy[0], n.Input(0))}
}

// y = a / b: da = dy/b, db = -(dy/b) y.
func gradDiv(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	q := b.Div(dy[0], n.Input(1))
	return []*onnx.Value{q, b.Neg(b.Mul(q, n.Output(0)))}
}

// y = x^p: dx = dy p x^(p-1), which is 0 for p = 0; dp = dy y log x, which is 0 for x <= 0.
func gradPow(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, p := n.Input(0), n.Input(1)
	out := make([]*onnx.Value, 2)
	if b.Wants(0) {
		out[0] = b.powBase(x, p, dy[0])
	}
	if b.Wants(1) {
		positive := b.Greater(x, b.Scalar(x, 0))
		logarithm := b.Log(b.Where(positive, x, b.Scalar(x, 1))) // finite everywhere, with its own gradient
		d := b.Where(positive, b.Mul(n.Output(0), logarithm), b.Scalar(x, 0))
		out[1] = b.castLike(b.Mul(dy[0], d), p)
	}
	return out
}

func (b *Builder) powBase(x, p, dy *onnx.Value) *onnx.Value {
	if e, ok := constantScalar(p); ok {
		switch e {
		case 0:
			return nil
		case 1:
			return dy
		case 2:
			return b.Mul(dy, b.Mul(x, b.Scalar(x, 2)))
		}
		return b.Mul(dy, b.Mul(b.Pow(x, b.Scalar(x, e-1)), b.Scalar(x, e)))
	}
	e, zero := b.castLike(p, x), b.Scalar(x, 0)
	less := b.Sub(e, b.Scalar(x, 1))
	less = b.Where(b.And(b.Equal(x, zero), b.Equal(e, zero)), zero, less) // 0 times 0^-1 would be no number
	return b.Mul(dy, b.Mul(e, b.Pow(x, less)))
}

// constantScalar reads a floating-point or integer constant of one element.
func constantScalar(v *onnx.Value) (float64, bool) {
	t := op.ConstantOf(v)
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	switch t.DType {
	case onnx.Float:
		return float64(onnx.View[float32](t)[0]), true
	case onnx.Double:
		return onnx.View[float64](t)[0], true
	case onnx.Int64:
		return float64(onnx.View[int64](t)[0]), true
	case onnx.Int32:
		return float64(onnx.View[int32](t)[0]), true
	}
	return 0, false
}

// castLike converts v to the element type of like.
func (b *Builder) castLike(v, like *onnx.Value) *onnx.Value {
	if b.Err() != nil || v.Type.DType == like.Type.DType {
		return v
	}
	return b.Cast(v, like.Type.DType)
}

// y = min(x...) or max(x...): dy goes to the inputs that equal y, in equal parts.
func gradExtreme(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	if n.NumInputs() == 1 {
		return []*onnx.Value{dy[0]}
	}
	return b.shares(dy[0], n.Output(0), n.Inputs()...)
}

// shares divides dy equally between those of xs that equal y.
func (b *Builder) shares(dy, y *onnx.Value, xs ...*onnx.Value) []*onnx.Value {
	hits := make([]*onnx.Value, len(xs))
	for i, x := range xs {
		hits[i] = b.castLike(b.Equal(x, y), dy)
	}
	part := b.Div(dy, b.Sum(hits...))
	for i, hit := range hits {
		hits[i] = b.Mul(part, hit)
	}
	return hits
}

// y = x1 + x2 + ...: dxi = dy.
func gradSum(_ *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	out := make([]*onnx.Value, n.NumInputs())
	for i := range out {
		out[i] = dy[0]
	}
	return out
}

// y = (x1 + x2 + ... + xk) / k: dxi = dy / k.
func gradMean(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	part := b.Mul(dy[0], b.Scalar(dy[0], 1/float64(n.NumInputs())))
	return gradSum(b, n, []*onnx.Value{part})
}

// y = a - b q with the whole quotient q = (a - y)/b: da = dy, db = -dy q.
func gradMod(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	out := []*onnx.Value{dy[0], nil}
	if b.Wants(1) {
		q := b.Round(b.Div(b.Sub(n.Input(0), n.Output(0)), n.Input(1)))
		out[1] = b.Neg(b.Mul(dy[0], q))
	}
	return out
}

// y = -x: dx = -dy.
func gradNeg(b *Builder, _ *onnx.Node, dy *onnx.Value) *onnx.Value { return b.Neg(dy) }

// y = |x|: dx = dy sign x.
func gradAbs(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.Sign(n.Input(0)))
}

// y = sqrt x: dx = dy / (2y).
func gradSqrt(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Div(b.Mul(dy, b.Scalar(dy, 0.5)), n.Output(0))
}

// y = exp x: dx = dy y.
func gradExp(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value { return b.Mul(dy, n.Output(0)) }

// y = log x: dx = dy / x.
func gradLog(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value { return b.Div(dy, n.Input(0)) }

// y = 1/x: dx = -dy y^2.
func gradReciprocal(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	return b.Neg(b.Mul(dy, b.Mul(y, y)))
}

// y = erf x: dx = dy 2/sqrt(pi) exp(-x^2).
func gradErf(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	return b.Mul(b.Mul(dy, b.Scalar(dy, 2/math.SqrtPi)), b.Exp(b.Neg(b.Mul(x, x))))
}

// y = x: dx = dy.
func gradIdentity(_ *Builder, _ *onnx.Node, dy *onnx.Value) *onnx.Value { return dy }

// y = c ? a : b: da = c ? dy : 0, db = c ? 0 : dy.
func gradWhere(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	zero := b.Scalar(dy[0], 0)
	return []*onnx.Value{nil, b.Where(n.Input(0), dy[0], zero), b.Where(n.Input(0), zero, dy[0])}
}

// y = min(max(x, lo), hi): dx = dy where lo < x < hi. With bounds that have gradients, the rules of max and min, one after
// the other: dlo = dy where x < lo < hi, dhi = dy where hi is less than both, and ties have equal parts.
func gradClip(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, lo, hi := n.Input(0), n.Input(1), n.Input(2)
	out := []*onnx.Value{dy[0], nil, nil}
	if b.Wants(1) || b.Wants(2) {
		above := x
		if lo != nil {
			above = b.Max(x, lo)
		}
		if hi != nil {
			parts := b.shares(dy[0], n.Output(0), above, hi)
			out[0], out[2] = parts[0], parts[1]
		}
		if lo != nil {
			parts := b.shares(out[0], above, x, lo)
			out[0], out[1] = parts[0], parts[1]
		}
		return out
	}
	var inside *onnx.Value
	switch {
	case lo != nil && hi != nil:
		inside = b.And(b.Greater(x, lo), b.Less(x, hi))
	case lo != nil:
		inside = b.Greater(x, lo)
	case hi != nil:
		inside = b.Less(x, hi)
	default:
		return out
	}
	out[0] = b.Where(inside, dy[0], b.Scalar(dy[0], 0))
	return out
}

// y = x in another type: dx = dy in x's type.
func gradCast(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.castLike(dy, n.Input(0))
}
