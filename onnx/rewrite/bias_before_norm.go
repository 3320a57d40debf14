package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// BiasBeforeNorm drops the bias of a convolution, transposed or not, that InstanceNormalization follows, directly or behind
// an average pool without padding: the norm subtracts each channel's mean, and with it any constant. For training, where it
// spares the sum that would be the bias's gradient, which is zero in exact arithmetic.
var BiasBeforeNorm = Rule{Name: "BiasBeforeNorm", Op: "InstanceNormalization", Build: biasBeforeNorm}

// BiasBeforeBatchNorm does the same before BatchNormalization in training mode. The running mean is still that of the channel
// with its bias.
var BiasBeforeBatchNorm = Rule{Name: "BiasBeforeBatchNorm", Op: "BatchNormalization", Build: biasBeforeNorm}

// ofBatch reports whether a norm is by the statistics of what it reads.
func ofBatch(n *onnx.Node) bool {
	return n.Is("InstanceNormalization") || onnx.AttrOr(n, "training_mode", int64(0)) != 0
}

// normOf is the norm n of x, with as many outputs.
func normOf(b *op.Builder, n *onnx.Node, x *onnx.Value) []*onnx.Value {
	return b.Node(n.Op, append([]*onnx.Value{x}, n.Inputs()[1:]...), n.NumOutputs(), n.Attrs...)
}

func biasBeforeNorm(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !ofBatch(n) {
		return nil
	}
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
	bias := conv.Input(2)
	x = b.Node(conv.Op, conv.Inputs()[:2], 1, conv.Attrs...)[0]
	if pool != nil {
		x = b.Node("AveragePool", []*onnx.Value{x}, 1, pool.Attrs...)[0]
	}
	out := normOf(b, n, x)
	if len(out) > 1 && n.Output(1) != nil && b.Err() == nil {
		momentum := float64(onnx.AttrOr(n, "momentum", float32(0.9)))
		out[1] = b.Add(out[1], b.Mul(bias, b.Scalar(bias, 1-momentum)))
	}
	return out
}
