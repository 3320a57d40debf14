package op

import (
	"fmt"

	"graft/onnx"
)

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

var elementwise = []Schema{
	{Name: "Add", Since: 14, MinIn: 2, MaxIn: 2, Out: 1, Infer: broadcast},
	{Name: "Sub", Since: 14, MinIn: 2, MaxIn: 2, Out: 1, Infer: broadcast},
	{Name: "Mul", Since: 14, MinIn: 2, MaxIn: 2, Out: 1, Infer: broadcast},
	{Name: "Div", Since: 14, MinIn: 2, MaxIn: 2, Out: 1, Infer: broadcast},
	{Name: "Pow", Since: 15, MinIn: 2, MaxIn: 2, Out: 1, Infer: pow},
	{Name: "Mod", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Attributes: []string{"fmod"}, Infer: broadcast},
	{Name: "Min", Since: 13, MinIn: 1, MaxIn: -1, Out: 1, Infer: broadcast},
	{Name: "Max", Since: 13, MinIn: 1, MaxIn: -1, Out: 1, Infer: broadcast},
	{Name: "Sum", Since: 13, MinIn: 1, MaxIn: -1, Out: 1, Infer: broadcast},
	{Name: "Neg", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Abs", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Sign", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Sqrt", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Exp", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Log", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Reciprocal", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Floor", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Ceil", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Round", Since: 11, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Erf", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Sin", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Cos", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Identity", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Where", Since: 9, MinIn: 3, MaxIn: 3, Out: 1, Infer: where},
	{Name: "Clip", Since: 13, MinIn: 1, MaxIn: 3, Out: 1, Attributes: []string{"min", "max"}, Infer: sameAsInput},
	{Name: "Cast", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"to", "saturate"}, Infer: cast},
}

// pow: the base's element type; the exponent may have another.
func pow(n *onnx.Node) ([]onnx.TensorType, error) {
	s, err := broadcastInputs(n, 0)
	return one(dtypeOf(n, 0), s), err
}

func where(n *onnx.Node) ([]onnx.TensorType, error) {
	if d := dtypeOf(n, 0); d != onnx.Bool && d != onnx.Undefined {
		return nil, fmt.Errorf("condition is %v, wants bool", d)
	}
	d, err := sameTypes(n, 1, 3)
	if err != nil {
		return nil, err
	}
	s, err := broadcastInputs(n, 0)
	return one(d, s), err
}

func cast(n *onnx.Node) ([]onnx.TensorType, error) {
	to := onnx.AttrOr(n, "to", int64(0))
	if to < 0 || to > 1<<16 || !onnx.DataType(to).Valid() {
		return nil, fmt.Errorf("to = %d is not an element type", to)
	}
	return one(onnx.DataType(to), shapeOf(n, 0).Clone()), nil
}
