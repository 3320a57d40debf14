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
	binaryRow("Add", 7, arithmetic, broadcast),
	binaryRow("Sub", 7, arithmetic, broadcast),
	binaryRow("Mul", 7, arithmetic, broadcast),
	binaryRow("Div", 7, arithmetic, broadcast),
	binaryRow("Pow", 7, accepted{{7, floats}, {12, integers & signed & wide}, {13, bfloat}}, pow).lowest(powLowest),
	binaryRow("Mod", 10, numbers13, mod, "fmod"),
	row("Min", 8, 1, -1, extremum, broadcast),
	row("Max", 8, 1, -1, extremum, broadcast),
	row("Sum", 8, 1, -1, floats13, broadcast),
	row("Mean", 8, 1, -1, floats13, broadcast),
	unaryRow("Neg", 7, accepted{{7, floats | signed}, {13, bfloat}}),
	unaryRow("Abs", 7, numbers13),
	unaryRow("Sign", 9, numbers13),
	unaryRow("Sqrt", 7, floats13),
	unaryRow("Exp", 7, floats13),
	unaryRow("Log", 7, floats13),
	unaryRow("Reciprocal", 7, floats13),
	unaryRow("Floor", 7, floats13),
	unaryRow("Ceil", 7, floats13),
	unaryRow("Round", 11, floats22),
	unaryRow("Erf", 9, numbers13),
	unaryRow("Sin", 7, floats22),
	unaryRow("Cos", 7, floats22),
	unaryRow("Tan", 7, floats22),
	unaryRow("Asin", 7, floats22),
	unaryRow("Acos", 7, floats22),
	unaryRow("Atan", 7, floats22),
	unaryRow("Sinh", 9, floats22),
	unaryRow("Cosh", 9, floats22),
	unaryRow("Asinh", 9, floats22),
	unaryRow("Acosh", 9, floats22),
	unaryRow("Atanh", 9, floats22),
	row("Identity", 7, 1, 1, narrow19, identity).containers().lowest(identityLowest),
	row("Where", 9, 3, 3, accepted{{9, anything}, {16, bfloat}}, where).typedBy(1),
	row("Clip", 11, 1, 3, extremum, clip, "min", "max").lowest(clipLowest),
	row("Cast", 7, 1, 1, castable, cast, "to", "saturate", "round_mode").lowest(castLowest),
	row("BitCast", 26, 1, 1, accepted{{26, anything&^text | bfloat | float8 | int4 | float4 | exponent | int2}}, bitCast, "to"),
	row("CastLike", 15, 2, 2, castable, castLike, "saturate", "round_mode").lowest(castLowest),
}

var castable = accepted{{7, floats | integers | boolean}, {9, text}, {13, bfloat}, {19, float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}}

func identity(n *onnx.Node) ([]onnx.TensorType, error) {
	if typeOf(n, 0).Of != nil {
		return []onnx.TensorType{typeOf(n, 0)}, nil
	}
	return sameAsInput(n)
}

// identityLowest: sequences came with 14, optionals with 16.
func identityLowest(n *onnx.Node) int64 { return max(7, containersLowest(typeOf(n, 0), 14)) }

// containersLowest is the opset in which an operator hands on t: sequences since the given one, optionals since 16; 0 for
// tensors.
func containersLowest(t onnx.TensorType, sequences int64) int64 {
	switch {
	case t.Of == nil:
		return 0
	case t.Of.Kind == onnx.Optional:
		return 16
	}
	return sequences
}

// powLowest: base and exponent have one type up to opset 11.
func powLowest(n *onnx.Node) int64 {
	switch x, y := dtypeOf(n, 0), dtypeOf(n, 1); {
	case x == y:
		return 7
	case y == onnx.BFloat16:
		return 15
	}
	return 12
}

// clipLowest: the bounds are inputs since 11.
func clipLowest(n *onnx.Node) int64 {
	if n.NumInputs() == 1 {
		return 7
	}
	return 11
}

// castLowest: the type that is made counts as the one that is read; saturate came with the 8-bit floats.
func castLowest(n *onnx.Node) int64 {
	low := int64(7)
	if _, ok := n.Attr("saturate"); ok {
		low = 19
	}
	if _, ok := n.Attr("round_mode"); ok {
		low = 24
	}
	to := dtypeOf(n, 1)
	if n.Is("Cast") {
		to = onnx.DataType(onnx.AttrOr(n, "to", int64(0)))
	}
	since, _ := castable.since(to)
	return max(low, since)
}

// mod: floating-point types have only the remainder with the dividend's sign.
func mod(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	if onnx.AttrOr(n, "fmod", int64(0)) == 0 && (floats | bfloat).has(d) {
		return nil, fmt.Errorf("%v needs fmod = 1", d)
	}
	return broadcast(n)
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

// bitCast: the same bits under another type of the same width.
func bitCast(n *onnx.Node) ([]onnx.TensorType, error) {
	if _, ok := n.Attr("to"); !ok {
		return nil, fmt.Errorf("to is missing")
	}
	d, err := typeAttr(n, "to", onnx.Undefined, anything&^text|bfloat|float8|int4|float4|exponent|int2)
	if err != nil {
		return nil, err
	}
	if x := dtypeOf(n, 0); x != onnx.Undefined && x.Bits() != d.Bits() {
		return nil, fmt.Errorf("%v has %d bits, %v has %d", x, x.Bits(), d, d.Bits())
	}
	return one(d, shapeOf(n, 0).Clone()), nil
}

func castLike(n *onnx.Node) ([]onnx.TensorType, error) {
	return one(dtypeOf(n, 1), shapeOf(n, 0).Clone()), nil
}

// clip: the bounds are scalars of x's element type.
func clip(n *onnx.Node) ([]onnx.TensorType, error) {
	if _, err := sameTypes(n, 0, n.NumInputs()); err != nil {
		return nil, err
	}
	for i := 1; i < n.NumInputs(); i++ {
		if b := shapeOf(n, i); len(b) > 1 || (len(b) == 1 && b[0].Known() && b[0].Size != 1) {
			return nil, fmt.Errorf("bound has shape %v, wants a scalar", b)
		}
	}
	return sameAsInput(n)
}
