package op

import "graft/onnx"

// Comparisons and Boolean operators give bool and broadcast.

func (b *Builder) Equal(x, y *onnx.Value) *onnx.Value   { return b.binary("Equal", x, y) }
func (b *Builder) Greater(x, y *onnx.Value) *onnx.Value { return b.binary("Greater", x, y) }
func (b *Builder) GreaterOrEqual(x, y *onnx.Value) *onnx.Value {
	return b.binary("GreaterOrEqual", x, y)
}
func (b *Builder) Less(x, y *onnx.Value) *onnx.Value        { return b.binary("Less", x, y) }
func (b *Builder) LessOrEqual(x, y *onnx.Value) *onnx.Value { return b.binary("LessOrEqual", x, y) }
func (b *Builder) And(x, y *onnx.Value) *onnx.Value         { return b.binary("And", x, y) }
func (b *Builder) Or(x, y *onnx.Value) *onnx.Value          { return b.binary("Or", x, y) }
func (b *Builder) Not(x *onnx.Value) *onnx.Value            { return b.unary("Not", x) }
