package op

import (
	"math"

	"graft/onnx"
)

// evaluators compute small constants: from the node and its inputs, none of them nil but absent optional ones, the
// output of that index; nil when it is not known.
var evaluators = map[string]func(n *onnx.Node, in []*array, out int) *array{
	"Identity": func(_ *onnx.Node, in []*array, _ int) *array { return in[0] },
	"Cast":     evalCast, "CastLike": evalCast,

	"Neg":   mapped(func(i int64) int64 { return -i }, func(f float64) float64 { return -f }),
	"Abs":   mapped(func(i int64) int64 { return max(i, -i) }, math.Abs),
	"Floor": mapped(nil, math.Floor),
	"Ceil":  mapped(nil, math.Ceil),
	"Relu":  mapped(nil, func(f float64) float64 { return max(f, 0) }),
	"Not":   mapped(func(i int64) int64 { return 1 - i }, nil),

	"Add": combined(evalAdd), "Sub": combined(evalSub), "Mul": combined(evalMul), "Div": combined(evalDiv), "Mod": combined(evalMod),
	"Min": combined(evalMin), "Max": combined(evalMax),
	"Equal":          compared(func(x, y float64, i, j int64) bool { return x == y && i == j }),
	"Greater":        compared(func(x, y float64, i, j int64) bool { return x > y || i > j }),
	"GreaterOrEqual": compared(func(x, y float64, i, j int64) bool { return x >= y && i >= j }),
	"Less":           compared(func(x, y float64, i, j int64) bool { return x < y || i < j }),
	"LessOrEqual":    compared(func(x, y float64, i, j int64) bool { return x <= y && i <= j }),
	"And":            combined(func(_ bool, x, y element) element { return both(x, y, x.i&y.i) }),
	"Or":             combined(func(_ bool, x, y element) element { return both(x, y, x.i|y.i) }),
	"Where":          evalWhere,

	"ReduceProd": reduced(evalMul, 1), "ReduceSum": reduced(evalAdd, 0),

	"Gather": evalGather, "Slice": evalSlice, "Concat": evalConcat, "Split": evalSplit, "Transpose": evalTranspose,
	"Squeeze": evalReshaped, "Unsqueeze": evalReshaped, "Reshape": evalReshaped, "Flatten": evalReshaped,
	"Expand": evalExpand, "ConstantOfShape": evalConstantOfShape, "Range": evalRange,
}

// mapped is an operator of one input; a symbol stays where the operator changes no natural number.
func mapped(i func(int64) int64, f func(float64) float64) func(*onnx.Node, []*array, int) *array {
	return func(n *onnx.Node, in []*array, _ int) *array {
		x := in[0]
		out := newArray(x.dtype, x.dims)
		if (x.dtype.IsFloat() && f == nil) || (!x.dtype.IsFloat() && i == nil) {
			return nil
		}
		for k, e := range x.elems {
			switch {
			case e.known && x.dtype.IsFloat():
				out.elems[k] = wrapped(x.dtype, element{known: true, f: f(e.f)})
			case e.known:
				out.elems[k] = wrapped(x.dtype, number(i(e.i)))
			case e.natural() && n.Op != "Neg" && n.Op != "Not":
				out.elems[k] = e
			}
		}
		return out
	}
}

// combined is an operator that broadcasts and folds its inputs from the left.
func combined(f func(float bool, x, y element) element) func(*onnx.Node, []*array, int) *array {
	return func(n *onnx.Node, in []*array, _ int) *array {
		acc := in[0]
		for _, y := range in[1:] {
			if y == nil || y.dtype != acc.dtype {
				return nil
			}
			float := acc.dtype.IsFloat()
			if n.Op == "Mod" && (float || onnx.AttrOr(n, "fmod", int64(0)) != 0) {
				return nil
			}
			d := acc.dtype
			acc = zipped(d, acc, y, func(p, q element) element { return wrapped(d, f(float, p, q)) })
			if acc == nil {
				return nil
			}
		}
		return acc
	}
}

// zipped applies f to the elements of x and y, broadcast against each other.
func zipped(d onnx.DataType, x, y *array, f func(p, q element) element) *array {
	s, err := broadcastShapes(onnx.NewShape(x.dims...), onnx.NewShape(y.dims...))
	if err != nil {
		return nil
	}
	dims, ok := s.Sizes()
	if !ok {
		return nil
	}
	out := newArray(d, dims)
	if out == nil {
		return nil
	}
	switch {
	case len(x.elems) == len(out.elems) && len(y.elems) == len(out.elems):
		for k := range out.elems {
			out.elems[k] = f(x.elems[k], y.elems[k])
		}
	case len(x.elems) == len(out.elems) && len(y.elems) == 1:
		for k := range out.elems {
			out.elems[k] = f(x.elems[k], y.elems[0])
		}
	default:
		out.each(func(k int, at []int64) { out.elems[k] = f(x.at(at), y.at(at)) })
	}
	return out
}

