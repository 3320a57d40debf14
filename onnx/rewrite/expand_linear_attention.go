package rewrite

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// LinearAttention carries a matrix S for each head of keys along the sequence: S is multiplied with exp(decay) (rules gated and
// gated_delta), k (v - S'k)' times beta (rules delta and gated_delta), or else k v', is added, and y = scale S'q.
func LinearAttention(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if b.Err() != nil {
		return nil
	}
	rule := onnx.AttrOr(n, "update_rule", "gated_delta")
	gated, delta := rule == "gated" || rule == "gated_delta", rule == "delta" || rule == "gated_delta"
	heads, groups := onnx.AttrOr(n, "q_num_heads", int64(0)), onnx.AttrOr(n, "kv_num_heads", int64(0))
	var size [3]int64 // of a head of queries, keys and values
	for i, count := range []int64{heads, groups, groups} {
		s := n.Input(i).Type.Shape
		if len(s) != 3 || !s[2].Known() || count < 1 || heads%groups != 0 {
			b.Fail("input %d is %v for %d heads of queries and %d of keys: its last dimension is wanted", i, n.Input(i).Type, heads, groups)
			return nil
		}
		size[i] = s[2].Size / count
	}
	if !gated && !delta && rule != "linear" {
		b.Fail("update rule %q is not known", rule)
		return nil
	}
	if gated && n.Input(4) == nil || delta && n.Input(5) == nil {
		b.Fail("update rule %q wants a decay or a beta that is absent", rule)
		return nil
	}
	scale := float64(onnx.AttrOr(n, "scale", float32(0)))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(size[0]))
	}
	per := heads / groups
	q := b.Mul(b.Reshape(n.Input(0), 0, 0, groups, per, size[0]), b.Scalar(n.Input(0), scale))
	sequences := []*onnx.Value{q, b.Reshape(n.Input(1), 0, 0, groups, size[1], 1), b.Reshape(n.Input(2), 0, 0, groups, 1, size[2])}
	if gated {
		sequences = append(sequences, b.Exp(b.Reshape(n.Input(4), 0, 0, groups, -1, 1))) // a number a head, or an entry a row
	}
	if delta {
		sequences = append(sequences, b.Unsqueeze(b.Unsqueeze(n.Input(5), -1), -1)) // broadcasts if there is one for all heads
	}
	state := n.Input(3)
	if state == nil {
		batch := b.Slice(b.Shape(q), op.SliceSpec{End: 1})
		state = b.ConstantOfShape(b.Concat(0, batch, b.Ints(groups, size[1], size[2])), onnx.NewTensor(q.Type.DType, 1))
	}
	if b.Err() != nil {
		return nil
	}
	g := onnx.NewGraph("step")
	in := b.Inside(g)
	s := g.AddInput("", state.Type)
	var x []*onnx.Value
	axes := make([]int64, len(sequences))
	for i, v := range sequences {
		t := v.Type
		t.Shape = append(t.Shape[:1].Clone(), t.Shape[2:]...)
		x, axes[i] = append(x, g.AddInput("", t)), 1
	}
	k, v, rest := x[1], x[2], x[3:]
	if gated {
		s, rest = in.Mul(s, rest[0]), rest[1:]
	}
	add := v
	if delta {
		add = in.Mul(in.Sub(v, in.MatMul(in.Transpose(k, 0, 1, 3, 2), s)), rest[0])
	}
	s = in.Add(s, in.Mul(k, add))
	y := in.MatMul(x[0], s)
	if in.Err() != nil {
		return nil
	}
	g.AddOutput(in.Identity(s), "")
	g.AddOutput(y, "")
	out := b.Scan(g, []*onnx.Value{state}, sequences, op.ScanAttrs{InputAxes: axes, OutputAxes: []int64{1}})
	return []*onnx.Value{b.Reshape(out[1], 0, 0, heads*size[2]), out[0]}[:min(2, max(n.NumOutputs(), 1))]
}

// CausalConvWithState is a convolution of each channel of the past and the input, one behind the other, with a kernel of its
// own, and what the next call wants of the past.
func CausalConvWithState(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if b.Err() != nil {
		return nil
	}
	x, w, past := n.Input(0), n.Input(1), n.Input(3)
	s := w.Type.Shape
	if len(s) != 3 || !s[0].Known() || !s[2].Known() {
		b.Fail("the kernel is %v: its channels and size are wanted", w.Type)
		return nil
	}
	channels, before := s[0].Size, s[2].Size-1
	if past == nil {
		batch := b.Slice(b.Shape(x), op.SliceSpec{End: 1})
		past = b.ConstantOfShape(b.Concat(0, batch, b.Ints(channels, before)), onnx.NewTensor(x.Type.DType, 1))
	}
	whole := x
	if before > 0 {
		whole = b.Concat(2, past, x)
	}
	y := b.Conv(whole, w, n.Input(2), op.ConvAttrs{Group: channels})
	switch a := onnx.AttrOr(n, "activation", "none"); a {
	case "none":
	case "silu", "swish":
		y = b.Mul(y, b.Sigmoid(y))
	default:
		b.Fail("activation %q is not known", a)
		return nil
	}
	out := []*onnx.Value{y}
	if n.NumOutputs() > 1 {
		next := past
		if before > 0 {
			next = b.Slice(whole, op.SliceSpec{Axis: 2, Start: -before, End: math.MaxInt64})
		}
		out = append(out, next)
	}
	return out
}
