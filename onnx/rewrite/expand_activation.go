package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Swish is y = x sigmoid(alpha x).
func Swish(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return []*onnx.Value{swish(b, n, n.Input(0))}
}

// SwiGLU is y = a sigmoid(alpha a) c with the gate a and the value c.
func SwiGLU(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return []*onnx.Value{b.Mul(swish(b, n, n.Input(0)), n.Input(1))}
}

func swish(b *op.Builder, n *onnx.Node, x *onnx.Value) *onnx.Value {
	steep := x
	if alpha := onnx.AttrOr(n, "alpha", float32(1)); alpha != 1 {
		steep = b.Mul(x, b.Scalar(x, float64(alpha)))
	}
	return b.Mul(x, b.Sigmoid(steep))
}
