package op

import "graft/onnx"

// MatMul is the matrix product of the last two dimensions; the others broadcast.
func (b *Builder) MatMul(x, y *onnx.Value) *onnx.Value { return b.binary("MatMul", x, y) }

// GemmAttrs are Gemm's attributes; zero Alpha and Beta mean 1.
type GemmAttrs struct {
	Alpha, Beta    float32
	TransA, TransB bool
}

// Gemm is alpha*A'*B' + beta*C for matrices; c may be nil.
func (b *Builder) Gemm(x, y, c *onnx.Value, a GemmAttrs) *onnx.Value {
	return b.node("Gemm", []*onnx.Value{x, y, c}, a.attrs()...)
}

// GemmAttrsOf reads a node's attributes.
func GemmAttrsOf(n *onnx.Node) GemmAttrs {
	return GemmAttrs{
		Alpha: onnx.AttrOr(n, "alpha", float32(1)), Beta: onnx.AttrOr(n, "beta", float32(1)),
		TransA: onnx.AttrOr(n, "transA", int64(0)) != 0, TransB: onnx.AttrOr(n, "transB", int64(0)) != 0,
	}
}

func (a GemmAttrs) attrs() []onnx.Attr {
	var out []onnx.Attr
	if a.Alpha != 0 && a.Alpha != 1 {
		out = append(out, onnx.Float32("alpha", a.Alpha))
	}
	if a.Beta != 0 && a.Beta != 1 {
		out = append(out, onnx.Float32("beta", a.Beta))
	}
	if a.TransA {
		out = append(out, onnx.Int("transA", 1))
	}
	if a.TransB {
		out = append(out, onnx.Int("transB", 1))
	}
	return out
}

// Transpose permutes the dimensions; without perm it reverses them.
func (b *Builder) Transpose(x *onnx.Value, perm ...int64) *onnx.Value {
	if len(perm) == 0 {
		return b.unary("Transpose", x)
	}
	return b.node("Transpose", []*onnx.Value{x}, onnx.Ints("perm", perm...))
}
