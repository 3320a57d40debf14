package autodiff

import "graft/onnx"

// y = sin x: dx = dy cos x.
func gradSin(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.Cos(n.Input(0)))
}

// y = cos x: dx = -dy sin x.
func gradCos(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Neg(b.Mul(dy, b.Sin(n.Input(0))))
}

// y = tan x: dx = dy (1 + y^2).
func gradTan(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.onePlusSquare(n.Output(0)))
}

// y = arcsin x: dx = dy / sqrt(1 - x^2).
func gradAsin(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Div(dy, b.Sqrt(b.oneMinusSquare(n.Input(0))))
}

// y = arccos x: dx = -dy / sqrt(1 - x^2).
func gradAcos(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Neg(gradAsin(b, n, dy))
}

// y = arctan x: dx = dy / (1 + x^2).
func gradAtan(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Div(dy, b.onePlusSquare(n.Input(0)))
}

// y = sinh x: dx = dy cosh x.
func gradSinh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.one("Cosh", n.Input(0)))
}

// y = cosh x: dx = dy sinh x.
func gradCosh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Mul(dy, b.one("Sinh", n.Input(0)))
}

// y = arsinh x: dx = dy / sqrt(1 + x^2).
func gradAsinh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Div(dy, b.Sqrt(b.onePlusSquare(n.Input(0))))
}

// y = arcosh x: dx = dy / sqrt(x^2 - 1).
func gradAcosh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	one := b.Scalar(x, 1)
	return b.Div(dy, b.Sqrt(b.Mul(b.Sub(x, one), b.Add(x, one))))
}

// y = artanh x: dx = dy / (1 - x^2).
func gradAtanh(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	return b.Div(dy, b.oneMinusSquare(n.Input(0)))
}

// oneMinusSquare is 1 - x^2, as (1-x)(1+x), which keeps its digits near 1.
func (b *Builder) oneMinusSquare(x *onnx.Value) *onnx.Value {
	one := b.Scalar(x, 1)
	return b.Mul(b.Sub(one, x), b.Add(one, x))
}

// onePlusSquare is 1 + x^2.
func (b *Builder) onePlusSquare(x *onnx.Value) *onnx.Value {
	return b.Add(b.Mul(x, x), b.Scalar(x, 1))
}

// one adds a node of one input and one output.
func (b *Builder) one(name string, x *onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	return b.Node(name, []*onnx.Value{x}, 1, attrs...)[0]
}
