package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// SoftmaxCrossEntropyLoss is NegativeLogLikelihoodLoss of the logarithm of Softmax along axis 1, which is the second output.
func SoftmaxCrossEntropyLoss(b *op.Builder, n *onnx.Node) []*onnx.Value {
	logarithm := b.LogSoftmax(n.Input(0), 1)
	return []*onnx.Value{likelihoodLoss(b, n, logarithm), logarithm}
}

// NegativeLogLikelihoodLoss of scores x [N,C,...] against classes t [N,...] is, with the weight w of each class (1 unless
// given; 0 where t is the index to ignore), l = -w[t] x[t], or the sum of l, or the sum of l divided by the sum of w[t].
func NegativeLogLikelihoodLoss(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return []*onnx.Value{likelihoodLoss(b, n, n.Input(0))}
}

func likelihoodLoss(b *op.Builder, n *onnx.Node, x *onnx.Value) *onnx.Value {
	classes := n.Input(1)
	if b.Err() != nil {
		return nil
	}
	var counts *onnx.Value // whether a class counts
	if _, ok := n.Attr("ignore_index"); ok {
		ignored, err := op.ScalarTensor(classes.Type.DType, float64(onnx.AttrOr(n, "ignore_index", int64(0))))
		if err != nil {
			b.Fail("ignore_index: %w", err)
			return nil
		}
		counts = b.Node("Not", []*onnx.Value{b.Node("Equal", []*onnx.Value{classes, b.Const(ignored)}, 1)[0]}, 1)[0]
		classes = b.Where(counts, classes, b.Scalar(classes, 0)) // may lie outside
	}
	picked := b.Squeeze(b.Node("GatherElements", []*onnx.Value{x, b.Unsqueeze(classes, 1)}, 1, onnx.Int("axis", 1))[0], 1)
	var weight *onnx.Value // of each place
	if w := n.Input(2); w != nil {
		weight = b.Gather(w, classes, 0)
	}
	if counts != nil {
		zero := b.Scalar(x, 0)
		if weight == nil {
			weight = b.Cast(counts, x.Type.DType)
		} else {
			weight = b.Where(counts, weight, zero)
		}
		picked = b.Where(counts, picked, zero) // a score of minus infinity counts nothing either
	}
	loss := b.Neg(picked)
	if weight != nil {
		loss = b.Mul(loss, weight)
	}
	switch onnx.AttrOr(n, "reduction", "mean") {
	case "none":
		return loss
	case "sum":
		return b.ReduceSum(loss, false)
	}
	if weight == nil {
		return b.ReduceMean(loss, false)
	}
	return b.Div(b.ReduceSum(loss, false), b.ReduceSum(weight, false))
}
