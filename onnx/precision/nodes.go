package precision

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// stay are the operators that keep their element types: what they compute is numbers of bits, draws from a generator, or
// shapes and bounds of which float16 holds too few.
var stay = []string{"Range", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
	"NonMaxSuppression", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial",
	"EyeLike", "MelWeightMatrix", "TfIdfVectorizer", "BitCast", "HannWindow", "HammingWindow", "BlackmanWindow", "STFT", "DFT"}

// delicate are the operators that add many numbers up, or whose results span many magnitudes; --precision mixed keeps them.
var delicate = []string{"Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
	"RMSNormalization", "MeanVarianceNormalization", "LRN", "LpNormalization", "ReduceMean", "ReduceSum", "ReduceProd", "ReduceL1",
	"ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "GlobalAveragePool", "Exp", "Log", "Pow", "Reciprocal",
	"CumSum", "Softplus", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}

// Delicate reports whether n sums up many numbers, or gives results of many magnitudes.
func Delicate(n *onnx.Node) bool { return n.Is(n.Op) && slices.Contains(delicate, n.Op) }

// wideInputs are inputs that have an element type of their own, which stays.
var wideInputs = map[string][]int{"Resize": {1, 2}, "Upsample": {1}}

// able says why a node cannot compute in a type at an opset; "" when it can.
func able(n *onnx.Node, to onnx.DataType, opset int64) string {
	s := op.Lookup(n.Op)
	switch {
	case !n.Is(n.Op):
		return "an operator of another domain"
	case s == nil:
		return "an operator that is not known"
	case slices.Contains(stay, n.Op):
		return "its element types are its own"
	case len(n.Subgraphs()) > 0:
		return "it holds graphs, whose inputs and outputs stay"
	}
	for _, v := range slices.Concat(n.Inputs(), n.Outputs()) {
		if v != nil && !v.IsTensor() {
			return "it works on sequences"
		}
	}
	if n.Is("Cast") || n.Is("Constant") || n.Is("ConstantOfShape") {
		s = op.Lookup("Identity")
	}
	since, ok := s.TypeSince(to)
	switch {
	case !ok:
		return fmt.Sprintf("%s does not take %v", n.Op, to)
	case since > opset:
		return fmt.Sprintf("%s takes %v from opset %d on", n.Op, to, since)
	}
	return ""
}

// Key names a node across copies of a model: its first output that has a name.
func Key(n *onnx.Node) string {
	for _, o := range n.Outputs() {
		if o != nil && o.Name != "" {
			return o.Name
		}
	}
	return ""
}
