package autodiff

import (
	"graft/onnx"
	"graft/onnx/rewrite"
)

var index = []row{
	{op: "Gather", grad: of(gradGather)},
	{op: "GatherElements", grad: of(gradGatherElements)},
	{op: "GatherND", grad: of(gradGatherND)},
	{op: "ScatterElements", grad: gradScatter},
	{op: "ScatterND", grad: gradScatter},
	{op: "Scatter", expand: rewrite.Scatter},
	{op: "TensorScatter", expand: rewrite.TensorScatter},
	{op: "Compress", expand: rewrite.Compress},
	{op: "ReverseSequence", grad: of(gradReverseSequence)},
	{op: "OneHot", grad: gradOneHot},
	{op: "Range", grad: gradRange},
	{op: "ConstantOfShape", zero: true},
	{op: "Constant", zero: true},
	{op: "NonZero", zero: true},
	{op: "EyeLike", zero: true},
	{op: "Unique", grad: gradUnique},
}

// y = entries of x along an axis: dx = each entry's sum of dy.
func gradGather(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, at := n.Input(0), n.Input(1)
	axis, ok := b.axis(x, onnx.AttrOr(n, "axis", int64(0)))
	if _, ranked := b.rank(at); !ok || !ranked {
		return nil
	}
	if len(at.Type.Shape) != 1 { // the axes of at become one
		count := b.folded(b.Reshape(b.Node("Size", []*onnx.Value{at}, 1)[0], 1))
		dy = b.reshapeTo(dy, b.shapeWith(x, axis, count))
		at = b.Reshape(at, -1)
	}
	if b.Err() == nil && at.Type.DType != onnx.Int64 {
		at = b.Cast(at, onnx.Int64)
	}
	return b.typed(b.scatterAlong(at, dy, b.size(x, axis), axis), x)
}

// y = the entries of x that the indices name: dx = each entry's sum of dy.
func gradGatherElements(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.ScatterElements(b.zerosLike(n.Input(0)), n.Input(1), dy, onnx.AttrOr(n, "axis", int64(0)), "add")
}

// y = the slices of x that the indices name, sample by sample over the first batch_dims axes: dx = each slice's sum of dy.
func gradGatherND(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, at := n.Input(0), n.Input(1)
	_, ok := b.rank(x)
	rank, ok2 := b.rank(at)
	if !ok || !ok2 {
		return nil
	}
	if batch := int(onnx.AttrOr(n, "batch_dims", int64(0))); batch > 0 {
		places := b.join(b.extent(at, 0, rank-1), b.Ints(1))
		full := make([]*onnx.Value, 0, batch+1)
		for i := range batch { // the sample's own number
			dims := make([]int64, rank)
			for j := range dims {
				dims[j] = 1
			}
			dims[i] = -1
			full = append(full, b.Expand(b.Reshape(b.iota(b.size(at, i)), dims...), places))
		}
		if b.Err() == nil && at.Type.DType != onnx.Int64 {
			at = b.Cast(at, onnx.Int64)
		}
		at = b.Concat(-1, append(full, at)...)
	}
	return b.ScatterND(b.zerosLike(x), at, dy, "add")
}

// y = x with the first elements of each sample, up to its length, turned round: dx = dy turned back the same way.
func gradReverseSequence(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Node("ReverseSequence", []*onnx.Value{dy, n.Input(1)}, 1, n.Attrs...)[0]
}

// y = on where the indices say and off elsewhere, values = (off, on): don = sum of dy there, doff = sum of the rest.
func gradOneHot(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	values := n.Input(2)
	one, zero := b.Reshape(b.Scalar(values, 1), 1), b.Reshape(b.Scalar(values, 0), 1)
	hits := b.Node("OneHot", []*onnx.Value{n.Input(0), n.Input(1), b.Concat(0, zero, one)}, 1, n.Attrs...)[0]
	on := b.ReduceSum(b.Mul(dy[0], hits), false)
	off := b.Sub(b.ReduceSum(dy[0], false), on)
	return []*onnx.Value{nil, nil, b.Concat(0, b.Reshape(off, 1), b.Reshape(on, 1))}
}

// y_i = start + i delta: dstart = sum dy, ddelta = sum i dy. How many there are jumps: the limit has no gradient.
func gradRange(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	out := make([]*onnx.Value, 3)
	y := n.Output(0)
	if _, ok := b.rank(y); !ok {
		return nil
	}
	if b.Wants(0) {
		out[0] = b.reshapeLike(b.ReduceSum(dy[0], false, 0), n.Input(0))
	}
	if b.Wants(2) {
		steps := b.castLike(b.iota(b.size(y, 0)), dy[0])
		out[2] = b.reshapeLike(b.ReduceSum(b.Mul(dy[0], steps), false, 0), n.Input(2))
	}
	return out
}

// y = the entries of x, flat or along an axis, that are the first of their kind: dx = dy at their places. Which ones are equal
// jumps.
func gradUnique(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, at := n.Input(0), b.output(n, 1)
	if dy[0] == nil || b.Err() != nil {
		return nil
	}
	if a, given := n.Attr("axis"); given {
		along, _ := a.Value.(int64)
		axis, ok := b.axis(x, along)
		if !ok {
			return nil
		}
		return []*onnx.Value{b.typed(b.scatterAlong(at, dy[0], b.size(x, axis), axis), x)}
	}
	size := b.folded(b.Reshape(b.Node("Size", []*onnx.Value{x}, 1)[0], 1))
	return []*onnx.Value{b.reshapeLike(b.scatterAlong(at, dy[0], size, 0), x)}
}
