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
	{op: "Trilu", grad: of(gradTrilu)},
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
	x, y := n.Input(0), n.Output(0)
	if rank, ok := b.rank(x); !ok || rank != 4 {
		return nil
	}
	side := b.Ints(k)
	blocks := b.reshapeTo(dy, b.join(b.extent(y, 0, 2), b.size(x, 2), side, b.size(x, 3), side))
	return b.reshapeLike(b.Transpose(blocks, 0, 1, 3, 5, 2, 4), x)
}

// y = x repeated along each axis: dx = the sum of the copies.
func gradTile(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	repeats, known := op.ConstantInts(n.Input(1))
	var dims []*onnx.Value
	var axes []int64
	for i := range rank {
		if !known || i < len(repeats) && repeats[i] != 1 {
			axes = append(axes, int64(len(dims)))
			dims = append(dims, b.folded(b.Slice(n.Input(1), op.SliceSpec{Start: int64(i), End: int64(i + 1)})))
		}
		dims = append(dims, b.size(x, i))
	}
	if len(axes) == 0 {
		return dy
	}
	return b.ReduceSum(b.reshapeTo(dy, b.join(dims...)), false, axes...)
}

// y = x1, x2, ... along an axis: dxi = its part of dy.
func gradConcat(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	xs := n.Inputs()
	axis, ok := b.axis(xs[0], onnx.AttrOr(n, "axis", int64(0)))
	if !ok {
		return nil
	}
	wanted := 0
	sizes := make([]*onnx.Value, len(xs))
	for i, x := range xs {
		if rank, ok := b.rank(x); !ok || axis >= rank {
			return nil
		}
		sizes[i] = b.size(x, axis)
		if b.Wants(i) {
			wanted++
		}
	}
	out := make([]*onnx.Value, len(xs))
	if wanted > 1 {
		copy(out, b.Node("Split", []*onnx.Value{dy[0], b.join(sizes...)}, len(xs), onnx.Int("axis", int64(axis))))
	} else {
		from := b.Ints(0)
		for i, size := range sizes {
			to := b.folded(b.Add(from, size))
			if b.Wants(i) {
				out[i] = b.Node("Slice", []*onnx.Value{dy[0], from, to, b.Ints(int64(axis))}, 1)[0]
			}
			from = to
		}
	}
	for i, x := range xs {
		b.typed(out[i], x)
	}
	return out
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

// y = x above or below a diagonal, zeros elsewhere: dx = dy there.
func gradTrilu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Node("Trilu", []*onnx.Value{dy, n.Input(1)}, 1, n.Attrs...)[0]
}
