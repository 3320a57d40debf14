package autodiff

import (
	"math"

	"graft/onnx"
)

// Activations that are smooth, or smooth but for a kink.

// attribute reads a floating-point attribute.
func attribute(n *onnx.Node, name string, def float32) float64 {
	return float64(onnx.AttrOr(n, name, def))
}

// exponentialUnit is the cotangent of y = right x where x > 0 and right left (exp(x/width) - 1) elsewhere: dx = dy right
// there, and elsewhere dy (y + right left)/width.
func (b *Builder) exponentialUnit(n *onnx.Node, dy *onnx.Value, right, left, width float64) *onnx.Value {
	y := n.Output(0)
	sign := y // of the sign of x
	if right <= 0 || left*width <= 0 {
		sign = n.Input(0)
	}
	slope := b.Add(y, b.Scalar(y, right*left))
	if width != 1 {
		slope = b.Mul(slope, b.Scalar(y, 1/width))
	}
	return b.Mul(dy, b.Where(b.Greater(sign, b.Scalar(y, 0)), b.Scalar(y, right), slope))
}

// y = x where x > 0, alpha (exp x - 1) elsewhere: dx = dy, or dy (y + alpha).
func gradElu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.exponentialUnit(n, dy, 1, attribute(n, "alpha", 1), 1)
}

// y = x where x > 0, alpha (exp(x/alpha) - 1) elsewhere: dx = dy, or dy (y + alpha)/alpha.
func gradCelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	alpha := attribute(n, "alpha", 1)
	return b.exponentialUnit(n, dy, 1, alpha, alpha)
}

// y = gamma x where x > 0, gamma alpha (exp x - 1) elsewhere: dx = dy gamma, or dy (y + gamma alpha).
func gradSelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.exponentialUnit(n, dy, attribute(n, "gamma", 1.05070102214813232421875), attribute(n, "alpha", 1.67326319217681884765625), 1)
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

// y = x/(1+|x|): dx = dy / (1+|x|)^2.
func gradSoftsign(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	size := b.Add(b.Abs(x), b.Scalar(x, 1))
	return b.Div(dy, b.Mul(size, size))
}

// y = x F(x) with F and f the distribution and density of the normal law: dx = dy (F(x) + x f(x)). With approximate = tanh,
// F is (1 + tanh u)/2 with u = sqrt(2/pi) (x + c x^3), c = 0.044715, and f = (1 - tanh^2 u)/2 sqrt(2/pi) (1 + 3 c x^2).
func gradGelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	half, one := b.Scalar(x, 0.5), b.Scalar(x, 1)
	square := b.Mul(x, x)
	if onnx.AttrOr(n, "approximate", "none") == "tanh" {
		const c = 0.044715
		root := math.Sqrt(2 / math.Pi)
		u := b.Mul(x, b.Add(b.Mul(square, b.Scalar(x, root*c)), b.Scalar(x, root)))
		t := b.Tanh(u)
		slope := b.Add(b.Mul(square, b.Scalar(x, 1.5*root*c)), b.Scalar(x, root/2))
		density := b.Mul(b.Sub(one, b.Mul(t, t)), slope)
		return b.Mul(dy, b.Add(b.Add(b.Mul(t, half), half), b.Mul(x, density)))
	}
	distribution := b.Add(b.Mul(b.Erf(b.Mul(x, b.Scalar(x, math.Sqrt2/2))), half), half)
	density := b.Mul(b.Exp(b.Mul(square, b.Scalar(x, -0.5))), b.Scalar(x, 1/math.Sqrt(2*math.Pi)))
	return b.Mul(dy, b.Add(distribution, b.Mul(x, density)))
}

// y = x t with t = tanh(log(1+exp x)): dx = dy (t + x (1-t^2) sigmoid x).
func gradMish(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	t := b.Tanh(b.Softplus(x))
	slope := b.Mul(b.Sub(b.Scalar(x, 1), b.Mul(t, t)), b.Sigmoid(x))
	return b.Mul(dy, b.Add(t, b.Mul(x, slope)))
}
