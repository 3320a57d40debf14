package language

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// split makes [N,S,heads,width] of x [N·S, heads·width], and puts the axes in an order.
func (n *net) split(name string, x *onnx.Value, heads int, perm ...int64) *onnx.Value {
	key := [2]int64{int64(heads), n.HeadDim}
	if n.shapes[key] == nil {
		n.shapes[key] = n.sized(int64(heads), n.HeadDim)
	}
	b := n.b.In(name)
	return b.Transpose(b.ReshapeTo(x, n.shapes[key]), perm...)
}

// mixed is what a layer's heads add: a product of what they make, or its bias alone where no head is left; nil where that has none.
func (n *net) mixed(layer int, name, out string, product func(string, *onnx.Value) *onnx.Value, attend func() *onnx.Value, dropout float64) *onnx.Value {
	if len(n.Heads(int64(layer))) == 0 {
		return n.params[out+".bias"]
	}
	return n.dropout(name, product(out, attend()), dropout)
}

// plus is a sum with what may be nothing.
func (n *net) plus(name string, x, y *onnx.Value) *onnx.Value {
	if y == nil {
		return x
	}
	return n.b.In(name).Add(x, y)
}

// attend is softmax(scale·Q K' + hidden) V for every head, from q [N,heads,S,width] and k and v of the key-value heads, and gives
// [N·S, heads·width]. Heads that share keys are rows of one product where all keys have as many.
func (n *net) attend(layer int, name string, q, k, v *onnx.Value, scale float64) *onnx.Value {
	b := n.b.In(name)
	heads, kv, width := int64(len(n.Heads(int64(layer)))), int64(len(n.KeyValueHeads(int64(layer)))), n.HeadDim
	if n.Cache {
		k, v = n.cached(layer, "key", k), n.cached(layer, "value", v)
	}
	if reads := n.reads(int64(layer)); !even(reads, kv) {
		at := b.Ints(reads...)
		k, v, kv = b.Gather(k, at, 1), b.Gather(v, at, 1), heads
	}
	if heads != kv {
		q = b.Reshape(q, 0, kv, -1, width)
	}
	scores := b.MatMul(b.Mul(q, b.Scalar(q, scale)), b.Transpose(k, 0, 1, 3, 2))
	if heads != kv {
		scores = b.ReshapeTo(scores, n.scoresShape(heads))
	}
	weights := b.Softmax(b.Add(scores, n.hidden), -1)
	if n.Attentions {
		n.attentions = append(n.attentions, output{fmt.Sprintf("%s%d", AttentionsPrefix, layer), weights})
	}
	weights = n.dropout(name, weights, n.AttentionDropout)
	if heads != kv {
		weights = b.ReshapeTo(weights, n.scoresShape(kv))
	}
	y := b.MatMul(weights, v)
	if heads != kv {
		y = b.Reshape(y, 0, heads, -1, width)
	}
	return b.Reshape(b.Transpose(n.gated(layer, name, y), 0, 2, 1, 3), -1, heads*width)
}

// reads are, for each head of a layer, the place of its keys and values among those that the layer has.
func (n *net) reads(layer int64) (out []int64) {
	kv := n.KeyValueHeads(layer)
	for _, h := range n.Heads(layer) {
		if n.NumKeyValueHeads != n.NumAttentionHeads {
			h /= n.group()
		}
		out = append(out, int64(slices.Index(kv, h)))
	}
	return out
}

// even reports whether each of n is read by as many, in order.
func even(reads []int64, n int64) bool {
	each := int64(len(reads)) / n
	for i, at := range reads {
		if at != int64(i)/each {
			return false
		}
	}
	return true
}

// scoresShape is N, heads, as many rows as there are, and the length of what is seen.
func (n *net) scoresShape(heads int64) *onnx.Value {
	key := [2]int64{heads, -1}
	if n.shapes[key] == nil {
		b := n.b.In("shape")
		n.shapes[key] = b.Concat(0, b.Slice(n.dims, first), b.Ints(heads, -1), b.Unsqueeze(n.total, 0))
	}
	return n.shapes[key]
}

// cached puts what is past in front of keys or values, and hands the whole out.
func (n *net) cached(layer int, what string, x *onnx.Value) *onnx.Value {
	past := n.g.AddInput(fmt.Sprintf("past_key_values.%d.%s", layer, what), onnx.TensorType{DType: onnx.Float,
		Shape: onnx.Shape{{Symbol: batchDim}, {Size: int64(len(n.KeyValueHeads(int64(layer))))}, {Symbol: pastDim}, {Size: n.HeadDim}}})
	y := n.b.In(fmt.Sprintf("past_key_values.%d", layer)).Concat(2, past, x)
	n.presents = append(n.presents, output{fmt.Sprintf("present.%d.%s", layer, what), y})
	return y
}

// gated applies gates and patches to what the heads make, y [N,heads,S,width].
func (n *net) gated(layer int, name string, y *onnx.Value) *onnx.Value {
	if n.HeadOutputs {
		n.heads = append(n.heads, output{fmt.Sprintf("head_outputs.%d", layer), y})
	}
	if n.Gates == Ungated {
		return y
	}
	gate := n.gate(layer)
	b := n.b.In(name + ".gate")
	own := b.Mul(y, gate)
	if !n.Patches {
		return own
	}
	patch := n.g.AddInput(fmt.Sprintf("head_patches.%d", layer), onnx.TensorType{DType: onnx.Float,
		Shape: onnx.Shape{{Symbol: batchDim}, {Size: int64(len(n.Heads(int64(layer))))}, {Symbol: sequenceDim}, {Size: n.HeadDim}}})
	return b.Add(own, b.Mul(b.Sub(b.Scalar(gate, 1), gate), patch))
}

func (n *net) gate(layer int) *onnx.Value {
	name, living := fmt.Sprintf("head_gates.%d", layer), n.Heads(int64(layer))
	heads := int64(len(living))
	switch n.Gates {
	case GatesFixed:
		t := onnx.NewTensor(onnx.Float, 1, heads, 1, 1)
		for i, h := range living {
			if !slices.Contains(n.Closed[int64(layer)], h) {
				t.Float32s()[i] = 1
			}
		}
		return n.g.AddInitializer(name, t)
	case GatesSample:
		return n.g.AddInput(name, onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: batchDim}, {Size: heads}, {Size: 1}, {Size: 1}}})
	}
	return n.g.AddInput(name, onnx.TypeOf(onnx.Float, 1, heads, 1, 1))
}