// each visits all places in row-major order; at is reused.
func (a *array) each(visit func(k int, at []int64)) {
	at := make([]int64, len(a.dims))
	for k := range a.elems {
		visit(k, at)
		for j := len(at) - 1; j >= 0; j-- {
			if at[j]++; at[j] < a.dims[j] {
				break
			}
			at[j] = 0
		}
	}
}

// at is the element at a place of a shape that a broadcasts to.
func (a *array) at(place []int64) element {
	k := int64(0)
	place = place[len(place)-len(a.dims):]
	for j, n := range a.dims {
		i := place[j]
		if n == 1 {
			i = 0
		}
		k = k*n + i
	}
	return a.elems[k]
}

// compared is a comparison. The half of an element that its type does not use is zero, so that f sees both halves.
func compared(f func(x, y float64, i, j int64) bool) func(*onnx.Node, []*array, int) *array {
	return func(n *onnx.Node, in []*array, _ int) *array {
		if len(in) != 2 || in[1] == nil || in[0].dtype != in[1].dtype {
			return nil
		}
		return zipped(onnx.Bool, in[0], in[1], func(p, q element) element {
			truth := int64(0)
			switch {
			case p.known && q.known:
				if f(p.f, q.f, p.i, q.i) {
					truth = 1
				}
				return number(truth)
			case n.Op == "Equal" && p.symbol != "" && p.symbol == q.symbol:
				return number(1)
			case n.Op == "Equal" && ((p.natural() && q.known && q.i < 0) || (q.natural() && p.known && p.i < 0)):
				return number(0)
			}
			return element{}
		})
	}
}

func evalWhere(_ *onnx.Node, in []*array, _ int) *array {
	if len(in) != 3 || in[1] == nil || in[2] == nil || in[0].dtype != onnx.Bool || in[1].dtype != in[2].dtype {
		return nil
	}
	d := in[1].dtype
	chosen := zipped(d, in[0], in[1], func(c, x element) element { return x })
	if chosen == nil {
		return nil
	}
	chosen = zipped(d, chosen, in[2], func(x, _ element) element { return x })
	if chosen == nil {
		return nil
	}
	chosen.each(func(k int, at []int64) {
		c, y := in[0].at(at), in[2].at(at)
		switch {
		case c.known && c.i == 0:
			chosen.elems[k] = y
		case !c.known && chosen.elems[k] != y:
			chosen.elems[k] = element{}
		}
	})
	return chosen
}

func evalCast(n *onnx.Node, in []*array, _ int) *array {
	to := onnx.DataType(onnx.AttrOr(n, "to", int64(0)))
	if n.Op == "CastLike" {
		to = dtypeOf(n, 1)
	}
	from := in[0].dtype
	switch to {
	case onnx.Int64, onnx.Int32, onnx.Bool, onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
	default:
		return nil
	}
	out := newArray(to, in[0].dims)
	if out == nil {
		return nil
	}
	for k, e := range in[0].elems {
		switch {
		case !e.known:
			if to != onnx.Bool {
				out.elems[k] = e
			}
		case from.IsFloat() && to.IsFloat():
			out.elems[k] = wrapped(to, e)
		case to.IsFloat():
			out.elems[k] = wrapped(to, element{known: true, f: float64(e.i)})
		case to == onnx.Bool:
			truth := int64(0)
			if e.i != 0 || e.f != 0 {
				truth = 1
			}
			out.elems[k] = number(truth)
		case from.IsFloat():
			if math.Abs(e.f) < 1<<62 {
				out.elems[k] = wrapped(to, number(int64(e.f)))
			}
		default:
			out.elems[k] = wrapped(to, e)
		}
	}
	return out
}

// reduced folds all elements into one.
func reduced(f func(float bool, x, y element) element, start int64) func(*onnx.Node, []*array, int) *array {
	return func(n *onnx.Node, in []*array, _ int) *array {
		x := in[0]
		if len(x.dims) > 1 {
			return nil
		}
		if axes, ok := n.Attr("axes"); ok {
			if l, _ := axes.Value.([]int64); len(l) > 1 {
				return nil
			}
		}
		if onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) != 0 {
			return nil
		}
		acc := element{known: true, i: start, f: float64(start)}
		if !x.dtype.IsFloat() {
			acc.f = 0
		} else {
			acc.i = 0
		}
		for _, e := range x.elems {
			acc = wrapped(x.dtype, f(x.dtype.IsFloat(), acc, e))
		}
		out := &array{x.dtype, nil, []element{acc}}
		if onnx.AttrOr(n, "keepdims", int64(1)) != 0 && len(x.dims) == 1 {
			out.dims = []int64{1}
		}
		return out
	}
}
