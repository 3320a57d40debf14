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

var logic = []Schema{
	{Name: "Equal", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "Greater", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "GreaterOrEqual", Since: 16, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "Less", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "LessOrEqual", Since: 16, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "And", Since: 7, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "Or", Since: 7, MinIn: 2, MaxIn: 2, Out: 1, Infer: compare},
	{Name: "Not", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
}
