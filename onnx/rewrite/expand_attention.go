package rewrite

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// attention is an Attention node read out. Queries, keys and values are [batch,heads,length,size].
type attention struct {
	b       *op.Builder
	n       *onnx.Node
	q, k, v *onnx.Value
	heads   int64 // of the queries
	groups  int64 // of the keys and values: heads/groups queries share one
	packed  bool  // the node's operands are [batch,length,heads*size]
}

// Attention is, with the keys and values K and V behind those of the past, A = softmax(cap(scale Q K') + bias) over the keys
// and Y = A V, where cap(x) = softcap tanh(x/softcap) if there is a softcap. What a query may not see, by a mask, for it lies
// ahead, beyond the window or behind the end, has a bias of minus infinity; a query that may see nothing gives zeros.
func Attention(b *op.Builder, n *onnx.Node) []*onnx.Value {
	a := newAttention(b, n)
	if a == nil {
		return nil
	}
	size := a.q.Type.Shape[3]
	scale := float64(onnx.AttrOr(n, "scale", float32(0)))
	if _, given := n.Attr("scale"); !given {
		if !size.Known() || size.Size == 0 {
			b.Fail("the size of a head is unknown: fix the last dimension of the queries, which are %v", n.Input(0).Type)
			return nil
		}
		scale = 1 / math.Sqrt(float64(size.Size))
	}
	scores := a.grouped(b.MatMul(a.shared(b.Mul(a.q, b.Scalar(a.q, scale))), b.Transpose(a.k, 0, 1, 3, 2)))
	shown := scores
	mode := onnx.AttrOr(n, "qk_matmul_output_mode", int64(0))
	if c := float64(onnx.AttrOr(n, "softcap", float32(0))); c > 0 {
		scores = b.Mul(b.Tanh(b.Mul(scores, b.Scalar(scores, 1/c))), b.Scalar(scores, c))
	}
	if mode == 1 {
		shown = scores
	}
	scores, blind := a.masked(scores)
	if mode == 2 {
		shown = scores
	}
	weights := a.softmax(scores, blind)
	if mode == 3 {
		shown = weights
	}
	y := a.grouped(b.MatMul(a.shared(weights), b.Cast(a.v, a.q.Type.DType)))
	if a.packed {
		all := int64(-1)
		if d := lastOr0(a.v); d > 0 {
			all = a.heads * d
		}
		y = b.Reshape(b.Transpose(y, 0, 2, 1, 3), 0, 0, all)
	}
	return []*onnx.Value{y, a.k, a.v, shown}[:min(4, max(n.NumOutputs(), 1))]
}

func newAttention(b *op.Builder, n *onnx.Node) *attention {
	if b.Err() != nil {
		return nil
	}
	a := &attention{b: b, n: n, q: n.Input(0), k: n.Input(1), v: n.Input(2)}
	switch rank := len(a.q.Type.Shape); {
	case rank == 3:
		a.packed = true
		a.heads, a.groups = onnx.AttrOr(n, "q_num_heads", int64(0)), onnx.AttrOr(n, "kv_num_heads", int64(0))
		if a.heads < 1 || a.groups < 1 {
			b.Fail("q_num_heads and kv_num_heads are wanted with inputs of rank 3")
			return nil
		}
		a.q, a.k, a.v = a.heads4(a.q, a.heads), a.heads4(a.k, a.groups), a.heads4(a.v, a.groups)
	case rank == 4 && a.q.Type.Shape[1].Known() && len(a.k.Type.Shape) == 4 && a.k.Type.Shape[1].Known():
		a.heads, a.groups = a.q.Type.Shape[1].Size, a.k.Type.Shape[1].Size
	default:
		b.Fail("the number of heads is unknown: queries are %v, keys %v", a.q.Type, a.k.Type)
		return nil
	}
	if a.groups < 1 || a.heads%a.groups != 0 {
		b.Fail("%d heads of queries cannot share %d of keys", a.heads, a.groups)
		return nil
	}
	if past := n.Input(4); past != nil {
		a.k = b.Concat(2, past, a.k)
	}
	if past := n.Input(5); past != nil {
		a.v = b.Concat(2, past, a.v)
	}
	if b.Err() != nil {
		return nil
	}
	return a
}

// heads4 unpacks x [batch,length,heads*size] to [batch,heads,length,size].
func (a *attention) heads4(x *onnx.Value, heads int64) *onnx.Value {
	size := int64(-1)
	if s := x.Type.Shape; len(s) == 3 && s[2].Known() {
		size = s[2].Size / heads
	}
	return a.b.Transpose(a.b.Reshape(x, 0, 0, heads, size), 0, 2, 1, 3)
}

// shared puts the queries that share keys below each other: x [batch,heads,length,n] to [batch,groups,heads/groups*length,n].
func (a *attention) shared(x *onnx.Value) *onnx.Value {
	if a.heads == a.groups {
		return x
	}
	return a.b.Reshape(x, 0, a.groups, -1, lastOr0(x))
}

// grouped undoes shared.
func (a *attention) grouped(x *onnx.Value) *onnx.Value {
	if a.heads == a.groups {
		return x
	}
	y := a.b.Reshape(x, 0, a.heads, -1, lastOr0(x))
	if a.b.Err() == nil && len(y.Type.Shape) == 4 { // inference cannot divide what it does not know
		y.Type.Shape[2] = a.q.Type.Shape[2]
	}
	return y
}

// lastOr0 is x's last dimension as Reshape keeps it.
func lastOr0(x *onnx.Value) int64 {
	if x != nil && len(x.Type.Shape) > 0 {
		if d := x.Type.Shape[len(x.Type.Shape)-1]; d.Known() {
			return d.Size
		}
	}
	return 0
}

