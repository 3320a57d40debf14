package masking

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// Bernoulli is the relaxed Bernoulli mask that Optimal Eye Surgeon learns (arXiv 2406.05288): one logit p a weight, kept
// with probability s(p), s being the sigmoid.
type Bernoulli struct {
	Temperature float64 // tau of the relaxation; 0.2
	Keep        float64 // p0 of the prior: the fraction that is to be kept
	Strength    float64 // lambda: weight of the summed KL divergence beside a mean squared error
}

// Sample is one relaxed mask: sigmoid((p + log(u/(1-u))) / tau) for uniform u (the binary Concrete of Maddison et al.,
// arXiv 1611.00712). No rounding: the gradient is that of the relaxation.
func (m Bernoulli) Sample(b *op.Builder, logits, uniform *onnx.Value) *onnx.Value {
	noise := b.Log(b.Div(uniform, b.Sub(b.Scalar(uniform, 1), uniform)))
	return b.Sigmoid(b.Mul(b.Add(logits, noise), b.Scalar(logits, 1/m.Temperature)))
}

// PenaltyGradient is the gradient, with respect to the logits, of the penalty Strength times the sum over the weights of
//
//	KL(Bernoulli(s) || Bernoulli(p0)) = s log((s+e)/p0) + (1-s) log((1-s+e)/(1-p0)), s = s(p), p0 = Keep, e = 1e-6.
//
// It is in closed form because differentiating node by node takes thrice the passes over the weights:
//
//	Strength s (1-s) (log((s+e)/(1-s+e)) - log(p0/(1-p0)) + s/(s+e) - (1-s)/(1-s+e))
//
// of which e changes less than 3e-7 Strength; without it the first logarithm is the logit, and the quotients cancel:
//
//	Strength s (1-s) (p - log(p0/(1-p0)))
func (m Bernoulli) PenaltyGradient(b *op.Builder, logits *onnx.Value) *onnx.Value {
	c := func(v float64) *onnx.Value { return b.Scalar(logits, v) }
	s := b.Sigmoid(logits)
	slope := b.Mul(s, b.Sub(c(1), s))
	return b.Mul(b.Mul(slope, b.Sub(logits, c(math.Log(m.Keep)-math.Log(1-m.Keep)))), c(m.Strength))
}
