package rewrite

import (
	"slices"

	"graft/onnx"
)

var chainPatterns = []pattern{
	{"transposes", []string{"Transpose"}, 0, transposeTwice},
	{"reshapes", reshaping, 0, reshapeThereAndBack},
	{"reshapes", []string{"Reshape"}, 0, reshapeByConstant},
	{"reshapes", reshaping, 0, reshapeTwice},
	{"reshapes", []string{"Squeeze", "Unsqueeze"}, 0, axesTwice},
	{"casts", []string{"Cast"}, 0, castTwice},
	{"concatenations", []string{"Concat"}, 0, concatTwice},
	{"slices", []string{"Slice"}, 10, sliceTwice},
	{"reductions", []string{"Squeeze", "Unsqueeze"}, 0, reduceKeepingDims},
	{"repeated pairs", []string{"Neg", "Not"}, 0, inverseTwice},
}

// reshaping are the operators that keep the elements in their order.
var reshaping = []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"}

// transposeTwice: Transpose(Transpose(x, p), q) = Transpose(x, r), r[i] = p[q[i]].
func transposeTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.source(n.Input(0), "Transpose")
	if first == nil {
		return nil
	}
	p, ok := permOf(first)
	q, ok2 := permOf(n)
	if !ok || !ok2 || len(p) != len(q) {
		return nil
	}
	r := make([]int64, len(q))
	for i, k := range q {
		if k < 0 || k >= int64(len(p)) {
			return nil
		}
		r[i] = p[k]
	}
	if inOrder(r) && s.mayAlias(n.Output(0), first.Input(0)) {
		return []*onnx.Value{first.Input(0)}
	}
	if !s.sole(n.Input(0)) {
		return nil
	}
	return s.one("Transpose", first.Inputs(), onnx.Ints("perm", r...))
}

// reshapeThereAndBack: a chain of reshapes whose result has the shape that it begins with is what it begins with.
func reshapeThereAndBack(s *site, n *onnx.Node) []*onnx.Value {
	const longest = 8
	x := n.Input(0)
	for range longest {
		before := s.source(x, reshaping...)
		if before == nil {
			return nil
		}
		if x = before.Input(0); alike(x.Type.Shape, n.Output(0).Type.Shape) && s.mayAlias(n.Output(0), x) {
			return []*onnx.Value{x}
		}
	}
	return nil
}

// reshapeByConstant: the target of a Reshape whose sizes are known, are those of the input in the same place, or follow from
// the others, is a constant. A size that allowzero may make 0 is copied: the target that is made has no other 0.
func reshapeByConstant(s *site, n *onnx.Node) []*onnx.Value {
	if n.Input(1) == nil || s.constant(n.Input(1)) != nil {
		return nil
	}
	target, ok := targetOf(n.Input(0).Type.Shape, n.Output(0).Type.Shape, nil)
	if !ok {
		return nil
	}
	return s.one("Reshape", []*onnx.Value{n.Input(0), s.ints(target...)})
}

// targetOf is an operand for Reshape that makes out of x: sizes, 0 for that of x in the same place, one -1. given are the
// sizes that the file says.
func targetOf(x, out onnx.Shape, given []int64) ([]int64, bool) {
	if !out.Ranked() || given != nil && len(given) != len(out) {
		return nil, false
	}
	target, open := make([]int64, len(out)), -1
	for i, d := range out {
		switch {
		case d.Known() && d.Size > 0:
			target[i] = d.Size
		case given != nil && given[i] > 0:
			target[i] = given[i]
		case d.Known():
			return nil, false
		case i < len(x) && d.Symbol != "" && x[i] == d:
			target[i] = 0
		case open < 0:
			open = i
			target[i] = -1
		default:
			return nil, false
		}
	}
	return target, true
}

// reshapeTwice: of two reshapes in a row the second is enough.
func reshapeTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.maker(n.Input(0), reshaping...)
	if first == nil || !n.Is("Reshape") && !first.Is("Reshape") && first.Op == n.Op {
		return nil
	}
	x := first.Input(0)
	var given []int64
	if n.Is("Reshape") {
		var ok bool
		if given, ok = s.integers(n.Input(1)); ok && !slices.Contains(given, 0) {
			return s.one("Reshape", []*onnx.Value{x, n.Input(1)})
		}
		if !ok || onnx.AttrOr(n, "allowzero", int64(0)) != 0 {
			return nil
		}
	}
	target, ok := targetOf(x.Type.Shape, n.Output(0).Type.Shape, given)
	if !ok {
		return nil
	}
	return s.one("Reshape", []*onnx.Value{x, s.ints(target...)})
}

// axesTwice: two nodes in a row that take axes out, or put them in, are one.
func axesTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.maker(n.Input(0), n.Op)
	if first == nil {
		return nil
	}
	a, given, ok := s.listed(first, 1, "axes")
	b, given2, ok2 := s.listed(n, 1, "axes")
	inner, outer := rank(first.Input(0)), rank(n.Output(0))
	if !given || !given2 || !ok || !ok2 || inner < 0 || outer < 0 || rank(n.Input(0)) < 0 {
		return nil
	}
	all, axes := inner, []int64(nil)
	if n.Is("Unsqueeze") {
		a, b, all = b, a, outer
	}
	gone := make([]bool, all)
	for _, k := range a {
		if k = fromEnd(k, all); k < 0 || k >= int64(all) {
			return nil
		}
		gone[k] = true
	}
	var left []int64 // the places of the axes between
	for i, g := range gone {
		if !g {
			left = append(left, int64(i))
		}
	}
	for _, k := range b {
		if k = fromEnd(k, len(left)); k < 0 || k >= int64(len(left)) {
			return nil
		}
		gone[left[k]] = true
	}
	for i, g := range gone {
		if g {
			axes = append(axes, int64(i))
		}
	}
	return s.axes(n.Op, first.Input(0), axes)
}

