package autodiff

import "graft/onnx"

var activation = []row{
	{op: "Relu", grad: of(gradRelu)},
	{op: "LeakyRelu", grad: of(gradLeakyRelu)},
	{op: "Sigmoid", grad: of(gradSigmoid)},
	{op: "Tanh", grad: of(gradTanh)},
	{op: "Softplus", grad: of(gradSoftplus)},
	{op: "Softmax", grad: of(gradSoftmax)},
	{op: "LogSoftmax", grad: of(gradLogSoftmax)},
}

// y = max(x, 0): dx = dy where y > 0, else 0. sign y is 0 or 1.
func gradRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.Sign(n.Output(0)))
}

// y = x where x >= 0, alpha x elsewhere: dx = dy where x >= 0, alpha dy elsewhere.
func gradLeakyRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	alpha := float64(onnx.AttrOr(n, "alpha", float32(0.01)))
	return b.Where(b.Less(x, b.Scalar(x, 0)), b.Mul(dy, b.Scalar(dy, alpha)), dy)
}

// y = 1/(1+exp(-x)): dx = dy y (1-y).
func gradSigmoid(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	return b.Mul(dy, b.Mul(y, b.Sub(b.Scalar(y, 1), y)))
}

// y = tanh x: dx = dy (1-y^2).
func gradTanh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	return b.Mul(dy, b.Sub(b.Scalar(y, 1), b.Mul(y, y)))
}

// y = log(1+exp x): dx = dy sigmoid x.
func gradSoftplus(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.Sigmoid(n.Input(0)))
}

// y = exp x / sum exp x along an axis: dx = y (dy - sum dy y).
func gradSoftmax(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y, axis := n.Output(0), onnx.AttrOr(n, "axis", int64(-1))
	weighted := b.Mul(dy, y)
	return b.Sub(weighted, b.Mul(y, b.ReduceSum(weighted, true, axis)))
}

// y = x - log sum exp x along an axis: dx = dy - exp y sum dy.
func gradLogSoftmax(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Sub(dy, b.Mul(b.Exp(n.Output(0)), b.ReduceSum(dy, true, onnx.AttrOr(n, "axis", int64(-1)))))
}
