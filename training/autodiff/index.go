package autodiff

import "graft/onnx"

var index = []row{
	{op: "Gather", grad: of(gradGather)},
	{op: "Range", none: "not differentiable: its length depends on its inputs"},
	{op: "ConstantOfShape", zero: true},
	{op: "Constant", zero: true},
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
