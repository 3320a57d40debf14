package prosocial

import (
	"fmt"
	"strings"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/loss"
)

// entropyName is the output that holds the entropy of attention.
const entropyName = "attention_entropy"

// withEntropy makes an output of the mean entropy of the attention of all layers and tokens, in nats, and takes it away from a loss,
// so that attention is spread over more tokens (EAR, Attanasio et al. 2022, arXiv 2203.09192, equations 1 to 4):
//
//	a = mean over heads of the weights of attention,  p_ij = softmax over j of a_ij,  H_i = -sum_j p_ij log p_ij
//
// Only tokens that are seen count in the softmax: no padding, and for a decoder none behind the one that looks. The sum over layers of
// the paper is a mean here.
func withEntropy(m *onnx.Model, base loss.Loss, weight float64) (loss.Loss, error) {
	top := op.NewBuilder(m.Graph)
	b := top.In(entropyName)
	mask := m.Graph.Lookup("attention_mask")
	if mask == nil {
		return base, fmt.Errorf("entropy of attention: the network has no attention_mask")
	}
	var outputs, layers []*onnx.Value
	for _, v := range m.Graph.Outputs() {
		if !strings.HasPrefix(v.Name, language.AttentionsPrefix) {
			outputs = append(outputs, v)
			continue
		}
		v.Name = ""
		layers = append(layers, b.Unsqueeze(entropyOf(b, v), 0))
	}
	if len(layers) == 0 {
		return base, fmt.Errorf("entropy of attention: the network gives none")
	}
	h := b.ReduceMean(b.Concat(0, layers...), false, 0) // [N, S]
	counts := b.Cast(mask, onnx.Float)
	mean := b.Div(b.ReduceSum(b.Mul(h, counts), false, 0, 1), b.ReduceSum(counts, false, 0, 1))
	m.Graph.SetOutputs(append(outputs, top.Named(mean, entropyName))...)
	if err := b.Err(); err != nil {
		return base, err
	}
	own := base.Build
	base.Build = func(b *op.Builder, output, target *onnx.Value) *onnx.Value {
		entropy := b.Graph().Lookup(entropyName)
		return b.Sub(own(b, output, target), b.Mul(entropy, b.Scalar(entropy, weight)))
	}
	return base, nil
}

// entropyOf is H [N,S] of weights [N,heads,S,S]. What is not seen has a weight of exactly zero.
func entropyOf(b *op.Builder, weights *onnx.Value) *onnx.Value {
	a := b.ReduceMean(weights, false, 1)
	unseen := b.Equal(a, b.Scalar(a, 0))
	p := b.Softmax(b.Where(unseen, b.Scalar(a, -1e9), a), -1)
	logs := b.Log(b.Where(unseen, b.Scalar(a, 1), p)) // 0 log 0 = 0
	return b.Neg(b.ReduceSum(b.Mul(p, logs), false, -1))
}
