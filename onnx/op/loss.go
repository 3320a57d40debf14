package op

import (
	"fmt"

	"graft/onnx"
)

var loss = []Schema{
	row("NegativeLogLikelihoodLoss", 12, 2, 3, floats22, inferLoss, "ignore_index", "reduction"),
	row("SoftmaxCrossEntropyLoss", 12, 2, 3, floats13, inferLoss, "ignore_index", "reduction").outs(2),
}

// inferLoss: scores [N,C,...] against classes [N,...] give a scalar, or a loss each without a reduction; the second output
// is the logarithm of the probabilities.
func inferLoss(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, y := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1)
	if x.Ranked() && len(x) < 2 {
		return nil, fmt.Errorf("scores have rank %d, want 2 or more", len(x))
	}
	if x.Ranked() && y.Ranked() {
		want := append(onnx.Shape{x[0]}, x[2:]...)
		same := len(want) == len(y)
		for i := 0; same && i < len(y); i++ {
			want[i], same = mergeDim(want[i], y[i])
		}
		if !same {
			return nil, fmt.Errorf("scores %v and classes %v do not match", x, y)
		}
	}
	out := onnx.NewShape()
	switch r := onnx.AttrOr(n, "reduction", "mean"); r {
	case "mean", "sum":
	case "none":
		out = y.Clone()
	default:
		return nil, fmt.Errorf("reduction %q is not known", r)
	}
	types := one(d, out)
	if n.NumOutputs() > 1 {
		types = append(types, onnx.TensorType{DType: d, Shape: x.Clone()})
	}
	return types, nil
}
