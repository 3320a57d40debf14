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

var (
	equalTypes = accepted{{7, boolean | setOf(onnx.Int32, onnx.Int64)}, {11, floats | integers}, {13, bfloat}, {19, text}}
	orderTypes = accepted{{7, floats}, {9, integers}, {13, bfloat}}
	atLeast    = accepted{{12, floats | integers}, {16, bfloat}}
)

var logic = []Schema{
	binaryRow("Equal", 7, equalTypes, compare),
	binaryRow("Greater", 7, orderTypes, compare),
	binaryRow("GreaterOrEqual", 12, atLeast, compare),
	binaryRow("Less", 7, orderTypes, compare),
	binaryRow("LessOrEqual", 12, atLeast, compare),
	binaryRow("And", 7, booleans, compare),
	binaryRow("Or", 7, booleans, compare),
	binaryRow("Xor", 7, booleans, compare),
	unaryRow("Not", 7, booleans),
	binaryRow("BitShift", 11, accepted{{11, unsigned}, {28, signed}}, broadcast, "direction"),
	binaryRow("BitwiseAnd", 18, accepted{{18, integers}}, broadcast),
	binaryRow("BitwiseOr", 18, accepted{{18, integers}}, broadcast),
	binaryRow("BitwiseXor", 18, accepted{{18, integers}}, broadcast),
	unaryRow("BitwiseNot", 18, accepted{{18, integers}}),
	row("IsNaN", 9, 1, 1, accepted{{9, floats}, {13, bfloat}, {20, float8}}, toBool),
	row("IsInf", 10, 1, 1, accepted{{10, setOf(onnx.Float, onnx.Double)}, {20, floats | bfloat | float8}}, toBool,
		"detect_negative", "detect_positive"),
}

func toBool(n *onnx.Node) ([]onnx.TensorType, error) {
	return one(onnx.Bool, shapeOf(n, 0).Clone()), nil
}
