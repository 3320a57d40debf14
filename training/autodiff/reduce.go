package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var reduce = []row{
	{op: "ReduceSum", grad: ofReduction(gradReduceSum)},
	{op: "ReduceMean", grad: ofReduction(gradReduceMean)},
	{op: "ReduceProd", grad: ofReduction(gradReduceProd)},
	{op: "ReduceSumSquare", grad: ofReduction(gradReduceSumSquare)},
	{op: "ReduceMax", grad: ofReduction(gradReduceMax)},
	{op: "ReduceMin", grad: ofReduction(gradReduceMax)},
	{op: "ReduceL1", grad: ofReduction(gradReduceL1)},
	{op: "ReduceL2", grad: ofReduction(gradReduceL2)},
	{op: "ReduceLogSum", grad: ofReduction(gradReduceLogSum)},
	{op: "ReduceLogSumExp", grad: ofReduction(gradReduceLogSumExp)},
	{op: "ArgMax", zero: true},
	{op: "ArgMin", zero: true},
	{op: "CumSum", grad: of(gradCumSum)},
	{op: "CumProd", expand: rewrite.CumProd},
	{op: "TopK", grad: of(gradTopK)},
}

// reduction is a node that reduces x to y: over the axes if they are known, else over those that a vector holds when the
// graph runs.
type reduction struct {
	*Builder
	node *onnx.Node
	x, y *onnx.Value
	axes []int64
	over *onnx.Value // nil: the axes are known
}

// ofReduction wraps the rule of a reduction. dy comes with the reduced axes, of size 1.
func ofReduction(f func(r reduction, dy *onnx.Value) *onnx.Value) Grad {
	return of(func(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
		r, ok := b.reductionOf(n)
		if !ok {
			return nil
		}
		dy = r.kept(dy)
		r.y = r.kept(r.y)
		return f(r, dy)
	})
}

func (b *Builder) reductionOf(n *onnx.Node) (reduction, bool) {
	r := reduction{Builder: b, node: n, x: n.Input(0), y: n.Output(0)}
	rank, ok := b.rank(r.x)
	if !ok {
		return r, false
	}
	list := onnx.AttrOr[[]int64](n, "axes", nil)
	if v := n.Input(1); v != nil {
		if list, ok = op.ConstantInts(v); !ok {
			r.over = v
			return r, true
		}
	}
	if len(list) == 0 && onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) == 0 {
		for i := range rank {
			r.axes = append(r.axes, int64(i))
		}
		return r, true
	}
	for _, a := range list {
		axis, ok := b.axis(r.x, a)
		if !ok {
			return r, false
		}
		r.axes = append(r.axes, int64(axis))
	}
	return r, true
}

// kept gives v, a value of the output's shape, the axes back that were reduced, with size 1.
func (r reduction) kept(v *onnx.Value) *onnx.Value {
	noop := onnx.AttrOr(r.node, "noop_with_empty_axes", int64(0)) != 0
	switch {
	case r.Err() != nil:
		return nil
	case onnx.AttrOr(r.node, "keepdims", int64(1)) != 0:
		return v
	case r.over == nil && len(r.axes) == 0:
		return v
	case r.over == nil:
		return r.Unsqueeze(v, r.axes...)
	}
	if s := r.over.Type.Shape; noop || len(s) == 1 && s[0].Known() && s[0].Size > 0 {
		v = r.Node("Unsqueeze", []*onnx.Value{v, r.over}, 1)[0]
	} else { // the vector may be empty, which means all axes
		like := r.Node(r.node.Op, []*onnx.Value{r.x, r.over}, 1)[0]
		v = r.reshapeTo(v, r.Shape(like))
	}
	if v != nil {
		rank := make(onnx.Shape, len(r.x.Type.Shape))
		for i := range rank {
			rank[i] = onnx.UnknownDim
		}
		r.refine(v, rank)
	}
	return v
}

// sum adds v up as the node reduces x; the axes stay.
func (r reduction) sum(v *onnx.Value) *onnx.Value { return r.again("ReduceSum", v) }

// again reduces v by another operator as the node reduces x; the axes stay.
func (r reduction) again(name string, v *onnx.Value) *onnx.Value {
	over := r.over
	switch {
	case over == nil && len(r.axes) == 0:
		return v
	case over == nil:
		over = r.Ints(r.axes...)
	}
	var attrs []onnx.Attr
	if onnx.AttrOr(r.node, "noop_with_empty_axes", int64(0)) != 0 {
		attrs = append(attrs, onnx.Int("noop_with_empty_axes", 1))
	}
	return r.Node(name, []*onnx.Value{v, over}, 1, attrs...)[0]
}

// count is how many elements of x make one of y, as a value of x's element type.
func (r reduction) count() *onnx.Value {
	if r.over == nil {
		return r.Builder.count(r.x, r.axes)
	}
	size := func(v *onnx.Value) *onnx.Value { return r.castLike(r.Node("Size", []*onnx.Value{v}, 1)[0], r.x) }
	return r.Div(size(r.x), size(r.y))
}

