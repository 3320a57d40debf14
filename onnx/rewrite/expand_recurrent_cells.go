package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// RNN is h' = f(W x + R h + b), with tanh for f unless given.
func RNN(b *op.Builder, n *onnx.Node) []*onnx.Value {
	r := newRecurrence(b, n, 1)
	if r == nil {
		return nil
	}
	fs := r.activations("Tanh")
	return r.run(func(d int) (*onnx.Value, []*onnx.Value, cell) {
		f, weights := fs[d][0], r.of(2, d)
		return r.products(d, r.bias(d, 1)), []*onnx.Value{r.initial(5, d)}, func(b *op.Builder, gates *onnx.Value, before []*onnx.Value) []*onnx.Value {
			return []*onnx.Value{f(b, b.Gemm(before[0], weights, gates, op.GemmAttrs{TransB: true}))}
		}
	})
}

// GRU is, with the gates z and r = f(W x + R h + b) and the candidate c = g(Wc x + Rc (r h) + b), h' = (1-z) c + z h; f is the
// logistic function and g is tanh unless given. With linear_before_reset c = g(Wc x + bw + r (Rc h + br)).
func GRU(b *op.Builder, n *onnx.Node) []*onnx.Value {
	r := newRecurrence(b, n, 3)
	if r == nil {
		return nil
	}
	fs := r.activations("Sigmoid", "Tanh")
	linear := onnx.AttrOr(n, "linear_before_reset", int64(0)) != 0
	h := r.hidden
	return r.run(func(d int) (*onnx.Value, []*onnx.Value, cell) {
		f, g, weights := fs[d][0], fs[d][1], r.of(2, d)
		bias := r.bias(d, 3)
		var after *onnx.Value // the bias that the reset gate multiplies too
		if linear && n.Input(3) != nil {
			parts := b.Split(r.of(3, d), 0, 3*h, 2*h, h)
			bias, after = b.Add(parts[0], b.Concat(0, parts[1], b.ConstantOfShape(b.Ints(h), onnx.NewTensor(r.x.Type.DType, 1)))), parts[2]
		}
		split := b.Split(weights, 0, 2*h, h)
		product := func(b *op.Builder, x, w, c *onnx.Value) *onnx.Value {
			return b.Gemm(x, w, c, op.GemmAttrs{TransB: true})
		}
		return r.products(d, bias), []*onnx.Value{r.initial(5, d)}, func(b *op.Builder, gates *onnx.Value, before []*onnx.Value) []*onnx.Value {
			given := b.Split(gates, 1, 2*h, h)
			both := b.Split(f(b, product(b, before[0], split[0], given[0])), 1, h, h)
			update, reset := both[0], both[1]
			var candidate *onnx.Value
			if linear {
				candidate = g(b, b.Add(given[1], b.Mul(reset, product(b, before[0], split[1], after))))
			} else {
				candidate = g(b, product(b, b.Mul(reset, before[0]), split[1], given[1]))
			}
			return []*onnx.Value{b.Add(candidate, b.Mul(update, b.Sub(before[0], candidate)))}
		}
	})
}

// LSTM is, with the gates i, o and f = f(W x + R h + P c + b), where o sees the new c, and the candidate k = g(W x + R h + b),
// c' = f c + i k and h' = o h(c'); f is the logistic function, g and h are tanh unless given. With input_forget f = 1 - i.
func LSTM(b *op.Builder, n *onnx.Node) []*onnx.Value {
	r := newRecurrence(b, n, 4)
	if r == nil {
		return nil
	}
	fs := r.activations("Sigmoid", "Tanh", "Tanh")
	coupled := onnx.AttrOr(n, "input_forget", int64(0)) != 0
	size := r.hidden
	return r.run(func(d int) (*onnx.Value, []*onnx.Value, cell) {
		f, g, h, weights := fs[d][0], fs[d][1], fs[d][2], r.of(2, d)
		var peep []*onnx.Value // to i, o and f
		if p := r.of(7, d); p != nil {
			peep = b.Split(p, 0, size, size, size)
		}
		see := func(b *op.Builder, gate, c *onnx.Value, i int) *onnx.Value {
			if peep == nil {
				return gate
			}
			return b.Add(gate, b.Mul(c, peep[i]))
		}
		start := []*onnx.Value{r.initial(5, d), r.initial(6, d)}
		return r.products(d, r.bias(d, 4)), start, func(b *op.Builder, gates *onnx.Value, before []*onnx.Value) []*onnx.Value {
			c := before[1]
			parts := b.Split(b.Gemm(before[0], weights, gates, op.GemmAttrs{TransB: true}), 1, size, size, size, size)
			in := f(b, see(b, parts[0], c, 0))
			forget := b.Sub(b.Scalar(in, 1), in)
			if !coupled {
				forget = f(b, see(b, parts[2], c, 2))
			}
			after := b.Add(b.Mul(forget, c), b.Mul(in, g(b, parts[3])))
			out := f(b, see(b, parts[1], after, 1))
			return []*onnx.Value{b.Mul(out, h(b, after)), after}
		}
	})
}

// bias is the sum of the two biases of direction d, of so many gates each; nil for none.
func (r *recurrence) bias(d int, gates int64) *onnx.Value {
	v := r.of(3, d)
	if v == nil {
		return nil
	}
	parts := r.b.Split(v, 0, slices.Repeat([]int64{gates * r.hidden}, 2)...)
	return r.b.Add(parts[0], parts[1])
}
