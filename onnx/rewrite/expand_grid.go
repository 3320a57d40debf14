package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// AffineGrid is, for theta [N,r,r+1] and a size of known spatial part, the product of the homogeneous coordinates of each
// place with theta: [N,...,r]. Coordinates run from -1 to 1 between the centres of the outermost pixels (align_corners) or
// between their edges; the last axis of the image comes first.
func AffineGrid(b *op.Builder, n *onnx.Node) []*onnx.Value {
	size, ok := op.ConstantInts(n.Input(1))
	if !ok || len(size) != 4 && len(size) != 5 {
		b.Fail("AffineGrid: the size is not constant")
		return nil
	}
	dims := size[2:]
	count, err := onnx.ElementCount(dims)
	const most = 1 << 24
	if err != nil || count > most {
		b.Fail("AffineGrid: a grid of %v: at most %d places are made", dims, int64(most))
		return nil
	}
	r := len(dims)
	base := onnx.NewTensor(onnx.Double, count, int64(r+1))
	v := onnx.View[float64](base)
	for p := range count {
		rest := p
		for axis := r - 1; axis >= 0; axis-- {
			at := rest % dims[axis]
			rest /= dims[axis]
			v[p*int64(r+1)+int64(r-1-axis)] = gridCoordinate(at, dims[axis], onnx.AttrOr(n, "align_corners", int64(0)) != 0)
		}
		v[p*int64(r+1)+int64(r)] = 1
	}
	theta := n.Input(0)
	if b.Err() != nil {
		return nil
	}
	places := b.MatMul(b.Cast(b.Const(base), theta.Type.DType), b.Transpose(theta, 0, 2, 1)) // [N,places,r]
	return []*onnx.Value{b.Reshape(places, append(append([]int64{0}, dims...), int64(r))...)}
}

func gridCoordinate(at, size int64, align bool) float64 {
	switch {
	case !align:
		return (2*float64(at)+1)/float64(size) - 1
	case size == 1:
		return 0
	}
	return 2*float64(at)/float64(size-1) - 1
}

// GridSample interpolates x [N,C,...] at the places of grid [N,...,r] as a sum over the taps around each: their values,
// gathered, times their weights. Along an axis of S elements a coordinate g is the place
//
//	p = ((g+1) S - 1)/2, or (g+1) (S-1)/2 with align_corners.
//
// The gradient with respect to the grid follows from the weights; nearest has none.
func GridSample(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, grid := n.Input(0), n.Input(1)
	if !x.Type.Shape.Ranked() || !grid.Type.Shape.Ranked() {
		b.Fail("GridSample: the ranks are unknown")
		return nil
	}
	s := sampling{Builder: b, GridSampleAttrs: op.GridSampleAttrsOf(n), x: x, like: grid, r: len(x.Type.Shape) - 2}
	for axis := range s.r {
		s.sizes = append(s.sizes, s.sizeOf(axis))
	}
	s.values = b.Reshape(x, 0, 0, -1) // [N,C,elements]
	var axes [][]weighted
	for axis := range s.r {
		g := b.Gather(grid, b.Const(onnx.FromSlice([]int64{int64(s.r - 1 - axis)})), -1)
		axes = append(axes, s.taps(b.Reshape(g, 0, 1, -1), axis)) // [N,1,places]
	}
	if b.Err() != nil {
		return nil
	}
	sum := s.combine(axes, nil, nil)
	shape := b.Concat(0, b.ShapeSlice(x, 0, 2), b.ShapeSlice(grid, 1, int64(s.r+1)))
	return []*onnx.Value{b.ReshapeTo(sum, shape)}
}

// weighted is an element along one axis: its index, inside the axis, and its weight; nil for one.
type weighted struct{ at, weight *onnx.Value }

type sampling struct {
	*op.Builder
	op.GridSampleAttrs
	x, like *onnx.Value
	values  *onnx.Value
	r       int
	sizes   []*onnx.Value // of the spatial axes, as floats
}

// sizeOf is the size of a spatial axis in the grid's element type.
func (s *sampling) sizeOf(axis int) *onnx.Value {
	if s.Err() != nil {
		return nil
	}
	if d := s.x.Type.Shape[axis+2]; d.Known() {
		return s.Scalar(s.like, float64(d.Size))
	}
	return s.Cast(s.ShapeSlice(s.x, int64(axis+2), int64(axis+3)), s.like.Type.DType)
}

// taps lists the elements around the coordinates g of an axis.
func (s *sampling) taps(g *onnx.Value, axis int) []weighted {
	k := func(v float64) *onnx.Value { return s.Scalar(s.like, v) }
	size := s.sizes[axis]
	half := s.Mul(s.Add(g, k(1)), k(0.5))
	var p *onnx.Value
	if s.Align {
		p = s.Mul(half, s.Sub(size, k(1)))
	} else {
		p = s.Sub(s.Mul(half, size), k(0.5))
	}
	return s.around(p, axis)
}