// axes is a node whose axes are an input from opset 13 on, and an attribute before.
func (s *site) axes(name string, x *onnx.Value, axes []int64) []*onnx.Value {
	if s.opset >= 13 {
		return s.one(name, []*onnx.Value{x, s.ints(axes...)})
	}
	return s.one(name, []*onnx.Value{x}, onnx.Ints("axes", axes...))
}

// exactCasts lists what each element type can be cast to without a loss.
var exactCasts = map[onnx.DataType][]onnx.DataType{
	onnx.Bool:    {onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Float, onnx.Double, onnx.Float16},
	onnx.Uint8:   {onnx.Int32, onnx.Int64, onnx.Float, onnx.Double, onnx.Int16, onnx.Float16},
	onnx.Int8:    {onnx.Int32, onnx.Int64, onnx.Float, onnx.Double, onnx.Int16, onnx.Float16},
	onnx.Int32:   {onnx.Int64, onnx.Double},
	onnx.Float16: {onnx.Float, onnx.Double},
	onnx.Float:   {onnx.Double},
}

// castTwice: Cast(Cast(x)) = Cast(x) where the first keeps every value.
func castTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.source(n.Input(0), "Cast")
	if first == nil || len(first.Attrs) != 1 || len(n.Attrs) != 1 {
		return nil
	}
	x := first.Input(0)
	if !slices.Contains(exactCasts[x.Type.DType], n.Input(0).Type.DType) {
		return nil
	}
	if n.Output(0).Type.DType == x.Type.DType {
		if s.mayAlias(n.Output(0), x) {
			return []*onnx.Value{x}
		}
		return nil
	}
	return s.one("Cast", []*onnx.Value{x}, n.Attrs...)
}

// concatTwice: what a Concat makes for another along the same axis goes into that one.
func concatTwice(s *site, n *onnx.Node) []*onnx.Value {
	const widest = 1 << 10 // of what is made; chains would take the square of their length
	r := rank(n.Output(0))
	if r < 0 || n.NumInputs() > widest {
		return nil
	}
	axis, found := fromEnd(onnx.AttrOr(n, "axis", int64(1)), r), false
	var in []*onnx.Value
	for _, v := range n.Inputs() {
		if inner := s.maker(v, "Concat"); inner != nil && inner.NumInputs() < widest && fromEnd(onnx.AttrOr(inner, "axis", int64(1)), r) == axis {
			in = append(in, inner.Inputs()...)
			found = true
			continue
		}
		in = append(in, v)
	}
	if !found {
		return nil
	}
	return s.one("Concat", in, onnx.Int("axis", axis))
}

// sliceTwice: two slices in a row along different axes are one.
func sliceTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.maker(n.Input(0), "Slice")
	r := rank(n.Input(0))
	if first == nil || r < 0 {
		return nil
	}
	var lists [4][]int64
	for _, m := range []*onnx.Node{first, n} {
		starts, _, ok := s.listed(m, 1, "starts")
		ends, _, ok2 := s.listed(m, 2, "ends")
		axes, axesGiven, ok3 := s.listed(m, 3, "axes")
		steps, stepsGiven, ok4 := s.listed(m, 4, "")
		if !ok || !ok2 || !ok3 || !ok4 || len(starts) != len(ends) {
			return nil
		}
		for i := range starts {
			axis, step := int64(i), int64(1)
			if axesGiven {
				if len(axes) != len(starts) {
					return nil
				}
				axis = fromEnd(axes[i], r)
			}
			if stepsGiven {
				if len(steps) != len(starts) {
					return nil
				}
				step = steps[i]
			}
			if slices.Contains(lists[2], axis) {
				return nil
			}
			for k, v := range []int64{starts[i], ends[i], axis, step} {
				lists[k] = append(lists[k], v)
			}
		}
	}
	return s.one("Slice", []*onnx.Value{first.Input(0), s.ints(lists[0]...), s.ints(lists[1]...), s.ints(lists[2]...), s.ints(lists[3]...)})
}

var reductions = []string{"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
	"ReduceLogSum", "ReduceLogSumExp"}

// reduceKeepingDims: axes that a reduction drops and an Unsqueeze puts back are kept; those that it keeps and a Squeeze takes
// out are dropped.
func reduceKeepingDims(s *site, n *onnx.Node) []*onnx.Value {
	first := s.maker(n.Input(0), reductions...)
	if first == nil || rank(first.Input(0)) < 0 {
		return nil
	}
	r := rank(first.Input(0))
	a, given, ok := s.listed(first, 1, "axes")
	b, given2, ok2 := s.listed(n, 1, "axes")
	kept := onnx.AttrOr(first, "keepdims", int64(1))
	if !given || !given2 || !ok || !ok2 || len(a) == 0 || len(a) != len(b) || (kept != 0) == n.Is("Unsqueeze") {
		return nil
	}
	in := map[int64]bool{}
	for _, k := range a {
		in[fromEnd(k, r)] = true
	}
	for _, k := range b {
		if !in[fromEnd(k, r)] {
			return nil
		}
	}
	return s.one(first.Op, first.Inputs(), append(attrsBut(first, "keepdims"), onnx.Int("keepdims", 1-kept))...)
}

// inverseTwice: an operator that takes itself back.
func inverseTwice(s *site, n *onnx.Node) []*onnx.Value {
	first := s.source(n.Input(0), n.Op)
	if first == nil || !s.mayAlias(n.Output(0), first.Input(0)) {
		return nil
	}
	return []*onnx.Value{first.Input(0)}
}
