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
	{op: "Hardmax", zero: true},
	{op: "Celu", none: later},
	{op: "Dropout", none: later},
	{op: "Elu", none: later},
	{op: "Gelu", none: later},
	{op: "HardSigmoid", none: later},
	{op: "HardSwish", none: later},
	{op: "Mish", none: later},
	{op: "PRelu", none: later},
	{op: "Selu", none: later},
	{op: "Softsign", none: later},
	{op: "ThresholdedRelu", none: later},
}

// y = max(x, 0): dx = dy where x > 0, else 0.
func gradRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	return b.Where(b.Greater(y, b.Scalar(y, 0)), dy, b.Scalar(dy, 0))
}

// y = x where x >= 0, alpha x elsewhere: dx = dy times 1 where x > 0 and alpha elsewhere.
func gradLeakyRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0) // of the sign of x when alpha is positive
	alpha := float64(onnx.AttrOr(n, "alpha", float32(0.01)))
	steep := steepest(y)
	if alpha <= 0 || alpha >= 1 || steep == 0 {
		x := n.Input(0)
		return b.Where(b.Greater(x, b.Scalar(x, 0)), dy, b.Mul(dy, b.Scalar(dy, alpha)))
	}
	// A slope so steep that it is 1 or alpha after clipping: three vectorized passes, where a comparison and a choice take
	// 1.6 times as long on ONNX Runtime. Zero lies below alpha, out of the range where Clip has a gradient.
	return b.Mul(dy, b.Clip(b.Mul(y, b.Scalar(y, steep)), b.Scalar(y, alpha), b.Scalar(y, 1)))
}

// steepest is a factor that takes every number of v's element type that matters out of [0,1]; 0 when the type is too narrow.
func steepest(v *onnx.Value) float64 {
	if v == nil {
		return 0
	}
	switch v.Type.DType {
	case onnx.Float:
		return 1e30
	case onnx.Double:
		return 1e200
	}
	return 0
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