// count is how many elements of x lie along axes, as a value of x's element type.
func (b *Builder) count(x *onnx.Value, axes []int64) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	known := int64(1)
	var open []*onnx.Value
	for _, a := range axes {
		if d := x.Type.Shape[a]; d.Known() {
			known *= d.Size
		} else {
			open = append(open, b.size(x, int(a)))
		}
	}
	if len(open) == 0 {
		return b.Scalar(x, float64(known))
	}
	count := b.join(append(open, b.Ints(known))...)
	return b.castLike(b.Node("ReduceProd", []*onnx.Value{count}, 1, onnx.Int("keepdims", 0))[0], x)
}

// y = sum x: dx = dy, everywhere.
func gradReduceSum(r reduction, dy *onnx.Value) *onnx.Value { return r.expandLike(dy, r.x) }

// y = (sum x) / M: dx = dy / M, everywhere.
func gradReduceMean(r reduction, dy *onnx.Value) *onnx.Value {
	return r.expandLike(r.Div(dy, r.count()), r.x)
}

// y = prod x: dx_i = dy prod_{j != i} x_j. See others for zeros.
func gradReduceProd(r reduction, dy *onnx.Value) *onnx.Value {
	return r.Mul(dy, r.others(r.x, r.again, func(v *onnx.Value) *onnx.Value { return v }))
}

// others is, for each factor x_i of a product, the product of the others. It is the product of the factors that are not
// zero, over x_i if that is one of them, times the product of the other zeros, written so that its derivative is right too:
// 1 without any; with a single one, that zero; 0 with more. reduce makes products ("ReduceProd") and sums ("ReduceSum")
// over the factors, spread gives each factor the result that it is part of.
func (b *Builder) others(x *onnx.Value, reduce func(name string, v *onnx.Value) *onnx.Value, spread func(v *onnx.Value) *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	zero, one := b.Scalar(x, 0), b.Scalar(x, 1)
	isZero := b.Equal(x, zero)
	factors := b.Where(isZero, one, x)
	zeros := b.Where(isZero, x, zero) // the zeros themselves: a sum of them is 0, its derivative is not
	hits := b.castLike(isZero, x)
	rest := b.Div(spread(reduce("ReduceProd", factors)), factors)
	count := b.Sub(spread(reduce("ReduceSum", hits)), hits)
	single := b.Sub(spread(reduce("ReduceSum", zeros)), zeros)
	return b.Mul(rest, b.Where(b.Equal(count, zero), one, b.Where(b.Equal(count, one), single, zero)))
}

// y = sum x^2: dx = 2 x dy.
func gradReduceSumSquare(r reduction, dy *onnx.Value) *onnx.Value {
	return r.Mul(r.x, r.Mul(dy, r.Scalar(dy, 2)))
}

// y = max x or min x: dy goes to the elements that equal y, in equal parts.
func gradReduceMax(r reduction, dy *onnx.Value) *onnx.Value {
	if r.over == nil && len(r.axes) == 0 {
		return dy
	}
	hits := r.castLike(r.Equal(r.x, r.y), dy)
	return r.Mul(hits, r.Div(dy, r.sum(hits)))
}

// y = sum |x|: dx = dy sign x.
func gradReduceL1(r reduction, dy *onnx.Value) *onnx.Value { return r.Mul(r.Sign(r.x), dy) }

// y = sqrt(sum x^2): dx = dy x / y, and 0 where y is.
func gradReduceL2(r reduction, dy *onnx.Value) *onnx.Value {
	length := r.Where(r.Equal(r.y, r.Scalar(r.y, 0)), r.Scalar(r.y, 1), r.y)
	return r.Mul(r.x, r.Div(dy, length))
}

// y = log sum x: dx = dy / sum x = dy exp -y.
func gradReduceLogSum(r reduction, dy *onnx.Value) *onnx.Value {
	return r.expandLike(r.Mul(dy, r.Exp(r.Neg(r.y))), r.x)
}

// y = log sum exp x: dx = dy exp(x - y), and 0 where all of x is minus infinity.
func gradReduceLogSumExp(r reduction, dy *onnx.Value) *onnx.Value {
	y := r.Where(r.Equal(r.y, r.Scalar(r.y, math.Inf(-1))), r.Scalar(r.y, 0), r.y)
	return r.Mul(r.Exp(r.Sub(r.x, y)), dy)
}

// y = running sums of x: dx = running sums of dy from the other end.
func gradCumSum(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Node("CumSum", []*onnx.Value{dy, n.Input(1)}, 1, onnx.Int("exclusive", onnx.AttrOr(n, "exclusive", int64(0))),
		onnx.Int("reverse", 1-onnx.AttrOr(n, "reverse", int64(0))))[0]
}

// y = the k largest or smallest elements of x along an axis: dx = dy where they stood, zeros elsewhere.
func gradTopK(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	at := n.Output(1)
	if at == nil {
		at = b.Node("TopK", n.Inputs(), 2, n.Attrs...)[1]
	}
	return b.ScatterElements(b.zerosLike(n.Input(0)), at, dy, onnx.AttrOr(n, "axis", int64(-1)), "none")
}
