package autodiff

import "graft/onnx"

// reduceTo sums d over the axes along which v was broadcast to d's shape.
func (b *Builder) reduceTo(d, v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	ds, vs := d.Type.Shape, v.Type.Shape
	if !vs.Ranked() {
		b.Fail("the rank of %s is unknown: run shape inference first", label(v))
		return nil
	}
	if !ds.Ranked() || len(ds) < len(vs) {
		b.Fail("a gradient of %v does not fit %s of %v", ds, label(v), vs)
		return nil
	}
	lead := len(ds) - len(vs)
	var axes []int64
	for i := range lead {
		axes = append(axes, int64(i))
	}
	summed := lead > 0
	for i, dim := range vs {
		got := ds[lead+i]
		switch {
		case dim == got: // the same size, the same symbol, or both unknown: only a size of 1 broadcasts
		case dim.Known() && dim.Size == 1:
			axes = append(axes, int64(lead+i))
			summed = true
		case dim.Known() && got.Known():
			b.Fail("a gradient of %v does not fit %s of %v", ds, label(v), vs)
			return nil
		}
	}
	if !summed {
		return d
	}
	if len(vs) == 0 {
		return b.ReduceSum(d, false, axes...)
	}
	d = b.ReduceSum(d, true, axes...)
	if lead == 0 {
		return d
	}
	return b.reshapeLike(d, v)
}

// reshapeLike gives d the shape of v, which has as many elements.
func (b *Builder) reshapeLike(d, v *onnx.Value) *onnx.Value {
	if b.Err() != nil || d.Type.Shape.Static() && d.Type.Shape.Equal(v.Type.Shape) {
		return d
	}
	if dims, ok := reshapeDims(v.Type.Shape); ok {
		return b.Reshape(d, dims...)
	}
	return b.ReshapeTo(d, b.Shape(v))
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
	if b.Err() != nil || d.Type.Shape.Static() && d.Type.Shape.Equal(v.Type.Shape) {
		return d
	}
	return b.Expand(d, b.shapeOf(v))
}

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

// zerosLike is zeros of v's type.
func (b *Builder) zerosLike(v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.ConstantOfShape(b.shapeOf(v), onnx.NewTensor(v.Type.DType, 1))
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
