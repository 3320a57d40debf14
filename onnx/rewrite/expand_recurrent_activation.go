package rewrite

import (
	"math"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// activate applies an activation of a recurrent operator.
type activate func(b *op.Builder, x *onnx.Value) *onnx.Value

// activationForms are the activations that recurrent operators name: which of the lists of numbers they take an entry of, and
// what stands for it where the list has no more.
var activationForms = []struct {
	name        string
	takes       int // 0: none, 1: alpha, 2: alpha and beta
	alpha, beta float32
	build       func(b *op.Builder, x *onnx.Value, alpha, beta float32) *onnx.Value
}{
	{name: "Relu", build: func(b *op.Builder, x *onnx.Value, _, _ float32) *onnx.Value { return b.Relu(x) }},
	{name: "Tanh", build: func(b *op.Builder, x *onnx.Value, _, _ float32) *onnx.Value { return b.Tanh(x) }},
	{name: "Sigmoid", build: func(b *op.Builder, x *onnx.Value, _, _ float32) *onnx.Value { return b.Sigmoid(x) }},
	{name: "Softsign", build: func(b *op.Builder, x *onnx.Value, _, _ float32) *onnx.Value {
		return b.Div(x, b.Add(b.Abs(x), b.Scalar(x, 1)))
	}},
	{name: "Softplus", build: func(b *op.Builder, x *onnx.Value, _, _ float32) *onnx.Value { return b.Softplus(x) }},
	{name: "LeakyRelu", takes: 1, alpha: 0.01, build: func(b *op.Builder, x *onnx.Value, alpha, _ float32) *onnx.Value {
		return b.LeakyRelu(x, alpha)
	}},
	{name: "ThresholdedRelu", takes: 1, alpha: 1, build: func(b *op.Builder, x *onnx.Value, alpha, _ float32) *onnx.Value {
		return b.Where(b.Greater(x, b.Scalar(x, float64(alpha))), x, b.Scalar(x, 0))
	}},
	{name: "Elu", takes: 1, alpha: 1, build: func(b *op.Builder, x *onnx.Value, alpha, _ float32) *onnx.Value {
		// exp of the negative part alone: of a large x it would be infinite, and no gradient survives that
		below := b.Min(x, b.Scalar(x, 0))
		return b.Add(b.Relu(x), b.Mul(b.Sub(b.Exp(below), b.Scalar(x, 1)), b.Scalar(x, float64(alpha))))
	}},
	{name: "Affine", takes: 2, alpha: 1, build: func(b *op.Builder, x *onnx.Value, alpha, beta float32) *onnx.Value {
		return b.Add(b.Mul(x, b.Scalar(x, float64(alpha))), b.Scalar(x, float64(beta)))
	}},
	{name: "ScaledTanh", takes: 2, alpha: 1, beta: 1, build: func(b *op.Builder, x *onnx.Value, alpha, beta float32) *onnx.Value {
		return b.Mul(b.Tanh(b.Mul(x, b.Scalar(x, float64(beta)))), b.Scalar(x, float64(alpha)))
	}},
	{name: "HardSigmoid", takes: 2, alpha: 0.2, beta: 0.5, build: func(b *op.Builder, x *onnx.Value, alpha, beta float32) *onnx.Value {
		line := b.Add(b.Mul(x, b.Scalar(x, float64(alpha))), b.Scalar(x, float64(beta)))
		return b.Clip(line, b.Scalar(x, 0), b.Scalar(x, 1))
	}},
}

// activations lists the node's for each direction, those given here where it names none. What they are applied to is held to
// [-clip, clip] first.
func (r *recurrence) activations(otherwise ...string) [][]activate {
	n := r.n
	names := onnx.AttrOr[[]string](n, "activations", nil)
	if len(names) == 0 {
		for range r.first {
			names = append(names, otherwise...)
		}
	}
	if len(names) != len(otherwise)*len(r.first) {
		r.b.Fail("%d activations, wants %d", len(names), len(otherwise)*len(r.first))
		return make([][]activate, len(r.first))
	}
	alphas, betas := onnx.AttrOr[[]float32](n, "activation_alpha", nil), onnx.AttrOr[[]float32](n, "activation_beta", nil)
	next := func(list *[]float32, otherwise float32) float32 {
		if len(*list) == 0 {
			return otherwise
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return v
	}
	clip := float64(onnx.AttrOr(n, "clip", float32(math.Inf(1))))
	out := make([][]activate, len(r.first))
	for i, name := range names {
		at := -1
		for k, f := range activationForms {
			if strings.EqualFold(f.name, name) {
				at = k
			}
		}
		if at < 0 {
			r.b.Fail("activation %q is not known", name)
			return out
		}
		f := activationForms[at]
		alpha, beta := f.alpha, f.beta
		if f.takes > 0 {
			alpha = next(&alphas, alpha)
		}
		if f.takes > 1 {
			beta = next(&betas, beta)
		}
		d := i / len(otherwise)
		out[d] = append(out[d], func(b *op.Builder, x *onnx.Value) *onnx.Value {
			if clip > 0 && !math.IsInf(clip, 1) {
				x = b.Clip(x, b.Scalar(x, -clip), b.Scalar(x, clip))
			}
			return f.build(b, x, alpha, beta)
		})
	}
	return out
}
