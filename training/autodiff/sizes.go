package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Sizes as values of the graph: constants where they are known, read from the data where they are not.

// shapeOf is the shape of v as a value: a constant where it is known.
func (b *Builder) shapeOf(v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if sizes, ok := v.Type.Shape.Sizes(); ok {
		return b.Ints(sizes...)
	}
	return b.Shape(v)
}

// extent is the sizes of v from axis lo up to hi as a vector.
func (b *Builder) extent(v *onnx.Value, lo, hi int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if sizes, ok := v.Type.Shape[lo:hi].Sizes(); ok {
		return b.Ints(sizes...)
	}
	return b.Node("Shape", []*onnx.Value{v}, 1, onnx.Int("start", int64(lo)), onnx.Int("end", int64(hi)))[0]
}

// size is the size of v along an axis as a vector of one entry.
func (b *Builder) size(v *onnx.Value, axis int) *onnx.Value { return b.extent(v, axis, axis+1) }

// shapeWith is the shape of v with another size along one axis.
func (b *Builder) shapeWith(v *onnx.Value, axis int, size *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.join(b.extent(v, 0, axis), size, b.extent(v, axis+1, len(v.Type.Shape)))
}

// join makes one vector of vectors of integers: a constant where all of them are.
func (b *Builder) join(parts ...*onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	some := parts[:0:0]
	for _, p := range parts {
		if s := p.Type.Shape; len(s) != 1 || s[0] != (onnx.Dim{}) {
			some = append(some, p)
		}
	}
	switch len(some) {
	case 0:
		return b.Ints()
	case 1:
		return b.folded(some[0])
	}
	return b.folded(b.Concat(0, some...))
}

// folded is v, or a constant in its place where its integers are known before the graph runs.
func (b *Builder) folded(v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	list, ok := op.ConstantInts(v)
	if !ok || v.Type.DType != onnx.Int64 {
		return v
	}
	dims, ok := v.Type.Shape.Sizes()
	if !ok {
		return v
	}
	t := onnx.NewTensor(onnx.Int64, dims...)
	copy(t.Int64s(), list)
	return b.Const(t)
}

// iota is 0, 1, ... below the only entry of the vector size.
func (b *Builder) iota(size *onnx.Value) *onnx.Value {
	return b.folded(b.Range(b.Const(onnx.Scalar(int64(0))), b.Squeeze(size, 0), b.Const(onnx.Scalar(int64(1)))))
}

// reshapeTo gives d the shape that a vector holds, in which 0 is a size.
func (b *Builder) reshapeTo(d, dims *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	list, ok := op.ConstantInts(dims)
	for _, n := range list {
		ok = ok && n != 0
	}
	if ok {
		return b.Reshape(d, list...)
	}
	return b.Node("Reshape", []*onnx.Value{d, dims}, 1, onnx.Int("allowzero", 1))[0]
}

// reshapeLike gives d the shape of v, which has as many elements.
func (b *Builder) reshapeLike(d, v *onnx.Value) *onnx.Value {
	if b.Err() != nil || sameShape(d.Type.Shape, v.Type.Shape) {
		return d
	}
	if dims, ok := reshapeDims(v.Type.Shape); ok {
		return b.typed(b.Reshape(d, dims...), v)
	}
	return b.typed(b.reshapeTo(d, b.shapeOf(v)), v)
}

// reshapeDims writes a shape as a Reshape's operand, with -1 for the one size that may be unknown. No size may be 0, which
// means something else there.
func reshapeDims(s onnx.Shape) (dims []int64, ok bool) {
	unknown := 0
	dims = make([]int64, len(s))
	for i, d := range s {
		switch {
		case !d.Known():
			dims[i] = -1
			unknown++
		case d.Size == 0:
			return nil, false
		default:
			dims[i] = d.Size
		}
	}
	return dims, s.Ranked() && unknown <= 1
}

// expandLike broadcasts d to the shape of v.
func (b *Builder) expandLike(d, v *onnx.Value) *onnx.Value {
	if b.Err() != nil || sameShape(d.Type.Shape, v.Type.Shape) {
		return d
	}
	return b.typed(b.Expand(d, b.shapeOf(v)), v)
}

// zerosLike is zeros of v's type.
func (b *Builder) zerosLike(v *onnx.Value) *onnx.Value { return b.fillLike(v, 0) }

// fillLike is v's type filled with one number.
func (b *Builder) fillLike(v *onnx.Value, number float64) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.typed(b.fill(v, number, b.shapeOf(v)), v)
}

// fill is a number of like's element type in a shape that a vector holds.
func (b *Builder) fill(like *onnx.Value, number float64, dims *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	t, err := op.ScalarTensor(like.Type.DType, number)
	if err != nil {
		b.Fail("fill with %v: %w", number, err)
		return nil
	}
	t.Dims = []int64{1}
	return b.ConstantOfShape(dims, t)
}

// typed is d, of which is known that it has the shape of v.
func (b *Builder) typed(d, v *onnx.Value) *onnx.Value {
	if d != nil {
		b.refine(d, v.Type.Shape)
	}
	return d
}

// refine puts into d's type what is known of its shape. A value that no node makes keeps its type: it is the caller's.
func (b *Builder) refine(d *onnx.Value, s onnx.Shape) {
	if b.Err() != nil || d.Producer() == nil || !s.Ranked() {
		return
	}
	if !d.Type.Shape.Ranked() {
		d.Type.Shape = s.Clone()
		return
	}
	if len(s) != len(d.Type.Shape) {
		return
	}
	out := d.Type.Shape.Clone()
	for i, dim := range s {
		if !out[i].Known() && dim != onnx.UnknownDim {
			out[i] = dim
		}
	}
	d.Type.Shape = out
}

// sameShape reports whether two shapes are surely the same: a size that nothing is known of is not.
func sameShape(s, t onnx.Shape) bool {
	if !s.Ranked() || len(s) != len(t) || !t.Ranked() {
		return false
	}
	for i := range s {
		if s[i] != t[i] || s[i] == onnx.UnknownDim {
			return false
		}
	}
	return true
}

// sizes gives the static shape of v, and fails when it is not static.
func (b *Builder) sizes(v *onnx.Value) ([]int64, bool) {
	if b.Err() != nil {
		return nil, false
	}
	s, ok := v.Type.Shape.Sizes()
	if !ok {
		b.Fail("the rule wants a static shape, %s is %v", label(v), v.Type.Shape)
	}
	return s, ok
}

// rank gives the rank of v, and fails when it is unknown.
func (b *Builder) rank(v *onnx.Value) (int, bool) {
	if b.Err() != nil {
		return 0, false
	}
	if !v.Type.Shape.Ranked() {
		b.Fail("the rule wants the rank of %s, which is unknown", label(v))
		return 0, false
	}
	return len(v.Type.Shape), true
}

// axis puts an axis of v that may count from the end into 0..rank-1.
func (b *Builder) axis(v *onnx.Value, axis int64) (int, bool) {
	rank, ok := b.rank(v)
	if !ok {
		return 0, false
	}
	if axis < -int64(rank) || axis >= int64(rank) {
		b.Fail("axis %d is outside rank %d", axis, rank)
		return 0, false
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), true
}
