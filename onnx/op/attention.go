package op

import (
	"fmt"

	"graft/onnx"
)

var attention = []Schema{
	row("Attention", 23, 3, 7, accepted{{23, floats | bfloat}}, inferAttention, "is_causal", "kv_num_heads", "left_window_size", "q_num_heads",
		"qk_matmul_output_mode", "right_window_size", "scale", "softcap", "softmax_precision").outs(4).lowest(attentionLowest),
	row("RotaryEmbedding", 23, 3, 4, accepted{{23, setOf(onnx.Float, onnx.Float16) | bfloat}}, inferRotary, "interleaved", "num_heads",
		"rotary_embedding_dim"),
	row("LinearAttention", 27, 3, 6, accepted{{27, setOf(onnx.Float, onnx.Float16) | bfloat}}, inferLinearAttention, "chunk_size",
		"kv_num_heads", "q_num_heads", "scale", "update_rule").outs(2),
	row("CausalConvWithState", 27, 2, 4, accepted{{27, setOf(onnx.Float, onnx.Float16) | bfloat}}, inferCausalConv, "activation").outs(2),
}

// attentionLowest: the number of keys in use came with 24, windows with 25.
func attentionLowest(n *onnx.Node) int64 {
	for _, name := range []string{"left_window_size", "right_window_size"} {
		if _, ok := n.Attr(name); ok {
			return 25
		}
	}
	if n.Input(6) != nil {
		return 24
	}
	return 23
}

// headed is the shape [batch,heads,length,size] of an operand that may be packed as [batch,length,heads*size].
func headed(name string, s onnx.Shape, heads int64) (onnx.Shape, error) {
	switch {
	case !s.Ranked() || len(s) == 4:
		return s, nil
	case len(s) != 3:
		return nil, fmt.Errorf("%s has rank %d, wants 3 or 4", name, len(s))
	case heads < 1 || heads > maxParam:
		return nil, fmt.Errorf("%s has rank 3, its number of heads is %d", name, heads)
	}
	each := onnx.UnknownDim
	if s[2].Known() {
		if s[2].Size%heads != 0 {
			return nil, fmt.Errorf("%s has %d entries for %d heads", name, s[2].Size, heads)
		}
		each = size(s[2].Size / heads)
	}
	return onnx.Shape{s[0], size(heads), s[1], each}, nil
}

// inferAttention: y has the form of the queries with the size of the values; the present keys and values are the past ones
// and those that are new, [batch,heads,length,size]; the products are [batch,heads,queries,keys].
func inferAttention(n *onnx.Node) ([]onnx.TensorType, error) {
	d, dv := dtypeOf(n, 0), dtypeOf(n, 2)
	qHeads, heads := onnx.AttrOr(n, "q_num_heads", int64(0)), onnx.AttrOr(n, "kv_num_heads", int64(0))
	q, err := headed("queries", shapeOf(n, 0), qHeads)
	if err != nil {
		return nil, err
	}
	k, err := headed("keys", shapeOf(n, 1), heads)
	if err != nil {
		return nil, err
	}
	v, err := headed("values", shapeOf(n, 2), heads)
	if err != nil {
		return nil, err
	}
	if k, err = behind("keys", shapeOf(n, 4), k); err != nil {
		return nil, err
	}
	if v, err = behind("values", shapeOf(n, 5), v); err != nil {
		return nil, err
	}
	if q.Ranked() && k.Ranked() {
		if _, ok := mergeDim(q[3], k[3]); !ok {
			return nil, fmt.Errorf("heads of queries have size %v, those of keys %v", q[3], k[3])
		}
	}
	if k.Ranked() && v.Ranked() {
		if _, ok := mergeDim(k[2], v[2]); !ok {
			return nil, fmt.Errorf("%v keys and %v values", k[2], v[2])
		}
	}
	var y, products onnx.Shape
	if q.Ranked() {
		each, keys := onnx.UnknownDim, onnx.UnknownDim
		if v.Ranked() {
			each, keys = v[3], v[2]
		}
		if k.Ranked() {
			keys = k[2]
		}
		y, products = onnx.Shape{q[0], q[1], q[2], each}, onnx.Shape{q[0], q[1], q[2], keys}
		if len(shapeOf(n, 0)) == 3 {
			all := onnx.UnknownDim
			if each.Known() {
				if all, err = product([]onnx.Dim{size(qHeads), each}); err != nil {
					return nil, err
				}
			}
			y = onnx.Shape{q[0], q[2], all}
		}
	}
	types := []onnx.TensorType{{DType: d, Shape: y}, {DType: d, Shape: k}, {DType: dv, Shape: v}, {DType: d, Shape: products}}
	return types[:min(len(types), max(n.NumOutputs(), 1))], nil
}

