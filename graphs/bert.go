package graphs

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// BERT is the encoder of Devlin et al. (arXiv 1810.04805) with a classifier: embeddings of words, positions and the first
// segment, Layers blocks of attention and of two linear layers with GELU between, a LayerNormalization behind each sum, and a
// linear layer with tanh on the first token in front of the classifier. Parameters have the names and the layout of Hugging
// Face's BertForSequenceClassification and begin as N(0, 0.02^2). The zero value is bert-base with two classes, of 109,483,778
// parameters.
type BERT struct {
	Layers     int64   // 12
	Width      int64   // 768
	Heads      int64   // 12
	Inner      int64   // width between the two linear layers of a block; 4 times Width
	Vocabulary int64   // 30522
	Positions  int64   // most tokens of a sample; 512
	Segments   int64   // 2
	Pairs      bool    // the input token_type_ids says which segment a token is of; without it all are of the first
	Classes    int64   // 2
	Dropout    float64 // behind embeddings, attention and blocks, and in front of the classifier; 0
}

// QuickBERT is an encoder that two cores train from nothing, TinyBERT the size of the smallest that is published.
var (
	QuickBERT = BERT{Layers: 2, Width: 64, Heads: 2, Vocabulary: 8192, Positions: 64}.Defaults()
	TinyBERT  = BERT{Layers: 2, Width: 128, Heads: 2}.Defaults()
)

// Defaults fills the published values in where a field is zero.
func (c BERT) Defaults() BERT {
	c.Layers, c.Width, c.Heads = orDefault(c.Layers, 12), orDefault(c.Width, 768), orDefault(c.Heads, 12)
	c.Inner, c.Vocabulary = orDefault(c.Inner, 4*c.Width), orDefault(c.Vocabulary, 30522)
	c.Positions, c.Segments, c.Classes = orDefault(c.Positions, 512), orDefault(c.Segments, 2), orDefault(c.Classes, 2)
	return c
}

// Build makes the model: inputs input_ids, attention_mask (1 for what counts, 0 for what fills up) and with Pairs
// token_type_ids, int64 [N,S]; output logits float [N,Classes].
func (c BERT) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("bert", seed)) }

func (c BERT) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build bert: %w", err)
	}
	e := &encoder{net: n, BERT: c}
	x := e.embeddings()
	for i := range c.Layers {
		name := fmt.Sprintf("bert.encoder.layer.%d", i)
		x = e.norm(name+".attention.output.LayerNorm", n.b.In(name).Add(x, e.attention(name+".attention", x)))
		y := e.gelu(name, e.linear(name+".intermediate.dense", x, c.Width, c.Inner))
		y = n.dropout(name+".output", e.linear(name+".output.dense", y, c.Inner, c.Width), c.Dropout)
		x = e.norm(name+".output.LayerNorm", n.b.In(name).Add(x, y))
	}
	b := n.b.In("bert.pooler")
	first := b.Slice(b.ReshapeTo(x, e.sized(c.Width)), op.SliceSpec{Axis: 1, End: 1})
	y := b.Tanh(e.linear("bert.pooler.dense", b.Reshape(first, 0, c.Width), c.Width, c.Width))
	return n.logits(e.linear("classifier", n.dropout("classifier", y, c.Dropout), c.Width, c.Classes))
}

// encoder is a BERT that is being built. What is between its layers is float [N S, Width].
type encoder struct {
	*net
	BERT
	dims   *onnx.Value // N and S
	hidden *onnx.Value // float [N,1,1,S]: 0 for tokens that count, far below for others
}

// sized is N, S and what is given.
func (e *encoder) sized(more ...int64) *onnx.Value { return e.b.Concat(0, e.dims, e.b.Ints(more...)) }

