package autodiff_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// dimsOf is the sizes of v from axis lo up to hi as exporters write them: Shape, then Slice.
func dimsOf(b *op.Builder, v *onnx.Value, lo, hi int64) *onnx.Value {
	return b.Slice(b.Shape(v), op.SliceSpec{Start: lo, End: hi})
}

// heads cuts [N L 4] into [N 2 L 2].
func heads(b *op.Builder, v *onnx.Value) *onnx.Value {
	return b.Transpose(b.Reshape(v, 0, -1, 2, 2), 0, 2, 1, 3)
}

// oneHead is heads turned back.
func oneHead(b *op.Builder, v *onnx.Value) *onnx.Value {
	v = b.Transpose(v, 0, 2, 1, 3)
	return b.ReshapeTo(v, b.Concat(0, dimsOf(b, v, 0, 2), b.Ints(4)))
}

func normalized(b *op.Builder, x, scale, shift *onnx.Value) *onnx.Value {
	centred := b.Sub(x, b.ReduceMean(x, true, -1))
	deviation := b.Sqrt(b.Add(b.ReduceMean(b.Mul(centred, centred), true, -1), b.Scalar(x, 1e-2)))
	return b.Add(b.Mul(b.Div(centred, deviation), scale), shift)
}

func perceptron(b *op.Builder, v values) *onnx.Value {
	return b.Softmax(b.Gemm(b.Tanh(b.Add(b.MatMul(v[0], v[1]), v[2])), v[3], v[4], op.GemmAttrs{TransB: true}), -1)
}

// bertBlock: word and position tables, q, k, v and out matrices, scale and shift; ids and a mask of tokens that are there.
func bertBlock(b *op.Builder, v values) *onnx.Value {
	words, places, wq, wk, wv, wo, scale, shift, ids, mask := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]
	length := dimsOf(b, ids, 1, 2)
	position := b.Node("Slice", values{places, b.Ints(0), length, b.Ints(0)}, 1)[0]
	x := normalized(b, b.Add(b.Gather(words, ids, 0), position), scale, shift)
	q, k, val := heads(b, b.MatMul(x, wq)), heads(b, b.MatMul(x, wk)), heads(b, b.MatMul(x, wv))
	scores := b.Mul(b.MatMul(q, b.Transpose(k, 0, 1, 3, 2)), b.Scalar(x, 0.7))
	seen := b.Expand(b.Unsqueeze(mask, 1, 2), b.Concat(0, dimsOf(b, ids, 0, 1), b.Ints(1), length, length))
	scores = b.Where(seen, scores, b.Scalar(x, -50))
	y := b.Add(b.MatMul(oneHead(b, b.MatMul(b.Softmax(scores, -1), val)), wo), x)
	return b.Tanh(b.Gather(normalized(b, y, scale, shift), b.Const(onnx.Scalar(int64(0))), 1)) // the first token's
}

// gptBlock: embedded tokens [N L 4], keys and values of those before [N 2 P 2], one matrix for q, k and v.
func gptBlock(b *op.Builder, v values) *onnx.Value {
	x, pastKeys, pastValues, w := v[0], v[1], v[2], v[3]
	parts := b.Split(b.MatMul(x, w), -1, 4, 4, 4)
	q, k, val := heads(b, parts[0]), heads(b, parts[1]), heads(b, parts[2])
	k, val = b.Concat(-2, pastKeys, k), b.Concat(-2, pastValues, val)
	scores := b.MatMul(q, b.Transpose(k, 0, 1, 3, 2)) // [N 2 L P+L]
	zero, one := b.Const(onnx.Scalar(int64(0))), b.Const(onnx.Scalar(int64(1)))
	upTo := func(v *onnx.Value, axis int64) *onnx.Value {
		return b.Range(zero, b.Squeeze(dimsOf(b, v, axis, axis+1), 0), one)
	}
	row := b.Unsqueeze(b.Add(upTo(x, 1), dimsOf(b, pastKeys, 2, 3)), 1)
	causal := b.Node("LessOrEqual", values{b.Unsqueeze(upTo(k, 2), 0), row}, 1)[0]
	y := oneHead(b, b.MatMul(b.Softmax(b.Where(causal, scores, b.Scalar(x, -50)), -1), val))
	last := b.Slice(y, op.SliceSpec{Axis: 1, Start: -1, End: 1 << 62})
	return b.Concat(0, b.Reshape(b.Tanh(last), -1), b.Reshape(b.Tanh(k), -1))
}

// Networks of unknown batch and sequence: right at different sizes, no size fixed.
func TestSymbolicNetworks(t *testing.T) {
	r := random
	ids := func(dims []int64, v ...int64) *onnx.Tensor { return onnx.FromSlice(v, dims...) }
	flags := func(dims []int64, v ...bool) *onnx.Tensor { return onnx.FromSlice(v, dims...) }
	weights := tensors{r(11, 5, 4), r(12, 6, 4), r(13, 4, 4), r(14, 4, 4), r(15, 4, 4), r(16, 4, 4), r(17, 4), r(18, 4)}
	bert := func(more ...*onnx.Tensor) tensors { return append(append(tensors(nil), weights...), more...) }
	for _, s := range []symbolic{
		{"perceptron", []string{"N 3", "3 4", "4", "2 4", "2"}, perceptron,
			[]tensors{{r(1, 2, 3), r(2, 3, 4), r(3, 4), r(4, 2, 4), r(5, 2)}, {r(1, 1, 3), r(2, 3, 4), r(3, 4), r(4, 2, 4), r(5, 2)}}},
		{"BERT", []string{"5 4", "6 4", "4 4", "4 4", "4 4", "4 4", "4", "4", "i N L", "b N L"}, bertBlock, []tensors{
			bert(ids([]int64{2, 3}, 0, 4, 4, 1, 2, 0), flags([]int64{2, 3}, true, true, false, true, true, true)),
			bert(ids([]int64{1, 1}, 3), flags([]int64{1, 1}, true)),
		}},
		{"GPT", []string{"N L 4", "N 2 P 2", "N 2 P 2", "4 E"}, gptBlock, []tensors{
			{r(1, 2, 2, 4), r(2, 2, 2, 3, 2), r(3, 2, 2, 3, 2), r(4, 4, 12)},
			{r(1, 1, 3, 4), r(2, 1, 2, 0, 2), r(3, 1, 2, 0, 2), r(4, 4, 12)},
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.run(t)
			types, floats := s.valueTypes(onnx.Float)
			g := onnx.NewGraph(s.name)
			var xs values
			for _, ty := range types {
				xs = append(xs, g.AddInput("", ty))
			}
			b := op.NewBuilder(g)
			if _, err := autodiff.Gradients(g, spread(b, s.f(b, xs), 1), xs[:floats]); err != nil {
				t.Fatal(err)
			}
			for _, n := range g.Nodes() {
				if n.Is("NonZero") {
					t.Errorf("%v: which axes were broadcast is asked for when the graph runs, though that is known", n)
				}
			}
		})
	}
}
