package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// MeanVarianceNormalization is, over the axes (0, 2 and 3 unless given), y = (x-m) / (sqrt(mean (x-m)^2) + 1e-9) with the
// mean m.
func MeanVarianceNormalization(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	axes := onnx.AttrOr(n, "axes", []int64{0, 2, 3})
	centred := b.Sub(x, b.ReduceMean(x, true, axes...))
	deviation := b.Sqrt(b.ReduceMean(b.Mul(centred, centred), true, axes...))
	return []*onnx.Value{b.Div(centred, b.Add(deviation, b.Scalar(x, 1e-9)))}
}
