package op

import "graft/onnx"

func (b *Builder) Relu(x *onnx.Value) *onnx.Value     { return b.unary("Relu", x) }
func (b *Builder) Sigmoid(x *onnx.Value) *onnx.Value  { return b.unary("Sigmoid", x) }
func (b *Builder) Tanh(x *onnx.Value) *onnx.Value     { return b.unary("Tanh", x) }
func (b *Builder) Softplus(x *onnx.Value) *onnx.Value { return b.unary("Softplus", x) }

// LeakyRelu is x where x >= 0, alpha*x elsewhere.
func (b *Builder) LeakyRelu(x *onnx.Value, alpha float32) *onnx.Value {
	return b.node("LeakyRelu", []*onnx.Value{x}, onnx.Float32("alpha", alpha))
}

// Softmax is exp(x) over its sum along axis.
func (b *Builder) Softmax(x *onnx.Value, axis int64) *onnx.Value {
	return b.node("Softmax", []*onnx.Value{x}, onnx.Int("axis", axis))
}

// LogSoftmax is the logarithm of Softmax, without overflow.
func (b *Builder) LogSoftmax(x *onnx.Value, axis int64) *onnx.Value {
	return b.node("LogSoftmax", []*onnx.Value{x}, onnx.Int("axis", axis))
}

var activation = []Schema{
	{Name: "Relu", Since: 14, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Sigmoid", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Tanh", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Softplus", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Infer: sameAsInput},
	{Name: "Softmax", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"axis"}, Infer: inferSoftmax},
	{Name: "LogSoftmax", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"axis"}, Infer: inferSoftmax},
	{Name: "LeakyRelu", Since: 7, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"alpha"}, Infer: sameAsInput},
}

func inferSoftmax(n *onnx.Node) ([]onnx.TensorType, error) {
	if x := shapeOf(n, 0); x.Ranked() {
		if _, err := axisOf(onnx.AttrOr(n, "axis", int64(-1)), len(x)); err != nil {
			return nil, err
		}
	}
	return sameAsInput(n)
}
