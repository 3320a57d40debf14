package op

import "graft/onnx"

// Element-wise arithmetic. Binary operators broadcast as NumPy does.

func (b *Builder) binary(op string, x, y *onnx.Value) *onnx.Value {
	return b.node(op, []*onnx.Value{x, y})
}
func (b *Builder) unary(op string, x *onnx.Value) *onnx.Value { return b.node(op, []*onnx.Value{x}) }

func (b *Builder) Add(x, y *onnx.Value) *onnx.Value     { return b.binary("Add", x, y) }
func (b *Builder) Sub(x, y *onnx.Value) *onnx.Value     { return b.binary("Sub", x, y) }
func (b *Builder) Mul(x, y *onnx.Value) *onnx.Value     { return b.binary("Mul", x, y) }
func (b *Builder) Div(x, y *onnx.Value) *onnx.Value     { return b.binary("Div", x, y) }
func (b *Builder) Pow(x, y *onnx.Value) *onnx.Value     { return b.binary("Pow", x, y) }
func (b *Builder) Min(xs ...*onnx.Value) *onnx.Value    { return b.node("Min", xs) }
func (b *Builder) Max(xs ...*onnx.Value) *onnx.Value    { return b.node("Max", xs) }
func (b *Builder) Sum(xs ...*onnx.Value) *onnx.Value    { return b.node("Sum", xs) }
func (b *Builder) Neg(x *onnx.Value) *onnx.Value        { return b.unary("Neg", x) }
func (b *Builder) Abs(x *onnx.Value) *onnx.Value        { return b.unary("Abs", x) }
func (b *Builder) Sign(x *onnx.Value) *onnx.Value       { return b.unary("Sign", x) }
func (b *Builder) Sqrt(x *onnx.Value) *onnx.Value       { return b.unary("Sqrt", x) }
func (b *Builder) Exp(x *onnx.Value) *onnx.Value        { return b.unary("Exp", x) }
func (b *Builder) Log(x *onnx.Value) *onnx.Value        { return b.unary("Log", x) }
func (b *Builder) Reciprocal(x *onnx.Value) *onnx.Value { return b.unary("Reciprocal", x) }
func (b *Builder) Floor(x *onnx.Value) *onnx.Value      { return b.unary("Floor", x) }
func (b *Builder) Ceil(x *onnx.Value) *onnx.Value       { return b.unary("Ceil", x) }
func (b *Builder) Round(x *onnx.Value) *onnx.Value      { return b.unary("Round", x) }
func (b *Builder) Erf(x *onnx.Value) *onnx.Value        { return b.unary("Erf", x) }
func (b *Builder) Sin(x *onnx.Value) *onnx.Value        { return b.unary("Sin", x) }
func (b *Builder) Cos(x *onnx.Value) *onnx.Value        { return b.unary("Cos", x) }
func (b *Builder) Identity(x *onnx.Value) *onnx.Value   { return b.unary("Identity", x) }
func (b *Builder) Where(c, x, y *onnx.Value) *onnx.Value {
	return b.node("Where", []*onnx.Value{c, x, y})
}
func (b *Builder) Clip(x, lo, hi *onnx.Value) *onnx.Value {
	return b.node("Clip", []*onnx.Value{x, lo, hi})
}

// Mod is the remainder with the divisor's sign for integers (fmod = 0).
func (b *Builder) Mod(x, y *onnx.Value) *onnx.Value { return b.binary("Mod", x, y) }

// Cast converts the element type.
func (b *Builder) Cast(x *onnx.Value, to onnx.DataType) *onnx.Value {
	return b.node("Cast", []*onnx.Value{x}, onnx.Int("to", int64(to)))
}
