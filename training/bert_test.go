package training_test

import (
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// bert is an encoder as Devlin et al. 2019 describe it, with a classifier of two classes on its first token.
type bert struct {
	layers, width, heads, vocabulary, positions int64
	batch, length                               int64
}

// bertBase has the 110 million parameters of the base model.
var bertBase = bert{layers: 12, width: 768, heads: 12, vocabulary: 30522, positions: 512, batch: 8, length: 128}

// build makes the model: its weights are uniform, as wide as a normal initialization of 0.02.
func (c bert) build(t testing.TB) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("bert")
	b := op.NewBuilder(g)
	weight := func(name string, dims ...int64) *onnx.Value {
		w := onnx.NewTensor(onnx.Float, dims...)
		if len(dims) > 1 {
			noise.Uniform(w.Float32s(), noise.NewKey(11, name, 0))
			for i, v := range w.Float32s() {
				w.Float32s()[i] = (v - 0.5) * 0.07
			}
		}
		return g.AddInitializer(name, w)
	}
	norm := func(x *onnx.Value, name string) *onnx.Value {
		ones := onnx.NewTensor(onnx.Float, c.width)
		for i := range ones.Float32s() {
			ones.Float32s()[i] = 1
		}
		d := b.Sub(x, b.ReduceMean(x, true, -1))
		d = b.Div(d, b.Sqrt(b.Add(b.ReduceMean(b.Mul(d, d), true, -1), b.Scalar(x, 1e-12))))
		return b.Add(b.Mul(d, g.AddInitializer(name+".weight", ones)), weight(name+".bias", c.width))
	}
	dense := func(x *onnx.Value, name string, in, out int64) *onnx.Value {
		return b.Add(b.MatMul(x, weight(name+".weight", in, out)), weight(name+".bias", out))
	}
	ids := g.AddInput("input_ids", onnx.TypeOf(onnx.Int64, c.batch, c.length))
	mask := g.AddInput("attention_mask", onnx.TypeOf(onnx.Int64, c.batch, c.length))
	x := b.Gather(weight("embeddings.word", c.vocabulary, c.width), ids, 0)
	x = b.Add(x, b.Slice(weight("embeddings.position", c.positions, c.width), op.SliceSpec{Axis: 0, End: c.length}))
	x = norm(x, "embeddings.norm")
	hidden := b.Mul(b.Sub(b.Cast(b.Unsqueeze(mask, 1, 2), onnx.Float), b.Scalar(x, 1)), b.Scalar(x, 1e4))
	each := c.width / c.heads
	for i := range c.layers {
		name := fmt.Sprintf("layer.%d.", i)
		split := func(of string, perm ...int64) *onnx.Value {
			return b.Transpose(b.Reshape(dense(x, name+of, c.width, c.width), 0, 0, c.heads, each), perm...)
		}
		scores := b.MatMul(split("query", 0, 2, 1, 3), split("key", 0, 2, 3, 1))
		scores = b.Softmax(b.Add(b.Mul(scores, b.Scalar(x, 1/math.Sqrt(float64(each)))), hidden), -1)
		mixed := b.Reshape(b.Transpose(b.MatMul(scores, split("value", 0, 2, 1, 3)), 0, 2, 1, 3), 0, 0, c.width)
		x = norm(b.Add(x, dense(mixed, name+"mixed", c.width, c.width)), name+"attention_norm")
		h := dense(x, name+"up", c.width, 4*c.width)
		h = b.Mul(b.Mul(h, b.Scalar(x, 0.5)), b.Add(b.Erf(b.Mul(h, b.Scalar(x, math.Sqrt(0.5)))), b.Scalar(x, 1)))
		x = norm(b.Add(x, dense(h, name+"down", 4*c.width, c.width)), name+"norm")
	}
	first := b.Reshape(b.Slice(x, op.SliceSpec{Axis: 1, End: 1}), 0, c.width)
	y := dense(b.Tanh(dense(first, "pooler", c.width, c.width)), "classifier", c.width, 2)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "logits")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}
