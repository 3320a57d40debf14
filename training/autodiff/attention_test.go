package autodiff_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// attend is the projected outputs of an Attention node, or of what stands for it; in are its inputs, nil for absent ones.
func attend(b *op.Builder, written bool, in values, outs int, attrs ...onnx.Attr) *onnx.Value {
	ys := b.Node("Attention", in, outs, attrs...)
	if b.Err() != nil {
		return nil
	}
	if written {
		ys = rewrite.Attention(b, ys[0].Producer())
	}
	var parts values
	for i, y := range ys {
		parts = append(parts, b.Reshape(projected(b, static(b, y), uint64(30+i)), 1))
	}
	return b.Sum(parts...)
}

// static gives v with its symbols replaced by the sizes that the tests use for them.
func static(b *op.Builder, v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	y := b.Identity(v)
	y.Type.Shape = y.Type.Shape.Clone()
	for i, d := range y.Type.Shape {
		if !d.Known() {
			y.Type.Shape[i] = onnx.Dim{Size: map[string]int64{"B": 2, "S": 3, "T": 3}[d.Symbol]}
		}
	}
	return y
}

func TestAttention(t *testing.T) {
	heads := []onnx.Attr{onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2)}
	causal, cap := onnx.Int("is_causal", 1), onnx.Float32("softcap", 0.7)
	packed := tensors{random(1, 2, 3, 8), random(2, 2, 3, 4), random(3, 2, 3, 6)}
	apart := tensors{random(1, 2, 2, 3, 4), random(2, 2, 2, 3, 4), random(3, 2, 2, 3, 3)}
	mask := onnx.FromSlice([]bool{true, false, true, true, false, false, false, false, true, true, false, true, false, true, true}, 3, 5)
	for _, c := range []struct {
		name  string
		args  tensors
		in    func(b *op.Builder, v values) values
		outs  int
		attrs []onnx.Attr
	}{
		{name: "plain", args: apart},
		{name: "shared keys, causal, packed", args: packed, attrs: append(heads, causal)},
		{name: "shared keys, symbolic", args: packed, attrs: append(heads, causal), in: func(b *op.Builder, v values) values {
			return values{hidden(b, v[0], "B", "S"), hidden(b, v[1], "B", "T"), hidden(b, v[2], "B", "T")}
		}},
		{name: "float mask, softcap, scale", args: append(apart, random(4, 2, 1, 3, 3)), attrs: []onnx.Attr{cap, onnx.Float32("scale", 0.6)}},
		{name: "past, Boolean mask with a row of nothing, all outputs", outs: 4, args: append(apart, random(5, 2, 2, 2, 4), random(6, 2, 2, 2, 3)),
			attrs: []onnx.Attr{cap, onnx.Int("qk_matmul_output_mode", 1), causal},
			in: func(b *op.Builder, v values) values {
				return values{v[0], v[1], v[2], b.Const(mask), v[3], v[4]}
			}},
		{name: "keys in use, window", args: apart, attrs: []onnx.Attr{causal, onnx.Int("left_window_size", 1)}, in: func(b *op.Builder, v values) values {
			return append(append(values{}, v...), nil, nil, nil, b.Ints(3, 1))
		}},
		{name: "weights handed out", outs: 4, args: apart, attrs: []onnx.Attr{onnx.Int("qk_matmul_output_mode", 3)}},
	} {
		build := func(written bool) function {
			return func(b *op.Builder, v values) *onnx.Value {
				in := v
				if c.in != nil {
					in = c.in(b, v)
				}
				return attend(b, written, in, max(c.outs, 1), c.attrs...)
			}
		}
		t.Run(c.name, example{name: c.name, args: c.args, f: build(false), reference: build(true)}.run)
	}
}

