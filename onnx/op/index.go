package op

import "graft/onnx"

// Gather picks entries of x along axis.
func (b *Builder) Gather(x, indices *onnx.Value, axis int64) *onnx.Value {
	return b.node("Gather", []*onnx.Value{x, indices}, onnx.Int("axis", axis))
}

// ScatterElements writes updates into a copy of x at indices along axis; reduction is none or add.
func (b *Builder) ScatterElements(x, indices, updates *onnx.Value, axis int64, reduction string) *onnx.Value {
	attrs := []onnx.Attr{onnx.Int("axis", axis)}
	if reduction != "" && reduction != "none" {
		attrs = append(attrs, onnx.Str("reduction", reduction))
	}
	return b.node("ScatterElements", []*onnx.Value{x, indices, updates}, attrs...)
}

// Range is start, start+delta, ... below limit. The three are scalars of one type.
func (b *Builder) Range(start, limit, delta *onnx.Value) *onnx.Value {
	return b.node("Range", []*onnx.Value{start, limit, delta})
}

// ConstantOfShape fills a shape with the only element of value.
func (b *Builder) ConstantOfShape(dims *onnx.Value, value *onnx.Tensor) *onnx.Value {
	return b.node("ConstantOfShape", []*onnx.Value{dims}, onnx.TensorAttr("value", value))
}
