package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// y = every step-th element of x from start: dx = dy there, zeros elsewhere.
func gradSlice(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	cuts, ok := b.cuts(n)
	if !ok {
		return nil
	}
	rank := len(x.Type.Shape)
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

// cuts reads the constant operands of a Slice.
func (b *Builder) cuts(n *onnx.Node) ([]cut, bool) {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil, false
	}
	starts, ok1 := op.ConstantInts(n.Input(1))
	ends, ok2 := op.ConstantInts(n.Input(2))
	axes, ok3 := op.ConstantInts(n.Input(3))
	steps, ok4 := op.ConstantInts(n.Input(4))
	if !ok1 || !ok2 || (!ok3 && n.Input(3) != nil) || (!ok4 && n.Input(4) != nil) ||
		len(ends) != len(starts) || (ok3 && len(axes) != len(starts)) || (ok4 && len(steps) != len(starts)) {
		b.Fail("starts, ends, axes and steps are not constants of one length")
		return nil, false
	}
	var out []cut
	for i, start := range starts {
		c := cut{axis: i, start: start, step: 1}
		if ok3 {
			if c.axis = int(axes[i]); c.axis < 0 {
				c.axis += rank
			}
		}
		if ok4 {
			c.step = steps[i]
		}
		if c.axis < 0 || c.axis >= rank || c.step == 0 || c.step == math.MinInt64 || !x.Type.Shape[c.axis].Known() {
			b.Fail("the rule wants the size of axis %d of %s, which is %v, and a step other than 0", c.axis, label(x), x.Type.Shape)
			return nil, false
		}
		c.size = x.Type.Shape[c.axis].Size
		c.bound(ends[i])
		out = append(out, c)
	}
	return out, true
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
	sizes, ok := b.sizes(v)
	if !ok {
		return nil
	}
	pads := make([]int64, 2*(len(sizes)+1))
	pads[len(sizes)+1+axis+1] = step - 1
	dims := append([]int64(nil), sizes...)
	dims[axis] *= step
	return b.Reshape(b.Pad(b.Unsqueeze(v, int64(axis+1)), "constant", pads...), dims...)
}
