package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

var reduce = []row{
	{op: "ReduceSum", grad: of(gradReduceSum)},
	{op: "ReduceMean", grad: of(gradReduceMean)},
	{op: "ReduceSumSquare", grad: of(gradReduceSumSquare)},
	{op: "ReduceMax", grad: of(gradReduceMax)},
	{op: "ReduceMin", grad: of(gradReduceMax)},
	{op: "ReduceL1", grad: of(gradReduceL1)},
	{op: "ReduceL2", grad: of(gradReduceL2)},
	{op: "ReduceLogSumExp", grad: of(gradReduceLogSumExp)},
	{op: "ArgMax", zero: true},
	{op: "ArgMin", zero: true},
	{op: "ReduceLogSum", none: later},
	{op: "ReduceProd", none: later},
	{op: "CumSum", none: later},
	{op: "TopK", none: later},
}

// reducedAxes lists the axes that a reduction removes, none for one that does nothing.
func (b *Builder) reducedAxes(n *onnx.Node) (axes []int64, ok bool) {
	rank, ok := b.rank(n.Input(0))
	if !ok {
		return nil, false
	}
	if v := n.Input(1); v != nil {
		if axes, ok = op.ConstantInts(v); !ok {
			b.Fail("the axes are not constant")
			return nil, false
		}
	} else {
		axes = onnx.AttrOr[[]int64](n, "axes", nil)
	}
	if len(axes) == 0 && onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) == 0 {
		for i := range rank {
			axes = append(axes, int64(i))
		}
		return axes, true
	}
	out := make([]int64, len(axes))
	for i, a := range axes {
		if out[i] = a; a < 0 {
			out[i] += int64(rank)
		}
		if out[i] < 0 || out[i] >= int64(rank) {
			b.Fail("axis %d is outside rank %d", a, rank)
			return nil, false
		}
	}
	return out, true
}

// kept gives v, a value of a reduction's output shape, the axes back that were reduced, with size 1.
func (b *Builder) kept(n *onnx.Node, v *onnx.Value, axes []int64) *onnx.Value {
	if onnx.AttrOr(n, "keepdims", int64(1)) != 0 || len(axes) == 0 {
		return v
	}
	return b.Unsqueeze(v, axes...)
}

// count is how many elements of x lie along axes, as a value of x's element type.
func (b *Builder) count(x *onnx.Value, axes []int64) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	n := int64(1)
	for _, a := range axes {
		d := x.Type.Shape[a]
		if !d.Known() {
			return b.ReduceSum(b.Expand(b.Scalar(x, 1), b.Shape(x)), true, axes...)
		}
		n *= d.Size
	}
	return b.Scalar(x, float64(n))
}

// y = sum x: dx = dy, everywhere.
func gradReduceSum(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	return b.expandLike(b.kept(n, dy, axes), n.Input(0))
}

// y = (sum x) / M: dx = dy / M, everywhere.
func gradReduceMean(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	x := n.Input(0)
	return b.expandLike(b.Div(b.kept(n, dy, axes), b.count(x, axes)), x)
}

// y = sum x^2: dx = 2 x dy.
func gradReduceSumSquare(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	return b.Mul(n.Input(0), b.Mul(b.kept(n, dy, axes), b.Scalar(dy, 2)))
}

// y = max x or min x: dy goes to the elements that equal y, in equal parts.
func gradReduceMax(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	if len(axes) == 0 {
		return dy
	}
	hits := b.castLike(b.Equal(n.Input(0), b.kept(n, n.Output(0), axes)), dy)
	return b.Mul(hits, b.Div(b.kept(n, dy, axes), b.ReduceSum(hits, true, axes...)))
}

// y = sum |x|: dx = dy sign x.
func gradReduceL1(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	return b.Mul(b.Sign(n.Input(0)), b.kept(n, dy, axes))
}

// y = sqrt(sum x^2): dx = dy x / y.
func gradReduceL2(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	return b.Mul(n.Input(0), b.kept(n, b.Div(dy, n.Output(0)), axes))
}

// y = log sum exp x: dx = dy exp(x - y).
func gradReduceLogSumExp(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	axes, ok := b.reducedAxes(n)
	if !ok {
		return nil
	}
	return b.Mul(b.Exp(b.Sub(n.Input(0), b.kept(n, n.Output(0), axes))), b.kept(n, dy, axes))
}
