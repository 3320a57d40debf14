package autodiff

import (
	"graft/onnx"
	"graft/onnx/rewrite"
)

var norm = []row{
	{op: "InstanceNormalization", grad: gradInstanceNormalization},
	{op: "BatchNormalization", grad: gradBatchNormalization},
	{op: "GroupNormalization", none: later},
	{op: "LayerNormalization", none: later},
	{op: "LpNormalization", none: later},
	{op: "LRN", none: later},
	{op: "MeanVarianceNormalization", expand: rewrite.MeanVarianceNormalization},
}

// spatialAxes lists the axes of x from the third on.
func spatialAxes(rank int) []int64 {
	var axes []int64
	for i := 2; i < rank; i++ {
		axes = append(axes, int64(i))
	}
	return axes
}

// perChannel reshapes v [C] so that it broadcasts against [N,C,...] of that rank.
func (b *Builder) perChannel(v *onnx.Value, rank int) *onnx.Value {
	dims := []int64{1, -1}
	for range rank - 2 {
		dims = append(dims, 1)
	}
	return b.Reshape(v, dims...)
}

// y = scale r (x-m) + bias, with the mean m and r = 1/sqrt(variance + epsilon) of each channel of M elements. With the sums
// s1 of dy and s2 of dy (x-m), and V = M (variance + epsilon), so that r^2 = M/V:
// dx = scale r (dy - s1/M - (x-m) s2/V); dscale = r s2; dbias = s1.
func gradInstanceNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, scale, d := n.Input(0), n.Input(1), dy[0]
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	axes := spatialAxes(rank)
	m := b.count(x, axes)
	per := b.Reciprocal(m)
	centred := b.Sub(x, b.Mul(b.ReduceSum(x, true, axes...), per))
	epsilon := b.Mul(m, b.Scalar(x, float64(onnx.AttrOr(n, "epsilon", float32(1e-5)))))
	v := b.Add(b.ReduceSum(b.Mul(centred, centred), true, axes...), epsilon)
	r := b.Sqrt(b.Div(m, v))
	sum1 := b.ReduceSum(d, true, axes...)
	sum2 := b.ReduceSum(b.Mul(d, centred), true, axes...)
	out := make([]*onnx.Value, 3)
	if b.Wants(0) {
		part := b.Sub(b.Sub(d, b.Mul(sum1, per)), b.Mul(centred, b.Div(sum2, v)))
		out[0] = b.Mul(part, b.Mul(b.perChannel(scale, rank), r))
	}
	if b.Wants(1) {
		out[1] = b.sumSamples(b.Mul(sum2, r))
	}
	if b.Wants(2) {
		out[2] = b.sumSamples(sum1)
	}
	return out
}

// sumSamples sums v [N,C,1,...] over the samples: [C].
func (b *Builder) sumSamples(v *onnx.Value) *onnx.Value {
	if b.Err() == nil && v.Type.Shape[0].Known() && v.Type.Shape[0].Size == 1 {
		return b.Reshape(v, -1)
	}
	return b.sumChannels(v)
}

// y = scale r (x-m) + bias with given m and variance, r = 1/sqrt(variance + epsilon), S the sum over all but the channels:
// dx = scale r dy; dscale = r S(dy (x-m)); dbias = S(dy); dm = -scale r S(dy); dvariance = -scale r^3 S(dy (x-m)) / 2.
func gradBatchNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, scale, mean, variance, d := n.Input(0), n.Input(1), n.Input(3), n.Input(4), dy[0]
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	if onnx.AttrOr(n, "training_mode", int64(0)) != 0 {
		b.Fail("BatchNormalization in training mode has no rule: write it with InstanceNormalization or decomposed")
		return nil
	}
	epsilon := float64(onnx.AttrOr(n, "epsilon", float32(1e-5)))
	r := b.Reciprocal(b.Sqrt(b.Add(variance, b.Scalar(x, epsilon))))
	a := b.Mul(scale, r)
	sum1 := b.sumChannels(d)
	sum2 := b.sumChannels(b.Mul(d, b.Sub(x, b.perChannel(mean, rank))))
	return []*onnx.Value{
		b.Mul(d, b.perChannel(a, rank)),
		b.Mul(sum2, r),
		sum1,
		b.Neg(b.Mul(a, sum1)),
		b.Mul(b.Mul(b.Mul(a, b.Mul(r, r)), sum2), b.Scalar(x, -0.5)),
	}
}
