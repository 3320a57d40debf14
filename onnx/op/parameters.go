package op

import (
	"slices"

	"graft/onnx"
)

// settings are the float inputs that steer an operator, or hold statistics, rather than being learned.
var settings = map[string][]int{
	"BatchNormalization": {3, 4}, "Resize": {1, 2}, "Upsample": {1}, "Clip": {1, 2}, "Pad": {2}, "Dropout": {1, 2},
	"Range": {0, 1, 2}, "OneHot": {1, 2}, "Pow": {1}, "QuantizeLinear": {1}, "DequantizeLinear": {1}, "QLinearConv": {1, 4, 6},
	"QLinearMatMul": {1, 4, 6}, "NonMaxSuppression": {3, 4}, "Loop": {0, 1}, "If": {0}, "ConstantOfShape": {0},
}

// weights are the inputs that hold an operator's learned weights wherever they are constant.
var weights = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "DeformConv": {1, 3}, "Gemm": {0, 1, 2}, "MatMul": {0, 1}, "BatchNormalization": {1, 2},
	"InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2}, "PRelu": {1}, "Gather": {0},
	"RNN": {1, 2, 3}, "LSTM": {1, 2, 3, 7}, "GRU": {1, 2, 3}, "ConvInteger": {1}, "MatMulInteger": {1},
	"SimplifiedLayerNormalization": {1}, "RMSNormalization": {1},
}

// carriers hand a weight on to the node that uses it.
var carriers = []string{"Identity", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "QuantizeLinear", "DequantizeLinear"}

// Consumer is the node that a weight belongs to: the first that reads v, or what reads v through nodes that only convert
// or rearrange it. input is where it is read; nil when nothing reads v.
func Consumer(v *onnx.Value) (n *onnx.Node, input int) {
	const longest = 16
	for range longest {
		uses := v.Uses()
		if len(uses) == 0 {
			return n, input
		}
		n, input = uses[0].Node, uses[0].Index
		if !n.Is(n.Op) || input != 0 || !slices.Contains(carriers, n.Op) || n.Output(0) == nil {
			return n, input
		}
		v = n.Output(0)
	}
	return n, input
}

// IsParameter reports whether v is a learned weight as far as the graph shows it: a float initializer of which one reader
// at least takes more than a setting (a bound, a scale of a resize or a quantization, a running statistic). A tensor of one
// element counts where its operator keeps weights there, for elsewhere it is a constant of a formula.
func IsParameter(v *onnx.Value) bool {
	t := v.Const
	if v.Sparse != nil {
		t = v.Sparse.Values
	}
	if t == nil || !t.DType.IsFloat() {
		return false
	}
	single := v.Const != nil && t.Len() == 1
	for _, u := range v.Uses() {
		at := weights[u.Node.Op]
		if !u.Node.Is(u.Node.Op) {
			at = nil
		}
		switch {
		case slices.Contains(at, u.Index):
			return true
		case single || u.Node.Is(u.Node.Op) && slices.Contains(settings[u.Node.Op], u.Index):
		default:
			return true
		}
	}
	return false
}

// IsWeightInput reports whether the operator of n keeps learned weights at input i.
func IsWeightInput(n *onnx.Node, i int) bool {
	return n.Is(n.Op) && slices.Contains(weights[n.Op], i)
}

// WeightAxes gives the axes of v that count outputs and inputs where v is the weight of a convolution or of a product of matrices
// that reads it as it is: a group's inputs alone where a convolution has groups. -1 where it is none.
func WeightAxes(v *onnx.Value) (output, input int) {
	if v.Const == nil {
		return -1, -1
	}
	rank := len(v.Const.Dims)
	for _, u := range v.Uses() {
		switch n := u.Node; {
		case n.Is("Conv") && u.Index == 1 && rank > 2:
			return 0, 1
		case n.Is("ConvTranspose") && u.Index == 1 && rank > 2:
			return 1, 0
		case n.Is("MatMul") && u.Index == 1 && rank > 1:
			return rank - 1, rank - 2
		case n.Is("MatMul") && u.Index == 0 && rank > 1:
			return rank - 2, rank - 1
		case n.Is("Gemm") && u.Index < 2 && rank == 2:
			transposed := onnx.AttrOr(n, [2]string{"transA", "transB"}[u.Index], int64(0)) != 0
			if transposed == (u.Index == 1) { // rows are outputs
				return 0, 1
			}
			return 1, 0
		}
	}
	return -1, -1
}
