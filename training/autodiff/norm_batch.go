package autodiff

import "graft/onnx"

// y = scale r (x-m) + bias with given m and variance, r = 1/sqrt(variance + epsilon), S the sum over all but the channels:
// dx = scale r dy; dscale = r S(dy (x-m)); dbias = S(dy); dm = -scale r S(dy); dvariance = -scale r^3 S(dy (x-m)) / 2.
func gradBatchNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, d := n.Input(0), dy[0]
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	if onnx.AttrOr(n, "training_mode", int64(0)) != 0 {
		return b.batchStatistics(n, rank, dy)
	}
	if d == nil || len(dy) > 1 {
		b.Fail("statistics that a node in inference mode gives have no gradient")
		return nil
	}
	scale, mean, variance := b.castLike(n.Input(1), x), b.castLike(n.Input(3), x), b.castLike(n.Input(4), x)
	r := b.Reciprocal(b.Sqrt(b.Add(variance, b.Scalar(x, attribute(n, "epsilon", 1e-5)))))
	a := b.Mul(scale, r)
	out := make([]*onnx.Value, 5)
	if b.Wants(0) {
		out[0] = b.Mul(d, b.perChannel(a, rank))
	}
	var sum1, sum2 *onnx.Value
	if b.Wants(2) || b.Wants(3) {
		sum1 = b.sumChannels(d)
	}
	if b.Wants(1) || b.Wants(4) {
		sum2 = b.sumChannels(b.Mul(d, b.Sub(x, b.perChannel(mean, rank))))
	}
	if b.Wants(1) {
		out[1] = b.castLike(b.Mul(sum2, r), n.Input(1))
	}
	if b.Wants(2) {
		out[2] = b.castLike(sum1, n.Input(2))
	}
	if b.Wants(3) {
		out[3] = b.castLike(b.Neg(b.Mul(a, sum1)), n.Input(3))
	}
	if b.Wants(4) {
		out[4] = b.castLike(b.Mul(b.Mul(b.Mul(a, b.Mul(r, r)), sum2), b.Scalar(x, -0.5)), n.Input(4))
	}
	return out
}

// batchStatistics is the training form: mean and variance are those of each channel of the batch, and y as in
// InstanceNormalization. The running ones move: mean' = t mean + (1-t) m with the momentum t and variance' likewise, so that
// dx += (1-t)/M dmean' + 2 (1-t)/M (x-m) dvariance', dmean = t dmean', dvariance = t dvariance'.
func (b *Builder) batchStatistics(n *onnx.Node, rank int, dy []*onnx.Value) []*onnx.Value {
	x := n.Input(0)
	s := b.moments(x, channelAxes(x), attribute(n, "epsilon", 1e-5))
	out := b.normalizedChannels(n, s, dy[0])
	if len(dy) > 3 {
		b.Fail("statistics that a node keeps for the way back have no gradient")
	}
	momentum := attribute(n, "momentum", 0.9)
	for i := 1; i < len(dy); i++ {
		if dy[i] == nil {
			continue
		}
		out[2+i] = b.Mul(dy[i], b.Scalar(dy[i], momentum))
		if !b.Wants(0) {
			continue
		}
		part := b.Mul(b.perChannel(b.castLike(dy[i], x), rank), b.Mul(s.per, b.Scalar(x, float64(i)*(1-momentum))))
		if i == 2 {
			part = b.Mul(s.centred, part)
		}
		if out[0] == nil {
			out[0] = b.expandLike(part, x)
		} else {
			out[0] = b.Add(out[0], part)
		}
	}
	return out
}
