package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

var matrix = []row{
	{op: "MatMul", grad: gradMatMul},
	{op: "Gemm", grad: gradGemm},
	{op: "Transpose", grad: of(gradTranspose)},
	{op: "Einsum", grad: gradEinsum},
	{op: "Det", grad: of(gradDet)},
	{op: "MatMulInteger", none: integer},
}

// Y = A B over the last two dimensions: dA = dY B', dB = A' dY. A vector stands for a row (A) or a column (B).
func gradMatMul(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w, d := n.Input(0), n.Input(1), dy[0]
	rx, ok := b.rank(x)
	rw, ok2 := b.rank(w)
	if !ok || !ok2 {
		return nil
	}
	switch { // the dimensions that the product left out come back with size 1
	case rx == 1 && rw == 1:
		x, w, d = b.Unsqueeze(x, 0), b.Unsqueeze(w, 1), b.Reshape(d, 1, 1)
	case rx == 1:
		x, d = b.Unsqueeze(x, 0), b.Unsqueeze(d, -2)
	case rw == 1:
		w, d = b.Unsqueeze(w, 1), b.Unsqueeze(d, -1)
	}
	out := make([]*onnx.Value, 2)
	if b.Wants(0) {
		out[0] = b.MatMul(d, b.swapLast(w))
		if rx == 1 {
			out[0] = b.Squeeze(out[0], -2)
		}
	}
	if b.Wants(1) {
		if rw <= 2 && rx > 2 { // one product for the whole batch in place of a sum over products
			out[1] = b.MatMul(b.swapLast(b.rows(x)), b.rows(d))
		} else {
			out[1] = b.MatMul(b.swapLast(x), d)
		}
		if rw == 1 {
			out[1] = b.Squeeze(out[1], -1)
		}
	}
	return out
}

// rows flattens all dimensions but the last.
func (b *Builder) rows(v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.Flatten(v, int64(len(v.Type.Shape)-1))
}

// swapLast transposes the last two dimensions.
func (b *Builder) swapLast(v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	r := len(v.Type.Shape)
	perm := make([]int64, r)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[r-1], perm[r-2] = perm[r-2], perm[r-1]
	return b.Transpose(v, perm...)
}

// Y = alpha A'B' + beta C, A' and B' transposed or not: dA' = alpha dY B'^T, dB' = alpha A'^T dY, dC = beta dY.
func gradGemm(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w, d := n.Input(0), n.Input(1), dy[0]
	a := op.GemmAttrsOf(n)
	out := make([]*onnx.Value, 3)
	if b.Wants(0) && a.Alpha != 0 {
		if a.TransA {
			out[0] = b.Gemm(w, d, nil, op.GemmAttrs{Alpha: a.Alpha, TransA: a.TransB, TransB: true})
		} else {
			out[0] = b.Gemm(d, w, nil, op.GemmAttrs{Alpha: a.Alpha, TransB: !a.TransB})
		}
	}
	if b.Wants(1) && a.Alpha != 0 {
		if a.TransB {
			out[1] = b.Gemm(d, x, nil, op.GemmAttrs{Alpha: a.Alpha, TransA: true, TransB: a.TransA})
		} else {
			out[1] = b.Gemm(x, d, nil, op.GemmAttrs{Alpha: a.Alpha, TransA: !a.TransA})
		}
	}
	if b.Wants(2) && a.Beta != 0 {
		out[2] = d
		if a.Beta != 1 {
			out[2] = b.Mul(d, b.Scalar(d, float64(a.Beta)))
		}
	}
	return out
}

// y = x permuted: dx = dy permuted back.
func gradTranspose(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	perm := onnx.AttrOr[[]int64](n, "perm", nil)
	if len(perm) == 0 {
		return b.Transpose(dy)
	}
	back := make([]int64, len(perm))
	for i, p := range perm {
		if p < 0 || int(p) >= len(perm) {
			b.Fail("perm %v is not a permutation", perm)
			return nil
		}
		back[p] = int64(i)
	}
	return b.Transpose(dy, back...)
}

// largestDet bounds the matrices whose cofactors are written out.
const largestDet = 32

// y = det X: dX = dy C with the cofactors C_ij = (-1)^(i+j) det X without row i and column j, which unlike dy y X'^-1 are
// right for singular matrices too.
func gradDet(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	if d := x.Type.Shape[rank-1]; !d.Known() || d.Size > largestDet {
		b.Fail("the rule wants matrices of known size of at most %d, %s is %v", largestDet, label(x), x.Type)
		return nil
	}
	m := x.Type.Shape[rank-1].Size
	d := b.Unsqueeze(dy, -1, -2)
	if m <= 1 {
		return b.expandLike(d, x)
	}
	others := onnx.NewTensor(onnx.Int64, m, m-1) // row i: all but i
	sign := onnx.NewTensor(onnx.Double, m, m)
	for i := range m {
		for j := range m {
			if j != i {
				others.Int64s()[i*(m-1)+j-min(max(j-i, 0), 1)] = j
			}
			onnx.View[float64](sign)[i*m+j] = float64(1 - 2*((i+j)%2))
		}
	}
	at := b.Const(others)
	minors := b.Gather(b.Gather(x, at, int64(rank-2)), at, int64(rank)) // [...,i,row,j,column]
	perm := make([]int64, rank+2)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-1], perm[rank] = int64(rank), int64(rank-1)
	cofactors := b.Mul(b.Node("Det", []*onnx.Value{b.Transpose(minors, perm...)}, 1)[0], b.castLike(b.Const(sign), x))
	return b.Mul(d, cofactors)
}
