package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// BiasBeforeNorm drops the bias of a convolution, transposed or not, that InstanceNormalization follows, directly or behind an average pool
// without padding: the norm subtracts each channel's mean, and with it any constant. For training, where it spares the
// sum that would be the bias's gradient, which is zero in exact arithmetic.
var BiasBeforeNorm = Rule{Name: "BiasBeforeNorm", Op: "InstanceNormalization", Build: biasBeforeNorm}

func biasBeforeNorm(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	pool := x.Producer()
	if pool != nil && pool.Is("AveragePool") {
		a := op.PoolAttrsOf(pool)
		if any(a.Pads) || a.CeilMode || (a.AutoPad != "NOTSET" && a.AutoPad != "VALID") || !alone(b.Graph(), x) {
			return nil
		}
		x = pool.Input(0)
	} else {
		pool = nil
	}
	conv := x.Producer()
	if conv == nil || !conv.Is("Conv") && !conv.Is("ConvTranspose") || conv.Input(2) == nil || !alone(b.Graph(), x) {
		return nil
	}
	x = b.Node(conv.Op, conv.Inputs()[:2], 1, conv.Attrs...)[0]
	if pool != nil {
		x = b.Node("AveragePool", []*onnx.Value{x}, 1, pool.Attrs...)[0]
	}
	return b.Node("InstanceNormalization", []*onnx.Value{x, n.Input(1), n.Input(2)}, 1, n.Attrs...)
}
