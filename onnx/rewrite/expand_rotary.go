package rewrite

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// RotaryEmbedding turns pairs (u, w) of each head's first entries, the halves or neighbours, by the angle of the position:
// (u cos - w sin, u sin + w cos). The others stay.
func RotaryEmbedding(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if b.Err() != nil {
		return nil
	}
	x, cos, sin := n.Input(0), n.Input(1), n.Input(2)
	heads := int64(1) // the axis of the heads
	packed := len(x.Type.Shape) == 3
	switch s := x.Type.Shape; {
	case packed:
		count := onnx.AttrOr(n, "num_heads", int64(0))
		if count < 1 || !s[2].Known() {
			b.Fail("num_heads, and the last dimension of an input of rank 3, are wanted: it is %v", x.Type)
			return nil
		}
		x, heads = b.Reshape(x, 0, 0, count, s[2].Size/count), 2
	case len(s) != 4 || !s[3].Known():
		b.Fail("the size of a head is unknown: fix the last dimension of the input, which is %v", x.Type)
		return nil
	}
	if b.Err() != nil {
		return nil
	}
	size := x.Type.Shape[3].Size
	turned := onnx.AttrOr(n, "rotary_embedding_dim", int64(0))
	if turned == 0 {
		turned = size
	}
	if turned < 2 || turned > size || turned%2 != 0 {
		b.Fail("rotary_embedding_dim is %d for heads of %d", turned, size)
		return nil
	}
	if at := n.Input(3); at != nil {
		cos, sin = b.Gather(cos, at, 0), b.Gather(sin, at, 0)
	}
	cos, sin = b.Unsqueeze(cos, heads), b.Unsqueeze(sin, heads)
	rest := x
	if turned < size {
		x, rest = b.Slice(rest, op.SliceSpec{Axis: 3, End: turned}), b.Slice(rest, op.SliceSpec{Axis: 3, Start: turned, End: math.MaxInt64})
	}
	var u, w *onnx.Value
	neighbours := onnx.AttrOr(n, "interleaved", int64(0)) != 0
	pairs := x // [...,pair,2]
	if neighbours {
		pairs = b.ReshapeTo(x, b.Concat(0, b.Slice(b.Shape(x), op.SliceSpec{End: 3}), b.Ints(turned/2, 2)))
		parts := b.Split(pairs, 4, 1, 1)
		u, w = b.Squeeze(parts[0], 4), b.Squeeze(parts[1], 4)
	} else {
		parts := b.Split(x, 3, turned/2, turned/2)
		u, w = parts[0], parts[1]
	}
	first, second := b.Sub(b.Mul(u, cos), b.Mul(w, sin)), b.Add(b.Mul(u, sin), b.Mul(w, cos))
	var y *onnx.Value
	if neighbours {
		y = b.Reshape(b.Concat(4, b.Unsqueeze(first, 4), b.Unsqueeze(second, 4)), 0, 0, 0, turned)
	} else {
		y = b.Concat(3, first, second)
	}
	if turned < size {
		y = b.Concat(3, y, rest)
	}
	if packed {
		y = b.Reshape(y, 0, 0, n.Input(0).Type.Shape[2].Size)
	}
	return []*onnx.Value{y}
}