// behind is the shape of what is new put behind what is past along the third axis.
func behind(name string, past, now onnx.Shape) (onnx.Shape, error) {
	if !past.Ranked() || !now.Ranked() {
		return now, nil
	}
	if len(past) != 4 {
		return nil, fmt.Errorf("past %s have rank %d, want 4", name, len(past))
	}
	out := now.Clone()
	for _, i := range []int{0, 1, 3} {
		d, ok := mergeDim(now[i], past[i])
		if !ok {
			return nil, fmt.Errorf("past %s are %v, the new ones %v", name, past, now)
		}
		out[i] = d
	}
	out[2] = onnx.UnknownDim
	switch {
	case past[2].Known() && now[2].Known():
		out[2] = size(past[2].Size + now[2].Size)
	case past[2] == size(0):
		out[2] = now[2]
	case now[2] == size(0):
		out[2] = past[2]
	}
	return out, nil
}

// inferRotary: the type of x.
func inferRotary(n *onnx.Node) ([]onnx.TensorType, error) {
	if x := shapeOf(n, 0); x.Ranked() && len(x) != 3 && len(x) != 4 {
		return nil, fmt.Errorf("input has rank %d, wants 3 or 4", len(x))
	}
	want := 3
	if n.Input(3) != nil {
		want = 2
	}
	for i := 1; i < 3; i++ {
		if c := shapeOf(n, i); c.Ranked() && len(c) != want {
			return nil, fmt.Errorf("input %d has rank %d, wants %d", i, len(c), want)
		}
	}
	return sameAsInput(n)
}

// inferLinearAttention: y [batch,length,heads*size of a value], and the state [batch,groups,size of a key,size of a value].
func inferLinearAttention(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	heads, groups := onnx.AttrOr(n, "q_num_heads", int64(0)), onnx.AttrOr(n, "kv_num_heads", int64(0))
	var s [3]onnx.Shape
	for i, count := range []int64{heads, groups, groups} {
		x := shapeOf(n, i)
		if x.Ranked() && len(x) != 3 {
			return nil, fmt.Errorf("input %d has rank %d, wants 3", i, len(x))
		}
		var err error
		if s[i], err = headed(fmt.Sprint("input ", i), x, count); err != nil {
			return nil, err
		}
		if !x.Ranked() {
			s[i] = unknownShape(4)
		}
	}
	all := onnx.UnknownDim
	if s[2][3].Known() {
		var err error
		if all, err = product([]onnx.Dim{size(heads), s[2][3]}); err != nil {
			return nil, err
		}
	}
	state := onnx.TensorType{DType: d, Shape: onnx.Shape{s[1][0], s[1][1], s[1][3], s[2][3]}}
	if past := n.Input(3); past != nil {
		merged, err := mergeTypes(onnx.TensorType{Shape: state.Shape}, past.Type)
		if err != nil {
			return nil, fmt.Errorf("past state: %w", err)
		}
		state = merged
	}
	types := []onnx.TensorType{{DType: d, Shape: onnx.Shape{s[0][0], s[0][2], all}}, state}
	return types[:min(len(types), max(n.NumOutputs(), 1))], nil
}

// inferCausalConv: y has the type of x [batch,channels,length]; the state is [batch,channels,kernel-1].
func inferCausalConv(n *onnx.Node) ([]onnx.TensorType, error) {
	x, w := shapeOf(n, 0), shapeOf(n, 1)
	if x.Ranked() && len(x) != 3 || w.Ranked() && len(w) != 3 {
		return nil, fmt.Errorf("input and kernel have ranks %d and %d, want 3", len(x), len(w))
	}
	state := unknownShape(3)
	if x.Ranked() {
		state[0], state[1] = x[0], x[1]
	}
	if w.Ranked() {
		c, ok := mergeDim(state[1], w[0])
		if !ok {
			return nil, fmt.Errorf("kernels for %v channels, the input has %v", w[0], state[1])
		}
		state[1] = c
		if w[2].Known() && w[2].Size > 0 {
			state[2] = size(w[2].Size - 1)
		}
	}
	types := []onnx.TensorType{{DType: dtypeOf(n, 0), Shape: x.Clone()}, {DType: dtypeOf(n, 0), Shape: state}}
	return types[:min(len(types), max(n.NumOutputs(), 1))], nil
}