func (e *encoder) embeddings() *onnx.Value {
	const name = "bert.embeddings"
	shape := onnx.Shape{{Symbol: batchDim}, {Symbol: "S"}}
	input := func(name string) *onnx.Value {
		return e.g.AddInput(name, onnx.TensorType{DType: onnx.Int64, Shape: shape.Clone()})
	}
	table := func(of string, rows int64) *onnx.Value {
		return e.normal(name+"."+of+"_embeddings.weight", deviation, rows, e.Width)
	}
	ids, mask := input("input_ids"), input("attention_mask")
	b := e.b.In(name)
	e.dims = b.Shape(ids)
	x := b.Gather(table("word", e.Vocabulary), ids, 0)
	length := b.Squeeze(b.ShapeSlice(ids, 1, 2), 0)
	places := b.Range(b.Const(onnx.Scalar(int64(0))), length, b.Const(onnx.Scalar(int64(1))))
	x = b.Add(x, b.Gather(table("position", e.Positions), places, 0))
	segment := b.Const(onnx.Scalar(int64(0)))
	if e.Pairs {
		segment = input("token_type_ids")
	}
	x = b.Add(x, b.Gather(table("token_type", e.Segments), segment, 0))
	e.hidden = b.Mul(b.Sub(b.Cast(b.Unsqueeze(mask, 1, 2), onnx.Float), b.Scalar(x, 1)), b.Scalar(x, 1e4))
	return e.dropout(name, e.norm(name+".LayerNorm", b.Reshape(x, -1, e.Width)), e.Dropout)
}

// attention is softmax(Q K' / sqrt(width of a head)) V for every head, and a linear layer.
func (e *encoder) attention(name string, x *onnx.Value) *onnx.Value {
	b, each := e.b.In(name), e.Width/e.Heads
	split := func(of string, perm ...int64) *onnx.Value {
		y := e.linear(name+".self."+of, x, e.Width, e.Width)
		return b.Transpose(b.ReshapeTo(y, e.sized(e.Heads, each)), perm...)
	}
	scores := b.MatMul(split("query", 0, 2, 1, 3), split("key", 0, 2, 3, 1))
	scores = b.Add(b.Mul(scores, b.Scalar(scores, 1/math.Sqrt(float64(each)))), e.hidden)
	y := b.MatMul(e.dropout(name, b.Softmax(scores, -1), e.Dropout), split("value", 0, 2, 1, 3))
	y = b.Reshape(b.Transpose(y, 0, 2, 1, 3), -1, e.Width)
	return e.dropout(name+".output", e.linear(name+".output.dense", y, e.Width, e.Width), e.Dropout)
}

// deviation is that of the weights that BERT begins with.
const deviation = 0.02

// linear is x times a weight [out, in], plus a bias of zeros.
func (e *encoder) linear(name string, x *onnx.Value, in, out int64) *onnx.Value {
	w := e.normal(name+".weight", deviation, out, in)
	return e.b.In(name).Gemm(x, w, e.constant(name+".bias", 0, out), op.GemmAttrs{TransB: true})
}

// norm is LayerNormalization over the width.
func (e *encoder) norm(name string, x *onnx.Value) *onnx.Value {
	in := []*onnx.Value{x, e.constant(name+".weight", 1, e.Width), e.constant(name+".bias", 0, e.Width)}
	return e.b.In(name).Node("LayerNormalization", in, 1, onnx.Int("axis", -1), onnx.Float32("epsilon", 1e-12))[0]
}

// gelu is x times the normal distribution function of x, written as runtimes know it from before there was an operator.
func (e *encoder) gelu(name string, x *onnx.Value) *onnx.Value {
	b := e.b.In(name)
	return b.Mul(b.Mul(x, b.Scalar(x, 0.5)), b.Add(b.Erf(b.Mul(x, b.Scalar(x, math.Sqrt(0.5)))), b.Scalar(x, 1)))
}

func (c BERT) check() error {
	for _, f := range []struct {
		what     string
		is, most int64
	}{{"layers", c.Layers, 128}, {"width", c.Width, 1 << 14}, {"heads", c.Heads, 256}, {"inner width", c.Inner, 1 << 16}, {"words", c.Vocabulary, 1 << 20},
		{"positions", c.Positions, 1 << 16}, {"segments", c.Segments, 256}, {"classes", c.Classes, 1 << 16}} {
		if f.is < 1 || f.is > f.most {
			return fmt.Errorf("%d %s: wants 1 to %d", f.is, f.what, f.most)
		}
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("width %d is no multiple of %d heads", c.Width, c.Heads)
	}
	return checkDropout(c.Dropout)
}
