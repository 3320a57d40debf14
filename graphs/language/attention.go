package language

import (
	"fmt"

	"graft/onnx"
)

// split makes [N,S,heads,width] of x [N·S, heads·width], and puts the axes in an order.
func (n *net) split(name string, x *onnx.Value, heads int64, perm ...int64) *onnx.Value {
	key := [2]int64{heads, n.HeadDim}
	if n.shapes[key] == nil {
		n.shapes[key] = n.sized(heads, n.HeadDim)
	}
	b := n.b.In(name)
	return b.Transpose(b.ReshapeTo(x, n.shapes[key]), perm...)
}

// attend is softmax(scale·Q K' + hidden) V for every head, from q [N,heads,S,width] and k and v of the key-value heads, and gives
// [N·S, heads·width]. Heads that share keys are rows of one product.
func (n *net) attend(layer int, name string, q, k, v *onnx.Value, scale float64) *onnx.Value {
	b := n.b.In(name)
	heads, kv, width := n.NumAttentionHeads, n.NumKeyValueHeads, n.HeadDim
	if n.Cache {
		k, v = n.cached(layer, "key", k), n.cached(layer, "value", v)
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
		n.attentions = append(n.attentions, weights)
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
		Shape: onnx.Shape{{Symbol: batchDim}, {Size: n.NumKeyValueHeads}, {Symbol: pastDim}, {Size: n.HeadDim}}})
	y := n.b.In(fmt.Sprintf("past_key_values.%d", layer)).Concat(2, past, x)
	n.presents = append(n.presents, y)
	return y
}

// gated applies gates and patches to what the heads make, y [N,heads,S,width].
func (n *net) gated(layer int, name string, y *onnx.Value) *onnx.Value {
	if n.HeadOutputs {
		n.heads = append(n.heads, y)
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
		Shape: onnx.Shape{{Symbol: batchDim}, {Size: n.NumAttentionHeads}, {Symbol: sequenceDim}, {Size: n.HeadDim}}})
	return b.Add(own, b.Mul(b.Sub(b.Scalar(gate, 1), gate), patch))
}

func (n *net) gate(layer int) *onnx.Value {
	name, heads := fmt.Sprintf("head_gates.%d", layer), n.NumAttentionHeads
	switch n.Gates {
	case GatesFixed:
		t := onnx.NewTensor(onnx.Float, 1, heads, 1, 1)
		for i := range t.Float32s() {
			t.Float32s()[i] = 1
		}
		return n.g.AddInitializer(name, t)
	case GatesSample:
		return n.g.AddInput(name, onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: batchDim}, {Size: heads}, {Size: 1}, {Size: 1}}})
	}
	return n.g.AddInput(name, onnx.TypeOf(onnx.Float, 1, heads, 1, 1))
}
