package op

import (
	"fmt"

	"graft/onnx"
)

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

var matrix = []Schema{
	row("MatMul", 7, 2, 2, product9, matMul),
	row("Gemm", 7, 2, 3, product9, gemm, "alpha", "beta", "transA", "transB").lowest(gemmLowest),
	row("Transpose", 7, 1, 1, narrow21, transpose, "perm"),
	row("Einsum", 12, 1, -1, accepted{{12, floats | integers}, {28, bfloat}}, inferEinsum, "equation"),
	row("Trilu", 14, 1, 2, accepted{{14, anything | bfloat}}, trilu, "upper"),
	row("Det", 11, 1, 1, floats22, det),
}

// gemmLowest: C may be absent since 11.
func gemmLowest(n *onnx.Node) int64 {
	if n.Input(2) == nil {
		return 11
	}
	return 7
}

// det: matrices [..., M, M] to [...].
func det(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, nil), nil
	}
	if len(x) < 2 {
		return nil, fmt.Errorf("input has rank %d, wants 2 or more", len(x))
	}
	if _, ok := mergeDim(x[len(x)-2], x[len(x)-1]); !ok {
		return nil, fmt.Errorf("%v is no square matrix", x)
	}
	return one(d, x[:len(x)-2].Clone()), nil
}

func trilu(n *onnx.Node) ([]onnx.TensorType, error) {
	if x := shapeOf(n, 0); x.Ranked() && len(x) < 2 {
		return nil, fmt.Errorf("input has rank %d, wants 2 or more", len(x))
	}
	return sameAsInput(n)
}

func matMul(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, 2)
	if err != nil {
		return nil, err
	}
	x, y := shapeOf(n, 0), shapeOf(n, 1)
	if !x.Ranked() || !y.Ranked() {
		return one(d, nil), nil
	}
	s, err := matMulShape(x, y)
	return one(d, s), err
}

// matMulShape follows numpy.matmul: a vector on the left is a row, on the right a column, and its added axis goes again.
func matMulShape(x, y onnx.Shape) (onnx.Shape, error) {
	if len(x) == 0 || len(y) == 0 {
		return nil, fmt.Errorf("scalar operand: %v x %v", x, y)
	}
	a, b := x, y
	if len(a) == 1 {
		a = onnx.Shape{size(1), a[0]}
	}
	if len(b) == 1 {
		b = onnx.Shape{b[0], size(1)}
	}
	if _, ok := mergeDim(a[len(a)-1], b[len(b)-2]); !ok {
		return nil, fmt.Errorf("inner dimensions differ: %v x %v", x, y)
	}
	out, err := broadcastShapes(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return nil, err
	}
	if len(x) > 1 {
		out = append(out, a[len(a)-2])
	}
	if len(y) > 1 {
		out = append(out, b[len(b)-1])
	}
	return out, nil
}

func gemm(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	g := GemmAttrsOf(n)
	rows, inner, err := matrixDims("first operand", shapeOf(n, 0), g.TransA)
	if err != nil {
		return nil, err
	}
	inner2, cols, err := matrixDims("second operand", shapeOf(n, 1), g.TransB)
	if err != nil {
		return nil, err
	}
	if _, ok := mergeDim(inner, inner2); !ok {
		return nil, fmt.Errorf("inner dimensions differ: %v x %v", shapeOf(n, 0), shapeOf(n, 1))
	}
	out := onnx.Shape{rows, cols}
	if c := shapeOf(n, 2); c.Ranked() {
		if err := broadcastsTo(c, out); err != nil {
			return nil, fmt.Errorf("third operand: %w", err)
		}
	}
	return one(d, out), nil
}

func matrixDims(name string, s onnx.Shape, trans bool) (rows, cols onnx.Dim, err error) {
	switch {
	case !s.Ranked():
		return onnx.UnknownDim, onnx.UnknownDim, nil
	case len(s) != 2:
		return rows, cols, fmt.Errorf("%s has rank %d, wants 2", name, len(s))
	case trans:
		return s[1], s[0], nil
	}
	return s[0], s[1], nil
}

func transpose(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	perm := onnx.AttrOr[[]int64](n, "perm", nil)
	if !x.Ranked() {
		return one(dtypeOf(n, 0), nil), nil
	}
	out := make(onnx.Shape, len(x))
	if perm == nil {
		for i, d := range x {
			out[len(x)-1-i] = d
		}
		return one(dtypeOf(n, 0), out), nil
	}
	if len(perm) != len(x) {
		return nil, fmt.Errorf("perm has %d entries, input has rank %d", len(perm), len(x))
	}
	seen := make([]bool, len(x))
	for i, p := range perm {
		if p < 0 || p >= int64(len(x)) || seen[p] {
			return nil, fmt.Errorf("perm %v is not a permutation of rank %d", perm, len(x))
		}
		seen[p], out[i] = true, x[p]
	}
	return one(dtypeOf(n, 0), out), nil
}
