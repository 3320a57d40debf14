package op

import "graft/onnx"

// Reshape gives x the shape dims; one of them may be -1, and 0 keeps x's.
func (b *Builder) Reshape(x *onnx.Value, dims ...int64) *onnx.Value {
	return b.ReshapeTo(x, b.Ints(dims...))
}

// ReshapeTo gives x the shape that a value holds.
func (b *Builder) ReshapeTo(x, dims *onnx.Value) *onnx.Value { return b.binary("Reshape", x, dims) }

// Shape is x's shape as an int64 vector.
func (b *Builder) Shape(x *onnx.Value) *onnx.Value { return b.unary("Shape", x) }

// ShapeSlice is the dimensions of x from the axis from to the one before to.
func (b *Builder) ShapeSlice(x *onnx.Value, from, to int64) *onnx.Value {
	return b.node("Shape", []*onnx.Value{x}, onnx.Int("start", from), onnx.Int("end", to))
}

// Expand broadcasts x to a shape.
func (b *Builder) Expand(x, dims *onnx.Value) *onnx.Value { return b.binary("Expand", x, dims) }

// Squeeze removes axes of size 1.
func (b *Builder) Squeeze(x *onnx.Value, axes ...int64) *onnx.Value {
	return b.binary("Squeeze", x, b.Ints(axes...))
}

// Unsqueeze inserts axes of size 1.
func (b *Builder) Unsqueeze(x *onnx.Value, axes ...int64) *onnx.Value {
	return b.binary("Unsqueeze", x, b.Ints(axes...))
}

// Flatten makes x a matrix: the dimensions before axis times those from it on.
func (b *Builder) Flatten(x *onnx.Value, axis int64) *onnx.Value {
	return b.node("Flatten", []*onnx.Value{x}, onnx.Int("axis", axis))
}

// Concat joins along axis.
func (b *Builder) Concat(axis int64, xs ...*onnx.Value) *onnx.Value {
	return b.node("Concat", xs, onnx.Int("axis", axis))
}

// Split cuts x along axis into parts of the given sizes.
func (b *Builder) Split(x *onnx.Value, axis int64, sizes ...int64) []*onnx.Value {
	return b.Node("Split", []*onnx.Value{x, b.Ints(sizes...)}, len(sizes), onnx.Int("axis", axis))
}

// Tile repeats x along every axis.
func (b *Builder) Tile(x *onnx.Value, repeats ...int64) *onnx.Value {
	return b.binary("Tile", x, b.Ints(repeats...))
}

// SliceSpec cuts one axis: from Start to End by Step (0 means 1). Negative bounds count from the end; End beyond the axis
// means its end. With a negative step, math.MinInt64 as End means through the first element.
type SliceSpec struct{ Axis, Start, End, Step int64 }

// Slice cuts x along the named axes.
func (b *Builder) Slice(x *onnx.Value, specs ...SliceSpec) *onnx.Value {
	var starts, ends, axes, steps []int64
	for _, s := range specs {
		if s.Step == 0 {
			s.Step = 1
		}
		starts, ends, axes, steps = append(starts, s.Start), append(ends, s.End), append(axes, s.Axis), append(steps, s.Step)
	}
	return b.node("Slice", []*onnx.Value{x, b.Ints(starts...), b.Ints(ends...), b.Ints(axes...), b.Ints(steps...)})
}

// Pad grows x: pads holds the begins of every axis, then the ends; mode is constant, reflect or edge. A constant pad puts
// zeros. Negative constant pads cut.
func (b *Builder) Pad(x *onnx.Value, mode string, pads ...int64) *onnx.Value {
	var attrs []onnx.Attr
	if mode != "" && mode != "constant" {
		attrs = append(attrs, onnx.Str("mode", mode))
	}
	return b.node("Pad", []*onnx.Value{x, b.Ints(pads...)}, attrs...)
}
