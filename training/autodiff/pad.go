package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// y = x with a border: dx = dy without it, plus what of the border was a copy of x.
func gradPad(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, d := n.Input(0), dy[0]
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	mode := onnx.AttrOr(n, "mode", "constant")
	begins, ends, known := knownPads(n, rank)
	if mode == "constant" {
		out := make([]*onnx.Value, 3)
		if known {
			out[0] = b.uncovered(d, begins, ends)
		} else {
			out[0] = b.typed(b.Node("Pad", []*onnx.Value{d, b.Neg(n.Input(1)), nil, n.Input(3)}, 1)[0], x)
		}
		if b.Wants(2) {
			out[2] = b.reshapeLike(b.Sub(b.ReduceSum(d, false), b.ReduceSum(out[0], false)), n.Input(2))
		}
		return out
	}
	if !known {
		return []*onnx.Value{b.gradComputedPad(n, d)}
	}
	for axis := rank - 1; axis >= 0; axis-- {
		p, q, size := begins[axis], ends[axis], x.Type.Shape[axis]
		switch {
		case p == 0 && q == 0:
		case mode == "wrap" && size.Known() && min(p, q) >= 0 && max(p, q) <= size.Size:
			d = b.foldWrap(d, int64(axis), p, size.Size, q)
		case mode == "reflect" && size.Known() && min(p, q) >= 0:
			d = b.foldReflect(d, int64(axis), p, size.Size, q)
		case mode == "edge" && size.Known() && min(p, q) >= 0:
			d = b.foldEdge(d, int64(axis), p, size.Size, q)
		default:
			d = b.foldByPlaces(d, axis, b.size(x, axis), b.Ints(p, q), mode)
		}
	}
	return []*onnx.Value{b.typed(d, x)}
}

// knownPads reads the operands of a Pad, if they are known: one begin and one end for every axis of x.
func knownPads(n *onnx.Node, rank int) (begins, ends []int64, ok bool) {
	pads, ok := op.ConstantInts(n.Input(1))
	axes, ok2 := op.ConstantInts(n.Input(3))
	if n.Input(3) == nil {
		ok2 = true
		for i := range rank {
			axes = append(axes, int64(i))
		}
	}
	if !ok || !ok2 || len(pads) != 2*len(axes) {
		return nil, nil, false
	}
	begins, ends = make([]int64, rank), make([]int64, rank)
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return nil, nil, false
		}
		begins[a], ends[a] = pads[i], pads[len(axes)+i]
	}
	return begins, ends, true
}

// gradComputedPad is gradPad of a border of copies whose widths are known when the graph runs.
func (b *Builder) gradComputedPad(n *onnx.Node, d *onnx.Value) *onnx.Value {
	x, pads := n.Input(0), n.Input(1)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	axes, ok := op.ConstantInts(n.Input(3))
	if n.Input(3) == nil {
		for i := range rank {
			axes = append(axes, int64(i))
		}
	} else if !ok {
		b.Fail("the axes are not constant, and the border is a copy of the input")
		return nil
	}
	for i, a := range axes {
		axis, ok := b.axis(x, a)
		if !ok {
			return nil
		}
		entry := func(i int) *onnx.Value { return b.Slice(pads, op.SliceSpec{Start: int64(i), End: int64(i + 1)}) }
		d = b.foldByPlaces(d, axis, b.size(x, axis), b.join(entry(i), entry(len(axes)+i)), onnx.AttrOr(n, "mode", ""))
	}
	return b.typed(d, x)
}

// foldByPlaces adds the elements of d along an axis to those that they are copies of: the border is drawn round the numbers
// of the elements to see which.
func (b *Builder) foldByPlaces(d *onnx.Value, axis int, size, pads *onnx.Value, mode string) *onnx.Value {
	at := b.Node("Pad", []*onnx.Value{b.iota(size), pads}, 1, onnx.Str("mode", mode))[0]
	return b.scatterAlong(at, d, size, axis)
}

// foldWrap adds what lies before p to the last of the n elements between, and what lies after p+n to the first.
func (b *Builder) foldWrap(d *onnx.Value, axis, p, n, q int64) *onnx.Value {
	part := func(from, to int64) *onnx.Value { return b.Slice(d, op.SliceSpec{Axis: axis, Start: from, End: to}) }
	sum := part(p, p+n)
	if p > 0 {
		sum = b.Add(sum, b.padAxis(part(0, p), axis, n-p, 0))
	}
	if q > 0 {
		sum = b.Add(sum, b.padAxis(part(p+n, p+n+q), axis, 0, n-q))
	}
	return sum
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
