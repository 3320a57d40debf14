package autodiff

import (
	"graft/onnx"
	"graft/onnx/rewrite"
)

// pointwiseForm is one of the ways to differentiate an operator: a rule, which keeps the operator's own kernel for the way on, or
// an expression.
type pointwiseForm struct {
	name   string
	grad   Grad
	expand Expand
	fits   func(n *onnx.Node) bool // it can be taken; nil: always
}

// pointwiseForms lists them, the first for the CPU. cuda is the place of CUDA's.
type pointwiseForms struct {
	forms []pointwiseForm
	cuda  int
}

func (p pointwiseForms) of(op string) row {
	r := row{op: op, grad: p.forms[0].grad, expand: p.forms[0].expand}
	if p.cuda > 0 {
		r.cuda = &p.forms[p.cuda]
	}
	return r
}

// The forms. Milliseconds of the way on and back together, on ONNX Runtime 1.28, one thread and
// two, the least of many runs beside other work (BenchmarkPointwiseForms measures them anew):
//
//	operator              shape      form        1      2
//	LayerNormalization    512x256    expression  0.93   1.5
//	                                 rule        1.9    2.5
//	                      512x768    expression  3.1    3.2
//	                                 rule        5.3    6.1
//	RMSNormalization      512x256    expression  0.52   0.69
//	                                 rule        0.86   0.94
//	                      512x768    expression  3.0    2.7
//	                                 rule        3.0    10
//	Softmax               32x64x64   centred     0.45   0.42
//	                                 weighted    0.67   0.44
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1, the least of many runs: for
// LayerNormalization expression 221 and rule 172 (512x256), 225 and 178 (512x768); for RMSNormalization 155 and 127, 152 and
// 129; for Softmax centred 64 and weighted 62 (32x64x64), 77 and 79 (96x128x128). Of a scale [2,5] with a
// bias [5] that provider's LayerNormalization makes another y than the CPU's and the expression.
//
// The kernel of LayerNormalization takes 0.9 of the rule's 1.9 ms. A second LayerNormalization with a scale of ones that gives
// the normalized x and 1/deviation anew takes 2.9 ms, row sums by products with a vector of ones as long as ReduceMean:
// neither is kept. For InstanceNormalization and BatchNormalization kernel and rule together take as long as the expression,
// 4.4 and 4.3 ms for 32 channels at 128x128, 3.7 ms both for a batch of 64 with 32 channels at 14x14: those keep their kernels.
var (
	layerForms = pointwiseForms{[]pointwiseForm{{"expression", nil, rewrite.LayerNormalization, nil}, {"rule", gradLayerNormalization, nil, alikeScaleAndBias}}, 1}
	rmsForms   = pointwiseForms{[]pointwiseForm{{"expression", nil, rewrite.RMSNormalization, nil}, {"rule", gradRMSNormalization, nil, nil}}, 1}

	softmaxForms = pointwiseForms{[]pointwiseForm{{"centred", of(gradSoftmaxCentred), nil, nil}, {"weighted", of(gradSoftmaxWeighted), nil, nil}}, 0}
)

// alikeScaleAndBias reports whether n's scale and bias have the same shape, or there is no bias.
func alikeScaleAndBias(n *onnx.Node) bool {
	bias := n.Input(2)
	return bias == nil || n.Input(1) != nil && bias.Type.Shape.String() == n.Input(1).Type.Shape.String()
}

// y = exp x / sum exp x along an axis: dx = y (dy - sum dy y).
func gradSoftmaxCentred(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	return b.Mul(y, b.Sub(dy, b.ReduceSum(b.Mul(dy, y), true, onnx.AttrOr(n, "axis", int64(-1)))))
}

// The same, multiplied out: dx = dy y - y sum dy y.
func gradSoftmaxWeighted(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	weighted := b.Mul(dy, y)
	return b.Sub(weighted, b.Mul(y, b.ReduceSum(weighted, true, onnx.AttrOr(n, "axis", int64(-1)))))
}
