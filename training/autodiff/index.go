package autodiff

import "graft/onnx"

var index = []row{
	{op: "Gather", grad: of(gradGather)},
	{op: "GatherElements", grad: of(gradGatherElements)},
	{op: "ScatterElements", grad: gradScatterElements},
	{op: "Range", none: "not differentiable: its length depends on its inputs"},
	{op: "ConstantOfShape", zero: true},
	{op: "Constant", zero: true},
	{op: "NonZero", zero: true},
	{op: "EyeLike", zero: true},
	{op: "Unique", none: "which elements are equal jumps: gather them by its indices"},
	{op: "GatherND", none: later},
	{op: "Scatter", none: later},
	{op: "ScatterND", none: later},
	{op: "OneHot", none: later},
}

// y = entries of x along an axis: dx = each entry's sum of dy.
func gradGather(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, at := n.Input(0), n.Input(1)
	sizes, ok := b.sizes(x)
	picked, ok2 := b.sizes(at)
	if !ok || !ok2 {
		return nil
	}
	axis := onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(sizes))
	}
	count, err := onnx.ElementCount(picked)
	if err != nil {
		b.Fail("%w", err)
		return nil
	}
	dims := append([]int64(nil), sizes...)
	dims[axis] = count
	column := make([]int64, len(sizes))
	for i := range column {
		column[i] = 1
	}
	column[axis] = count
	indices := b.Expand(b.Reshape(at, column...), b.Ints(dims...))
	return b.ScatterElements(b.zerosLike(x), indices, b.Reshape(dy, dims...), axis, "add")
}

// y = the entries of x that the indices name: dx = each entry's sum of dy.
func gradGatherElements(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.ScatterElements(b.zerosLike(n.Input(0)), n.Input(1), dy, onnx.AttrOr(n, "axis", int64(0)), "add")
}

// y = x with updates added, or put in place, where the indices say: dupdates = dy there; dx = dy, but zeros there when the
// updates are put in place.
func gradScatterElements(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	at, updates := n.Input(1), n.Input(2)
	axis := onnx.AttrOr(n, "axis", int64(0))
	out := []*onnx.Value{dy[0], nil, b.GatherElements(dy[0], at, axis)}
	switch reduction := onnx.AttrOr(n, "reduction", "none"); reduction {
	case "add":
	case "none": // indices do not repeat, as the standard asks
		out[0] = b.ScatterElements(dy[0], at, b.zerosLike(updates), axis, "none")
	default:
		b.Fail("no rule for reduction %q", reduction)
		return nil
	}
	return out
}