// around lists the elements around the places p of an axis, in units of its elements.
func (s *sampling) around(p *onnx.Value, axis int) []weighted {
	k := func(v float64) *onnx.Value { return s.Scalar(s.like, v) }
	if s.Mode == "cubic" { // each tap by itself is brought inside
		low := s.Floor(p)
		t := s.Sub(p, low)
		var taps []weighted
		for i := -1; i <= 2; i++ {
			at := s.Add(low, k(float64(i)))
			taps = append(taps, s.inside(at, s.keys(s.Abs(s.Sub(t, k(float64(i))))), axis))
		}
		return taps
	}
	p = s.bounded(p, axis)
	if s.Mode == "nearest" {
		return []weighted{s.inside(s.Round(p), nil, axis)}
	}
	low := s.Floor(p)
	t := s.Sub(p, low)
	return []weighted{s.inside(low, s.Sub(k(1), t), axis), s.inside(s.Add(low, k(1)), t, axis)}
}

// keys is the kernel of cubic convolution with a = -0.75 at the distance d from 0 to 2.
func (s *sampling) keys(d *onnx.Value) *onnx.Value {
	const a = -0.75
	k := func(v float64) *onnx.Value { return s.Scalar(s.like, v) }
	near := s.Add(s.Mul(s.Mul(s.Sub(s.Mul(k(a+2), d), k(a+3)), d), d), k(1))
	far := s.Sub(s.Mul(s.Add(s.Mul(s.Sub(s.Mul(k(a), d), k(5*a)), d), k(8*a)), d), k(4*a))
	return s.Where(s.LessOrEqual(d, k(1)), near, far)
}

// bounded brings places onto the axis as the padding mode wants; with zeros they stay.
func (s *sampling) bounded(p *onnx.Value, axis int) *onnx.Value {
	k := func(v float64) *onnx.Value { return s.Scalar(s.like, v) }
	last := s.Sub(s.sizes[axis], k(1))
	switch s.Padding {
	case "border":
		return s.Min(s.Max(p, k(0)), last)
	case "reflection": // about the outermost centres (align_corners), or edges
		low, span := k(0), last
		if !s.Align {
			low, span = k(-0.5), s.sizes[axis]
		}
		d := s.Abs(s.Sub(p, low))
		turns := s.Floor(s.Div(d, s.Max(span, k(1e-30))))
		rest := s.Sub(d, s.Mul(turns, span))
		odd := s.Sub(turns, s.Mul(s.Floor(s.Mul(turns, k(0.5))), k(2)))
		back := s.Add(s.Where(s.Greater(odd, k(0.5)), s.Sub(span, rest), rest), low)
		return s.Min(s.Max(back, k(0)), last)
	}
	return p
}

// inside makes a tap of an index that may lie outside: there its weight is zero, or the padding mode moves it.
func (s *sampling) inside(at, weight *onnx.Value, axis int) weighted {
	k := func(v float64) *onnx.Value { return s.Scalar(s.like, v) }
	last := s.Sub(s.sizes[axis], k(1))
	if s.Padding != "zeros" {
		return weighted{s.Cast(s.Min(s.Max(s.bounded(at, axis), k(0)), last), onnx.Int64), weight}
	}
	in := s.Cast(s.And(s.GreaterOrEqual(at, k(0)), s.LessOrEqual(at, last)), s.like.Type.DType)
	if weight != nil {
		in = s.Mul(weight, in)
	}
	return weighted{s.Cast(s.Min(s.Max(at, k(0)), last), onnx.Int64), in}
}

// combine sums over the taps of all axes; at and weight are of the axes before.
func (s *sampling) combine(axes [][]weighted, at, weight *onnx.Value) *onnx.Value {
	if len(axes) == 0 {
		return s.tap(at, weight)
	}
	var sum *onnx.Value
	for _, t := range axes[0] {
		flat, w := t.at, t.weight
		if at != nil {
			axis := int64(s.r - len(axes) + 2)
			flat = s.Add(s.Mul(at, s.ShapeSlice(s.x, axis, axis+1)), t.at)
		}
		switch {
		case weight != nil && w != nil:
			w = s.Mul(weight, w)
		case w == nil:
			w = weight
		}
		part := s.combine(axes[1:], flat, w)
		if sum == nil {
			sum = part
		} else {
			sum = s.Add(sum, part)
		}
	}
	return sum
}

// tap is the elements at the flat indices [N,1,places], times their weights: [N,C,places]; for values of four dimensions, one
// more before the places.
func (s *sampling) tap(at, weight *onnx.Value) *onnx.Value {
	if s.Err() != nil {
		return nil
	}
	axis := int64(len(s.values.Type.Shape) - 1)
	shape := s.Concat(0, s.ShapeSlice(s.values, 0, axis), s.ShapeSlice(at, axis, axis+1))
	v := s.GatherElements(s.values, s.Expand(at, shape), axis)
	if weight == nil {
		return v
	}
	if s.Err() == nil && weight.Type.DType != v.Type.DType {
		weight = s.Cast(weight, v.Type.DType)
	}
	return s.Mul(v, weight)
}
