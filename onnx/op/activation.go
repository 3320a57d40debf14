package op

import (
	"fmt"

	"graft/onnx"
)

func (b *Builder) Relu(x *onnx.Value) *onnx.Value     { return b.unary("Relu", x) }
func (b *Builder) Sigmoid(x *onnx.Value) *onnx.Value  { return b.unary("Sigmoid", x) }
func (b *Builder) Tanh(x *onnx.Value) *onnx.Value     { return b.unary("Tanh", x) }
func (b *Builder) Softplus(x *onnx.Value) *onnx.Value { return b.unary("Softplus", x) }

// LeakyRelu is x where x >= 0, alpha*x elsewhere.
func (b *Builder) LeakyRelu(x *onnx.Value, alpha float32) *onnx.Value {
	return b.node("LeakyRelu", []*onnx.Value{x}, onnx.Float32("alpha", alpha))
}

// Softmax normalizes exp(x) to the sum 1 along axis.
func (b *Builder) Softmax(x *onnx.Value, axis int64) *onnx.Value {
	return b.node("Softmax", []*onnx.Value{x}, onnx.Int("axis", axis))
}

// LogSoftmax is the logarithm of Softmax.
func (b *Builder) LogSoftmax(x *onnx.Value, axis int64) *onnx.Value {
	return b.node("LogSoftmax", []*onnx.Value{x}, onnx.Int("axis", axis))
}

// Gelu is x times the normal distribution function of x, exactly or, where tanh is set, by the tanh formula. It needs
// opset 20.
func (b *Builder) Gelu(x *onnx.Value, tanh bool) *onnx.Value {
	if tanh {
		return b.node("Gelu", []*onnx.Value{x}, onnx.Str("approximate", "tanh"))
	}
	return b.unary("Gelu", x)
}

var activation = []Schema{
	unaryRow("Relu", 7, accepted{{7, floats}, {13, bfloat}, {14, signed}}),
	unaryRow("Sigmoid", 7, floats13),
	unaryRow("Tanh", 7, floats13),
	unaryRow("Softplus", 7, floats22),
	unaryRow("Softsign", 7, floats22),
	unaryRow("LeakyRelu", 7, floats16, "alpha"),
	unaryRow("Elu", 7, floats22, "alpha"),
	unaryRow("Selu", 7, floats22, "alpha", "gamma"),
	unaryRow("Celu", 12, accepted{{12, setOf(onnx.Float)}, {28, floats | bfloat}}, "alpha"),
	unaryRow("ThresholdedRelu", 10, floats22, "alpha"),
	unaryRow("HardSigmoid", 7, floats22, "alpha", "beta"),
	unaryRow("HardSwish", 14, floats22),
	unaryRow("Mish", 18, floats22),
	unaryRow("Gelu", 20, floats13, "approximate"),
	unaryRow("Shrink", 9, accepted{{9, floats | integers}}, "bias", "lambd"),
	unaryRow("Swish", 24, accepted{{24, floats | bfloat}}, "alpha"),
	row("SwiGLU", 28, 2, 2, accepted{{28, floats | bfloat}}, gated, "alpha"),
	row("PRelu", 7, 2, 2, accepted{{7, floats}, {9, wide}, {16, bfloat}}, prelu),
	row("Softmax", 13, 1, 1, floats13, alongAxis(-1), "axis"),
	row("LogSoftmax", 13, 1, 1, floats13, alongAxis(-1), "axis"),
	row("Hardmax", 13, 1, 1, floats13, alongAxis(-1), "axis"),
	row("Dropout", 7, 1, 3, accepted{{7, floats}, {13, bfloat}, {22, float8}}, dropout, "ratio", "seed").outs(2).lowest(dropoutLowest),
}

// alongAxis: the input's type, for an operator that works along an axis.
func alongAxis(def int64) rule {
	return func(n *onnx.Node) ([]onnx.TensorType, error) {
		if x := shapeOf(n, 0); x.Ranked() {
			axis := onnx.AttrOr(n, "axis", def)
			if _, err := axisOf(axis, len(x)); err != nil && (len(x) > 0 || (axis != 0 && axis != -1)) {
				return nil, err
			}
		}
		return sameAsInput(n)
	}
}

// gated: gate and value have one type; they do not broadcast.
func gated(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, 2)
	if err != nil {
		return nil, err
	}
	gate, value := shapeOf(n, 0), shapeOf(n, 1)
	if !gate.Ranked() {
		return one(d, value.Clone()), nil
	}
	if !value.Ranked() {
		return one(d, gate.Clone()), nil
	}
	out, same := gate.Clone(), len(gate) == len(value)
	for i := 0; same && i < len(value); i++ {
		out[i], same = mergeDim(out[i], value[i])
	}
	if !same {
		return nil, fmt.Errorf("gate %v and value %v have different shapes", gate, value)
	}
	return one(d, out), nil
}

// prelu: the slope broadcasts to x, never the other way round.
func prelu(n *onnx.Node) ([]onnx.TensorType, error) {
	if _, err := sameTypes(n, 0, 2); err != nil {
		return nil, err
	}
	if x, slope := shapeOf(n, 0), shapeOf(n, 1); x.Ranked() && slope.Ranked() {
		if err := broadcastsTo(slope, x); err != nil {
			return nil, fmt.Errorf("slope: %w", err)
		}
	}
	return sameAsInput(n)
}

func dropoutLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("seed"); ok || n.NumInputs() > 1 {
		return 12
	}
	if n.NumOutputs() > 1 {
		return 10
	}
	return 7
}

func dropout(n *onnx.Node) ([]onnx.TensorType, error) {
	t := one(dtypeOf(n, 0), shapeOf(n, 0).Clone())
	if n.NumOutputs() > 1 {
		t = append(t, onnx.TensorType{DType: onnx.Bool, Shape: shapeOf(n, 0).Clone()})
	}
	return t, nil
}
