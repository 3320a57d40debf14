package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// y = x with a border: dx = dy without it, plus what of the border was a copy of x.
func gradPad(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, d := n.Input(0), dy[0]
	begins, ends, ok := b.pads(n)
	if !ok {
		return nil
	}
	switch mode := onnx.AttrOr(n, "mode", "constant"); mode {
	case "constant":
		out := make([]*onnx.Value, 3)
		inner := b.uncovered(d, begins, ends)
		if out[0] = inner; b.Wants(2) {
			out[2] = b.Sub(b.ReduceSum(d, false), b.ReduceSum(inner, false))
		}
		return out
	case "reflect", "edge":
		fold := (*Builder).foldReflect
		if mode == "edge" {
			fold = (*Builder).foldEdge
		}
		for axis := len(begins) - 1; axis >= 0; axis-- {
			p, q := begins[axis], ends[axis]
			if p == 0 && q == 0 {
				continue
			}
			size := x.Type.Shape[axis]
			if !size.Known() || p < 0 || q < 0 {
				b.Fail("the rule wants the size of axis %d of %s, which is %v, and no negative pads", axis, label(x), x.Type.Shape)
				return nil
			}
			d = fold(b, d, int64(axis), p, size.Size, q)
		}
		return []*onnx.Value{d}
	default:
		b.Fail("no rule for mode %q", mode)
		return nil
	}
}

// pads reads the constant operand of a Pad: one begin and one end for every axis of x.
func (b *Builder) pads(n *onnx.Node) (begins, ends []int64, ok bool) {
	rank, ok := b.rank(n.Input(0))
	if !ok {
		return nil, nil, false
	}
	pads, ok := op.ConstantInts(n.Input(1))
	axes, ok2 := op.ConstantInts(n.Input(3))
	if n.Input(3) == nil {
		ok2 = true
		for i := range rank {
			axes = append(axes, int64(i))
		}
	}
	if !ok || !ok2 || len(pads) != 2*len(axes) {
		b.Fail("pads or axes are not constants that fit")
		return nil, nil, false
	}
	begins, ends = make([]int64, rank), make([]int64, rank)
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			b.Fail("axis %d is outside rank %d", axes[i], rank)
			return nil, nil, false
		}
		begins[a], ends[a] = pads[i], pads[len(axes)+i]
	}
	return begins, ends, true
}

// uncovered takes a border off d, or puts zeros where the border was negative.
func (b *Builder) uncovered(d *onnx.Value, begins, ends []int64) *onnx.Value {
	var specs []op.SliceSpec
	var grow bool
	back := make([]int64, 2*len(begins))
	for i := range begins {
		grow = grow || begins[i] < 0 || ends[i] < 0
		back[i], back[len(begins)+i] = -begins[i], -ends[i]
		if begins[i] != 0 || ends[i] != 0 {
			s := op.SliceSpec{Axis: int64(i), Start: begins[i], End: -ends[i]}
			if ends[i] == 0 {
				s.End = 1<<63 - 1
			}
			specs = append(specs, s)
		}
	}
	switch {
	case grow:
		return b.Pad(d, "constant", back...)
	case len(specs) == 0:
		return d
	}
	return b.Slice(d, specs...)
}

// foldReflect adds what lies before p and after p+n along an axis onto its mirror image about the first and the last of the
// n elements between.
func (b *Builder) foldReflect(d *onnx.Value, axis, p, n, q int64) *onnx.Value {
	part := func(from, to int64) *onnx.Value { return b.Slice(d, op.SliceSpec{Axis: axis, Start: from, End: to}) }
	mirror := func(from, to int64) *onnx.Value {
		if to-from == 1 {
			return part(from, to)
		}
		return b.reversed(part(from, to), int(axis))
	}
	if p+q+2 > n { // the images overlap
		sum := part(p, p+n)
		if p > 0 {
			sum = b.Add(sum, b.padAxis(mirror(0, p), axis, 1, n-1-p))
		}
		if q > 0 {
			sum = b.Add(sum, b.padAxis(mirror(p+n, p+n+q), axis, n-1-q, 1))
		}
		return sum
	}
	var parts []*onnx.Value
	from := p
	if p > 0 {
		parts = append(parts, part(p, p+1), b.Add(part(p+1, 2*p+1), mirror(0, p)))
		from = 2*p + 1
	}
	if q == 0 {
		return b.Concat(axis, append(parts, part(from, p+n))...)
	}
	if to := p + n - 1 - q; from < to {
		parts = append(parts, part(from, to))
	}
	parts = append(parts, b.Add(part(p+n-1-q, p+n-1), mirror(p+n, p+n+q)), part(p+n-1, p+n))
	return b.Concat(axis, parts...)
}

// foldEdge adds what lies before p and after p+n along an axis to the first and to the last of the n elements between.
func (b *Builder) foldEdge(d *onnx.Value, axis, p, n, q int64) *onnx.Value {
	part := func(from, to int64) *onnx.Value { return b.Slice(d, op.SliceSpec{Axis: axis, Start: from, End: to}) }
	if n == 1 {
		return b.ReduceSum(d, true, axis)
	}
	sum := func(from, to int64) *onnx.Value {
		if to-from == 2 {
			return b.Add(part(from, from+1), part(from+1, to))
		}
		return b.ReduceSum(part(from, to), true, axis)
	}
	parts := []*onnx.Value{sum(0, p+1)}
	if n > 2 {
		parts = append(parts, part(p+1, p+n-1))
	}
	return b.Concat(axis, append(parts, sum(p+n-1, p+n+q))...)
}

// padAxis puts zeros before and behind v along one axis.
func (b *Builder) padAxis(v *onnx.Value, axis, before, behind int64) *onnx.Value {
	rank, ok := b.rank(v)
	if !ok || (before == 0 && behind == 0) {
		return v
	}
	pads := make([]int64, 2*rank)
	pads[axis], pads[int64(rank)+axis] = before, behind
	return b.Pad(v, "constant", pads...)
}
