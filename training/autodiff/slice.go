package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// y = every step-th element of x from start: dx = dy there, zeros elsewhere.
func gradSlice(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	cuts, ok := knownCuts(n)
	if !ok {
		return b.gradComputedSlice(n, dy)
	}
	pads := make([]int64, 2*rank)
	grow := false
	for _, c := range cuts {
		if c.count == 0 {
			return b.zerosLike(x)
		}
		if c.step < 0 {
			dy = b.reversed(dy, c.axis)
			c.start, c.step = c.start+(c.count-1)*c.step, -c.step
		}
		if c.count == 1 {
			c.step = 1
		}
		dy = b.spread(dy, c.axis, c.step)
		pads[c.axis], pads[rank+c.axis] = c.start, c.size-c.start-c.count*c.step
		grow = grow || pads[c.axis] != 0 || pads[rank+c.axis] != 0
	}
	if !grow {
		return dy
	}
	return b.Pad(dy, "constant", pads...)
}

// cut is a slice along one axis of that size: count elements from start, a step apart.
type cut struct {
	axis                     int
	start, step, count, size int64
}

// knownCuts reads the operands of a Slice: ok when all of them, and the sizes that they cut, are known.
func knownCuts(n *onnx.Node) (cuts []cut, ok bool) {
	x := n.Input(0).Type.Shape
	starts, ok1 := op.ConstantInts(n.Input(1))
	ends, ok2 := op.ConstantInts(n.Input(2))
	axes, ok3 := op.ConstantInts(n.Input(3))
	steps, ok4 := op.ConstantInts(n.Input(4))
	if !ok1 || !ok2 || (!ok3 && n.Input(3) != nil) || (!ok4 && n.Input(4) != nil) ||
		len(ends) != len(starts) || (ok3 && len(axes) != len(starts)) || (ok4 && len(steps) != len(starts)) {
		return nil, false
	}
	for i, start := range starts {
		c := cut{axis: i, start: start, step: 1}
		if ok3 {
			if c.axis = int(axes[i]); c.axis < 0 {
				c.axis += len(x)
			}
		}
		if ok4 {
			c.step = steps[i]
		}
		if c.axis < 0 || c.axis >= len(x) || c.step == 0 || c.step == math.MinInt64 || !x[c.axis].Known() {
			return nil, false
		}
		c.size = x[c.axis].Size
		c.bound(ends[i])
		cuts = append(cuts, c)
	}
	return cuts, true
}

// bound puts the start into the axis and counts the elements before end.
func (c *cut) bound(end int64) {
	wrap := func(v int64) int64 {
		if v < 0 {
			return v + c.size
		}
		return v
	}
	if c.step > 0 {
		c.start = min(max(wrap(c.start), 0), c.size)
		end = min(max(wrap(end), 0), c.size)
		c.count = max(0, (end-c.start+c.step-1)/c.step)
		return
	}
	c.start = min(max(wrap(c.start), 0), c.size-1)
	end = min(max(wrap(end), -1), c.size-1)
	c.count = max(0, (c.start-end-c.step-1)/-c.step)
}

// reversed turns v round along an axis.
func (b *Builder) reversed(v *onnx.Value, axis int) *onnx.Value {
	return b.Slice(v, op.SliceSpec{Axis: int64(axis), Start: -1, End: math.MinInt64, Step: -1})
}

// spread puts step-1 zeros behind every element of v along an axis.
func (b *Builder) spread(v *onnx.Value, axis int, step int64) *onnx.Value {
	if step == 1 {
		return v
	}
	rank, ok := b.rank(v)
	if !ok {
		return nil
	}
	pads := make([]int64, 2*(rank+1))
	pads[rank+1+axis+1] = step - 1
	dims := b.shapeWith(v, axis, b.folded(b.Mul(b.size(v, axis), b.Ints(step))))
	return b.reshapeTo(b.Pad(b.Unsqueeze(v, int64(axis+1)), "constant", pads...), dims)
}
