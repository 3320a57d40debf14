package pacbayes

import (
	"graft/onnx"
	"graft/onnx/op"
)

// gradient adds the gradient of the bound at its gamma with respect to [w; p; b], packed as l says. initial is w0. With
// B = (3/2) K^2 g + (KL + C)/(n g) and g = gamma,
//
//	dB/dw = dKL/dw/(n g),   dB/dp = dKL/dp/(n g),   dB/db = dKL/db/(n g) + 3 K g K'(s) s/L,   s = exp(mean b)
//	dKL/dw = exp(-2b) (w - w0),   dKL/dp = exp(2p - 2b) - 1,   dKL/db_l = |l| - exp(-2 b_l) (sum exp(2p) + |w - w0|^2).
//
// What flows through g is nothing: B is stationary in g where g is not clipped, and g is constant where it is. Sums, and all
// that is made of sums, are float64.
func (l *layout) gradient(b *op.Builder, bound Bound, trained, initial *onnx.Value) *onnx.Value {
	dtype := trained.Type.DType
	w, p, scales := l.parts(b, trained)
	apart := b.Sub(w, initial)
	sigma := b.Exp(p)
	variance := b.Mul(sigma, sigma)
	narrow := b.Exp(b.Mul(scales, b.Scalar(scales, -2))) // exp(-2b)
	sums := func(x *onnx.Value) []*onnx.Value {
		var out []*onnx.Value
		for _, part := range l.split(b, x) {
			out = append(out, b.ReduceSum(b.Cast(part, onnx.Double), true, 0))
		}
		return out
	}
	join := func(parts []*onnx.Value) *onnx.Value {
		if len(parts) == 1 {
			return parts[0]
		}
		return b.Concat(0, parts...)
	}
	spread := join(sums(variance))
	moved := join(sums(b.Mul(apart, apart)))
	logs := join(sums(p))
	prior := b.Cast(scales, onnx.Double)
	count := make([]float64, len(l.groups))
	for i, n := range l.groups {
		count[i] = float64(n)
	}
	size := b.Const(onnx.FromSlice(count))
	pulled := b.Mul(b.Exp(b.Mul(prior, b.Scalar(prior, -2))), b.Add(spread, moved))
	kl := b.ReduceSum(b.Sub(b.Add(pulled, b.Mul(b.Mul(prior, b.Scalar(prior, 2)), size)), b.Add(b.Mul(logs, b.Scalar(logs, 2)), size)), true, 0)
	kl = b.Mul(kl, b.Scalar(kl, 0.5))

	s := b.Exp(b.ReduceMean(prior, true))
	k, slope := bound.K.emit(b, s)
	n := b.Scalar(kl, float64(bound.Samples))
	cost := b.Add(kl, b.Scalar(kl, bound.Constant))
	gamma := b.Div(b.Sqrt(b.Div(b.Mul(cost, b.Scalar(cost, 2)), b.Mul(n, b.Scalar(n, 3)))), k)
	gamma = b.Min(b.Max(gamma, b.Scalar(gamma, bound.Low)), b.Scalar(gamma, bound.High))
	share := b.Reciprocal(b.Mul(n, gamma)) // 1/(n gamma)

	rest := b.Div(b.Mul(b.Mul(b.Mul(k, gamma), b.Mul(slope, s)), b.Scalar(k, 3)), b.Scalar(k, float64(len(l.groups))))
	ofPrior := b.Cast(b.Add(b.Mul(b.Sub(size, pulled), share), rest), dtype)

	share = b.Cast(share, dtype)
	each := b.Mul(narrow, share)
	one := b.Scalar(variance, 1)
	var ofWeights, ofPosterior []*onnx.Value
	widths, ways := l.split(b, variance), l.split(b, apart)
	factors := []*onnx.Value{each}
	inverse := []*onnx.Value{narrow}
	if len(l.groups) > 1 {
		ones := make([]int64, len(l.groups))
		for i := range ones {
			ones[i] = 1
		}
		factors, inverse = b.Split(each, 0, ones...), b.Split(narrow, 0, ones...)
	}
	if b.Err() != nil {
		return nil
	}
	for i := range l.groups {
		ofWeights = append(ofWeights, b.Mul(ways[i], factors[i]))
		ofPosterior = append(ofPosterior, b.Mul(b.Sub(b.Mul(widths[i], inverse[i]), one), share))
	}
	return b.Concat(0, append(append(ofWeights, ofPosterior...), ofPrior)...)
}
