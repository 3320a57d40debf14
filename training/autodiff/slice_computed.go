package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// gradComputedSlice is gradSlice for sizes or operands that are known when the graph runs.
func (b *Builder) gradComputedSlice(n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, starts, ends := n.Input(0), n.Input(1), n.Input(2)
	steps, known := op.ConstantInts(n.Input(4))
	unit := n.Input(4) == nil || known && all(steps, 1)
	axes, ok := op.ConstantInts(n.Input(3))
	if n.Input(3) != nil && !ok {
		if !unit {
			b.Fail("the axes are not constant, and steps are not 1")
			return nil
		}
		return b.sliceOfAxes(x, starts, n.Input(3), dy)
	}
	if n.Input(3) == nil {
		if s := starts.Type.Shape; len(s) == 1 && s[0].Known() {
			for i := range s[0].Size {
				axes = append(axes, i)
			}
		} else {
			b.Fail("the axes are absent, and how many starts there are is not known")
			return nil
		}
	}
	over, sizes := make([]int, len(axes)), make([]*onnx.Value, len(axes))
	for i, a := range axes {
		if over[i], ok = b.axis(x, a); !ok {
			return nil
		}
		sizes[i] = b.size(x, over[i])
	}
	if unit {
		whole := b.join(sizes...)
		return b.typed(b.padTo(dy, b.wrapped(starts, whole, 0, 0), whole, over...), x)
	}
	entry := func(v *onnx.Value, i int) *onnx.Value {
		return b.folded(b.Slice(v, op.SliceSpec{Start: int64(i), End: int64(i + 1)}))
	}
	for i, size := range sizes {
		dy = b.gradSliceAxis(dy, over[i], size, entry(starts, i), entry(ends, i), entry(n.Input(4), i))
	}
	return b.typed(dy, x)
}

// gradSliceAxis puts dy back along one axis, which had that size before it was cut.
func (b *Builder) gradSliceAxis(dy *onnx.Value, axis int, size, start, end, step *onnx.Value) *onnx.Value {
	steps, known := op.ConstantInts(step)
	switch {
	case b.Err() != nil:
		return nil
	case known && all(steps, 1):
		return b.padTo(dy, b.wrapped(start, size, 0, 0), size, axis)
	case known && all(steps, -1): // from start down: the last element stands count-1 places before it
		first := b.Sub(b.wrapped(start, size, -1, -1), b.Sub(b.size(dy, axis), b.Ints(1)))
		return b.padTo(b.reversed(dy, axis), b.folded(first), size, axis)
	}
	at := b.Node("Slice", []*onnx.Value{b.iota(size), start, end, b.Ints(0), step}, 1)[0]
	return b.scatterAlong(at, dy, size, axis)
}

// wrapped puts starts, which may count from the end, between lo and size+hi.
func (b *Builder) wrapped(starts, sizes *onnx.Value, lo, hi int64) *onnx.Value {
	if b.Err() == nil && starts.Type.DType != onnx.Int64 {
		starts = b.Cast(starts, onnx.Int64)
	}
	starts = b.folded(b.Where(b.Less(starts, b.Ints(0)), b.Add(starts, sizes), starts))
	if hi != 0 {
		sizes = b.Add(sizes, b.Ints(hi))
	}
	return b.folded(b.Min(b.Max(starts, b.Ints(lo)), sizes))
}

// sliceOfAxes is the cotangent of x for a slice with steps of 1 along axes that a vector holds.
func (b *Builder) sliceOfAxes(x, starts, axes, dy *onnx.Value) *onnx.Value {
	sizes := b.Gather(b.Shape(x), axes, 0)
	before := b.wrapped(starts, sizes, 0, 0)
	behind := b.Sub(sizes, b.Add(before, b.Gather(b.Shape(dy), axes, 0)))
	return b.typed(b.Node("Pad", []*onnx.Value{dy, b.Concat(0, before, behind), nil, axes}, 1)[0], x)
}
