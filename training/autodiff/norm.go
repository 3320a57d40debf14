package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var norm = []row{
	{op: "InstanceNormalization", grad: gradInstanceNormalization},
	{op: "BatchNormalization", grad: gradBatchNormalization},
	layerForms.of("LayerNormalization"),
	rmsForms.of("RMSNormalization"),
	{op: "LpNormalization", grad: of(gradLpNormalization)},
	{op: "LRN", grad: of(gradLRN)},
	{op: "GroupNormalization", expand: rewrite.GroupNormalization},
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

// sumSamples sums v [N,C,1,...] over the samples: [C].
func (b *Builder) sumSamples(v *onnx.Value) *onnx.Value {
	if b.Err() == nil && v.Type.Shape[0].Known() && v.Type.Shape[0].Size == 1 {
		return b.Reshape(v, -1)
	}
	return b.sumChannels(v)
}

// Moments are the statistics that BatchNormalization in training mode takes of x [N,C,...], for each channel: [1,C,1,...] but
// for Centred.
type Moments struct {
	Mean, Variance *onnx.Value // the variance is the biased one
	Centred        *onnx.Value // x - mean
	Scale          *onnx.Value // 1/sqrt(variance + epsilon)
}

// ChannelMoments adds the statistics of x, as the gradient of BatchNormalization has them.
func ChannelMoments(b *op.Builder, x *onnx.Value, epsilon float64) Moments {
	if b.Err() != nil || len(x.Type.Shape) < 2 {
		b.Fail("input is %v, want [N C ...]", x.Type)
		return Moments{}
	}
	s := (&Builder{Builder: b}).moments(x, channelAxes(x), epsilon)
	return Moments{Mean: s.mean, Variance: b.Mul(s.squares, s.per), Centred: s.centred, Scale: s.r}
}

// channelAxes are all axes of x [N,C,...] but that of the channels, and that of the samples where there is one.
func channelAxes(x *onnx.Value) []int64 {
	axes := spatialAxes(len(x.Type.Shape))
	if n := x.Type.Shape[0]; len(axes) > 0 && n.Known() && n.Size == 1 {
		return axes
	}
	return append([]int64{0}, axes...)
}

// moments are what the statistics of x over axes leave for the way back.
type moments struct {
	axes    []int64
	m, per  *onnx.Value // M, how many elements a mean is of, and 1/M
	mean    *onnx.Value
	centred *onnx.Value // x - mean
	squares *onnx.Value // M variance
	v       *onnx.Value // M (variance + epsilon)
	r       *onnx.Value // 1/sqrt(variance + epsilon)
}

func (b *Builder) moments(x *onnx.Value, axes []int64, epsilon float64) moments {
	s := moments{axes: axes, m: b.count(x, axes)}
	s.per = b.Reciprocal(s.m)
	s.mean = b.Mul(b.ReduceSum(x, true, axes...), s.per)
	s.centred = b.Sub(x, s.mean)
	s.squares = b.ReduceSum(b.Mul(s.centred, s.centred), true, axes...)
	s.v = b.Add(s.squares, b.Mul(s.m, b.Scalar(x, epsilon)))
	s.r = b.Sqrt(b.Div(s.m, s.v))
	return s
}

// y = scale r (x-m) + bias, with the mean m and r = 1/sqrt(variance + epsilon) of each channel of M elements. With the sums
// s1 of dy and s2 of dy (x-m), and V = M (variance + epsilon), so that r^2 = M/V:
// dx = scale r (dy - s1/M - (x-m) s2/V); dscale = r s2; dbias = s1.
func (b *Builder) normalizedChannels(n *onnx.Node, s moments, d *onnx.Value) []*onnx.Value {
	out := make([]*onnx.Value, n.NumInputs())
	if d == nil || b.Err() != nil {
		return out
	}
	rank := len(d.Type.Shape)
	sum1 := b.ReduceSum(d, true, s.axes...)
	sum2 := b.ReduceSum(b.Mul(d, s.centred), true, s.axes...)
	if b.Wants(0) {
		part := b.Sub(b.Sub(d, b.Mul(sum1, s.per)), b.Mul(s.centred, b.Div(sum2, s.v)))
		out[0] = b.Mul(part, b.Mul(b.castLike(b.perChannel(n.Input(1), rank), d), s.r))
	}
	if b.Wants(1) {
		out[1] = b.castLike(b.sumSamples(b.Mul(sum2, s.r)), n.Input(1))
	}
	if b.Wants(2) {
		out[2] = b.castLike(b.sumSamples(sum1), n.Input(2))
	}
	return out
}

// The mean and variance of each channel of each sample.
func gradInstanceNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	return b.normalizedChannels(n, b.moments(x, spatialAxes(rank), attribute(n, "epsilon", 1e-5)), dy[0])
}
