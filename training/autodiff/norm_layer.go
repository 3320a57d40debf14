package autodiff

import "graft/onnx"

// layerAxes lists the axes that a node normalizes over: those from its attribute on.
func (b *Builder) layerAxes(n *onnx.Node) ([]int64, bool) {
	rank, ok := b.rank(n.Input(0))
	if !ok {
		return nil, false
	}
	axis := onnx.AttrOr(n, "axis", int64(-1))
	if axis < 0 {
		axis += int64(rank)
	}
	var axes []int64
	for i := axis; i < int64(rank); i++ {
		axes = append(axes, i)
	}
	return axes, true
}

// y = scale h + bias with h = (x-m) r, the mean m and r = 1/sqrt(variance + epsilon) over the last axes. With g = dy scale
// and E the mean over those axes of M elements:
// dx = r (g - E g - h E(g h)) + dm/M - h r^2 dr/M; dscale = dy h; dbias = dy.
func gradLayerNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	axes, ok := b.layerAxes(n)
	if !ok {
		return nil
	}
	x, d := n.Input(0), dy[0]
	s := b.moments(x, axes, attribute(n, "epsilon", 1e-5))
	h := b.Mul(s.centred, s.r)
	out := make([]*onnx.Value, 3)
	if d != nil {
		if b.Wants(0) {
			g := b.Mul(d, n.Input(1))
			part := b.Sub(g, b.ReduceMean(g, true, axes...))
			out[0] = b.Mul(b.Sub(part, b.Mul(h, b.ReduceMean(b.Mul(g, h), true, axes...))), s.r)
		}
		out[1], out[2] = b.Mul(d, h), d
	}
	for i := 1; i < len(dy) && b.Wants(0); i++ {
		if dy[i] == nil {
			continue
		}
		part := b.Mul(b.castLike(dy[i], x), s.per)
		if i == 2 {
			part = b.Neg(b.Mul(h, b.Mul(part, b.Mul(s.r, s.r))))
		}
		if out[0] == nil {
			out[0] = b.expandLike(part, x)
		} else {
			out[0] = b.Add(out[0], part)
		}
	}
	return out
}

// y = scale x r with r = 1/sqrt(E x^2 + epsilon), E the mean over the last axes. With g = dy scale:
// dx = r g - x r^3 E(g x); dscale = dy x r.
func gradRMSNormalization(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	axes, ok := b.layerAxes(n)
	if !ok {
		return nil
	}
	x, scale, d := n.Input(0), b.castLike(n.Input(1), n.Input(0)), b.castLike(dy[0], n.Input(0))
	m := b.count(x, axes)
	square := b.Add(b.Div(b.ReduceSumSquare(x, true, axes...), m), b.Scalar(x, attribute(n, "epsilon", 1e-5)))
	r := b.Reciprocal(b.Sqrt(square))
	out := make([]*onnx.Value, 2)
	if b.Wants(0) {
		g := b.Mul(d, scale)
		back := b.Div(b.ReduceSum(b.Mul(g, x), true, axes...), b.Mul(m, square))
		out[0] = b.Mul(b.Sub(g, b.Mul(x, back)), r)
	}
	if b.Wants(1) {
		out[1] = b.castLike(b.Mul(d, b.Mul(x, r)), n.Input(1))
	}
	return out
}
