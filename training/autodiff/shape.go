package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var shape = []row{
	{op: "Reshape", grad: of(gradReshape)},
	{op: "Flatten", grad: of(gradReshape)},
	{op: "Squeeze", grad: of(gradReshape)},
	{op: "Unsqueeze", grad: of(gradReshape)},
	{op: "Expand", grad: of(gradIdentity)}, // the walker sums over what was broadcast
	{op: "Tile", grad: of(gradTile)},
	{op: "Concat", grad: gradConcat},
	{op: "Split", grad: gradSplit},
	{op: "Slice", grad: of(gradSlice)},
	{op: "Pad", grad: gradPad},
	{op: "Shape", zero: true},
	{op: "Size", zero: true},
	{op: "DepthToSpace", grad: of(gradDepthToSpace)},
	{op: "SpaceToDepth", grad: of(gradSpaceToDepth)},
	{op: "Trilu", none: later},
}

// y = x in another shape: dx = dy in x's.
func gradReshape(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.reshapeLike(dy, n.Input(0))
}

// y = x with its pixels moved: dx = dy moved back.
func gradSpaceToDepth(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.DepthToSpace(dy, onnx.AttrOr(n, "blocksize", int64(0)))
}

// y = x with its channels moved: dx = dy moved back. Mode DCR is the order that SpaceToDepth makes; in mode CRD the place
// in a block varies faster than the channel.
func gradDepthToSpace(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	k := onnx.AttrOr(n, "blocksize", int64(0))
	if onnx.AttrOr(n, "mode", "DCR") == "DCR" {
		return b.SpaceToDepth(dy, k)
	}
	x, ok := b.sizes(n.Input(0))
	if !ok {
		return nil
	}
	blocks := b.Reshape(dy, x[0], x[1]/(k*k), x[2], k, x[3], k)
	return b.Reshape(b.Transpose(blocks, 0, 1, 3, 5, 2, 4), x...)
}

// y = x repeated along each axis: dx = the sum of the copies.
func gradTile(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	sizes, ok := b.sizes(n.Input(0))
	repeats, known := op.ConstantInts(n.Input(1))
	if !ok {
		return nil
	}
	if !known || len(repeats) != len(sizes) {
		b.Fail("the repeats are not a constant of %d entries", len(sizes))
		return nil
	}
	var dims, axes []int64
	for i, s := range sizes {
		if repeats[i] != 1 {
			axes = append(axes, int64(len(dims)))
			dims = append(dims, repeats[i])
		}
		dims = append(dims, s)
	}
	if len(axes) == 0 {
		return dy
	}
	return b.ReduceSum(b.Reshape(dy, dims...), false, axes...)
}

// y = x1, x2, ... along an axis: dxi = its part of dy.
func gradConcat(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	axis := onnx.AttrOr(n, "axis", int64(0))
	sizes, ok := b.sizesAlong(n.Inputs(), axis)
	if !ok {
		return nil
	}
	wanted := 0
	for i := range sizes {
		if b.Wants(i) {
			wanted++
		}
	}
	if wanted > 1 {
		return b.Split(dy[0], axis, sizes...)
	}
	out, at := make([]*onnx.Value, len(sizes)), int64(0)
	for i, s := range sizes {
		if b.Wants(i) {
			out[i] = b.Slice(dy[0], op.SliceSpec{Axis: axis, Start: at, End: at + s})
		}
		at += s
	}
	return out
}

// sizesAlong lists the sizes of vs along one axis.
func (b *Builder) sizesAlong(vs []*onnx.Value, axis int64) ([]int64, bool) {
	out := make([]int64, len(vs))
	for i, v := range vs {
		rank, ok := b.rank(v)
		if !ok {
			return nil, false
		}
		a := axis
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) || !v.Type.Shape[a].Known() {
			b.Fail("the rule wants the size of %s along axis %d, it is %v", label(v), axis, v.Type.Shape)
			return nil, false
		}
		out[i] = v.Type.Shape[a].Size
	}
	return out, true
}

// y1, y2, ... = parts of x along an axis: dx = dy1, dy2, ... along it.
func gradSplit(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	parts := slices.Clone(dy)
	for i, d := range parts {
		if d != nil {
			continue
		}
		o := n.Output(i)
		if o == nil {
			b.Fail("output %d is absent", i)
			return nil
		}
		parts[i] = b.zerosLike(o)
	}
	return []*onnx.Value{b.Concat(onnx.AttrOr(n, "axis", int64(0)), parts...)}
}