// length is the size of v along an axis as an int64 scalar.
func length(b *op.Builder, v *onnx.Value, axis int64) *onnx.Value {
	if b.Err() == nil && int(axis) < len(v.Type.Shape) && v.Type.Shape[axis].Known() {
		return b.Const(onnx.Scalar(v.Type.Shape[axis].Size))
	}
	return b.Squeeze(b.Slice(b.Shape(v), op.SliceSpec{Start: axis, End: axis + 1}), 0)
}

// counted is 0, 1, ... below n.
func counted(b *op.Builder, n *onnx.Value) *onnx.Value {
	return b.Range(b.Const(onnx.Scalar(int64(0))), n, b.Const(onnx.Scalar(int64(1))))
}

// allowed says what the queries may see but for a mask of floats; nil: everything. sure is set where every query sees
// something.
func (a *attention) allowed() (may *onnx.Value, sure bool) {
	b, n := a.b, a.n
	sure = true
	and := func(v *onnx.Value) {
		if may == nil {
			may = v
		} else {
			may = b.And(may, v)
		}
	}
	keys := b.Unsqueeze(counted(b, length(b, a.k, 2)), 0) // [1,keys]
	padded := n.Input(6)
	if padded != nil {
		padded = b.Reshape(padded, -1, 1, 1, 1)
		and(b.Less(keys, padded))
		sure = false
	}
	causal := onnx.AttrOr(n, "is_causal", int64(0)) != 0
	left, right := onnx.AttrOr(n, "left_window_size", int64(-1)), onnx.AttrOr(n, "right_window_size", int64(-1))
	if causal || left >= 0 || right >= 0 {
		queries := length(b, a.q, 2)
		at := b.Unsqueeze(counted(b, queries), 1) // where a query stands among the keys [queries,1]
		switch {
		case n.Input(4) != nil:
			at = b.Add(at, length(b, n.Input(4), 2))
		case padded != nil:
			at = b.Add(at, b.Sub(padded, queries))
		}
		if causal {
			and(b.LessOrEqual(keys, at))
		}
		if left >= 0 {
			and(b.GreaterOrEqual(keys, b.Sub(at, b.Const(onnx.Scalar(left)))))
			sure = false // of the queries beyond the keys
		}
		if right >= 0 {
			and(b.LessOrEqual(keys, b.Add(at, b.Const(onnx.Scalar(right)))))
		}
	}
	if m := n.Input(3); m != nil && m.Type.DType == onnx.Bool {
		and(a.whole(m))
		sure = false
	}
	return may, sure
}

// whole lengthens a mask that ends before the keys do, as those that go with the number of keys in use may: behind its end
// nothing is seen.
func (a *attention) whole(m *onnx.Value) *onnx.Value {
	b := a.b
	if b.Err() != nil {
		return nil
	}
	rank, keys := len(m.Type.Shape), a.k.Type.Shape[2]
	if rank == 0 {
		return m
	}
	last := m.Type.Shape[rank-1]
	known := last.Known() && keys.Known()
	if last == keys && last != onnx.UnknownDim || known && (last.Size >= keys.Size || last.Size == 1) || !known && a.n.Input(6) == nil {
		return m
	}
	ends := b.Unsqueeze(b.Sub(length(b, a.k, 2), length(b, m, int64(rank-1))), 0)
	pads := b.Concat(0, b.Ints(make([]int64, 2*rank-1)...), ends)
	if m.Type.DType == onnx.Bool {
		return b.Node("Pad", []*onnx.Value{m, pads, b.Const(onnx.Scalar(false))}, 1)[0]
	}
	return b.Node("Pad", []*onnx.Value{m, pads, b.Scalar(m, math.Inf(-1))}, 1)[0]
}

// masked adds the bias to the scores. blind tells the queries that may see nothing [...,queries,1]; nil: there is none.
func (a *attention) masked(scores *onnx.Value) (with, blind *onnx.Value) {
	b := a.b
	if b.Err() != nil {
		return nil, nil
	}
	may, sure := a.allowed()
	never := b.Scalar(scores, math.Inf(-1))
	var bias *onnx.Value
	if m := a.n.Input(3); m != nil && m.Type.DType != onnx.Bool {
		bias = a.whole(b.Cast(m, a.q.Type.DType))
		scores, sure = b.Add(scores, bias), false
	}
	if may != nil {
		scores = b.Where(may, scores, never)
	}
	if sure {
		return scores, nil
	}
	switch {
	case may == nil:
	case bias == nil:
		bias = b.Where(may, b.Scalar(scores, 0), never)
	default:
		bias = b.Where(may, bias, never)
	}
	return scores, b.Equal(b.ReduceMax(bias, true, -1), never)
}

// softmax is that of the scores over the keys. The scores of queries that see nothing are taken for zeros and their weights
// made zeros afterwards, so that no gradient is made of infinities.
func (a *attention) softmax(scores, blind *onnx.Value) *onnx.Value {
	b := a.b
	own := a.q.Type.DType
	if p := onnx.DataType(onnx.AttrOr(a.n, "softmax_precision", int64(0))); p != onnx.Undefined && p != own {
		scores = b.Cast(scores, p)
	}
	if blind != nil {
		scores = b.Where(blind, b.Scalar(scores, 0), scores)
	}
	y := b.Softmax(scores, -1)
	if b.Err() == nil && y.Type.DType != own {
		y = b.Cast(y, own)
	}
	if blind != nil {
		y = b.Where(blind, b.Scalar(y, 0), y)
	}
	return y
}