func TestRotaryEmbedding(t *testing.T) {
	at := onnx.FromSlice([]int64{3, 0, 2, 1, 1, 4}, 2, 3)
	for _, c := range []struct {
		name  string
		args  tensors
		at    bool
		attrs []onnx.Attr
	}{
		{"halves", tensors{random(1, 2, 2, 3, 4), random(2, 2, 3, 2), random(3, 2, 3, 2)}, false, nil},
		{"neighbours, packed", tensors{random(1, 2, 3, 8), random(2, 2, 3, 2), random(3, 2, 3, 2)}, false, []onnx.Attr{onnx.Int("interleaved", 1), onnx.Int("num_heads", 2)}},
		{"positions, partial", tensors{random(1, 2, 2, 3, 6), random(2, 5, 2), random(3, 5, 2)}, true, []onnx.Attr{onnx.Int("rotary_embedding_dim", 4)}},
	} {
		build := func(b *op.Builder, v values) *onnx.Value {
			in := append(values{}, v...)
			if c.at {
				in = append(in, b.Const(at))
			}
			if v[0].Type.DType == onnx.Float {
				return b.Tanh(b.Node("RotaryEmbedding", in, 1, c.attrs...)[0])
			}
			n := b.Graph().Add("RotaryEmbedding", in, 1, c.attrs...) // the operator has no float64 form, the expression has
			y := rewrite.RotaryEmbedding(b, n)[0]
			if err := b.Graph().Remove(n); err != nil {
				t.Fatal(err)
			}
			return b.Tanh(y)
		}
		t.Run(c.name, example{name: c.name, args: c.args, f: build, float32: true}.run)
	}
}

func TestLinearAttention(t *testing.T) {
	heads := []onnx.Attr{onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2)}
	args := tensors{random(1, 2, 3, 8), random(2, 2, 3, 4), random(3, 2, 3, 6), random(4, 2, 2, 2, 3), random(5, 2, 3, 2), scaled(6, 0.2, 0.8, 2, 3, 2)}
	written := func(name string, f func(*op.Builder, *onnx.Node) []*onnx.Value, attrs ...onnx.Attr) function {
		return func(b *op.Builder, v values) *onnx.Value {
			var ys values
			if v[0].Type.DType == onnx.Float {
				ys = b.Node(name, v, 2, attrs...)
			} else {
				n := b.Graph().Add(name, v, 2, attrs...)
				ys = f(b, n)
				if err := b.Graph().Remove(n); err != nil {
					t.Fatal(err)
				}
			}
			return b.Sum(b.Reshape(projected(b, ys[0], 5), 1), b.Reshape(projected(b, b.Tanh(ys[1]), 6), 1))
		}
	}
	for _, e := range []example{
		{name: "gated delta", args: args, float32: true, f: written("LinearAttention", rewrite.LinearAttention, heads...)},
		{name: "linear", args: args[:3], float32: true, f: written("LinearAttention", rewrite.LinearAttention, append(heads, onnx.Str("update_rule", "linear"))...)},
		{name: "convolution", args: tensors{integers(1, 2, 3, 4), integers(2, 3, 1, 3), integers(3, 3), integers(4, 2, 3, 2)}, float32: true,
			f: written("CausalConvWithState", rewrite.CausalConvWithState), reference: convolved},
	} {
		t.Run(e.name, e.run)
	}
}

// convolved is CausalConvWithState with a kernel of three, in sums and products.
func convolved(b *op.Builder, v values) *onnx.Value {
	whole := b.Concat(2, v[3], v[0])
	y := b.Unsqueeze(v[2], 1)
	for k := range int64(3) {
		y = b.Add(y, b.Mul(b.Slice(whole, op.SliceSpec{Axis: 2, Start: k, End: k + 4}), b.Squeeze(b.Slice(v[1], op.SliceSpec{Axis: 2, Start: k, End: k + 1}), 2)))
	}
	return b.Sum(b.Reshape(projected(b, y, 5), 1), b.Reshape(projected(b, b.Tanh(b.Slice(whole, op.SliceSpec{Axis: 2, Start: -2, End: 9})), 6), 1))
}
