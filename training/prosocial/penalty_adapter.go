package prosocial

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// addTo has a step that trains an adapter of a network minimize the penalty of what the network becomes. With W = W0 + s B A, and F
// the factors 2r of the matrix's elements,
//
//	M = F (W - a),  dP/dB = s M A',  dP/dA = s B' M
//
// Biases of heads are not trained then, and add nothing that changes.
func (p *Penalty) addTo(a *Adapter, n *Network, c *training.StepConfig, packing *training.Packing) error {
	dims := map[string][]int64{}
	for name, w := range p.Anchor.Weights {
		dims[name] = w.Dims
	}
	factors, err := p.factors(dims)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for head := range p.Weights {
		slices, err := p.Anchor.slices(head)
		if err != nil {
			return err
		}
		for _, s := range slices {
			held[s.name] = true
		}
	}
	at := map[string]int{}
	for i, name := range packing.Names() {
		at[name] = i
	}
	c.PenaltyGradient = func(b *op.Builder, trained *onnx.Value) *onnx.Value {
		parts := packing.Split(b, trained)
		out := make([]*onnx.Value, len(parts))
		for i, v := range parts {
			out[i] = b.Mul(v, b.Scalar(v, 0))
		}
		for _, name := range packing.Names() { // in order: a checkpoint knows its graph
			module, ok := strings.CutSuffix(name, upPart)
			if !ok || !held[module+".weight"] {
				continue
			}
			matrix := module + ".weight"
			apart := n.Weights[matrix].Clone()
			for i, v := range p.Anchor.Weights[matrix].Float32s() {
				apart.Float32s()[i] -= v
			}
			up, down := parts[at[name]], parts[at[module+downPart]]
			change := b.MatMul(up, down) // [out, in]
			factor, rest := b.Const(factors[matrix]), b.Const(apart)
			if n.transposed() {
				factor, rest = b.Transpose(factor, 1, 0), b.Transpose(rest, 1, 0)
			}
			s := b.Scalar(change, a.factor())
			m := b.Mul(b.Mul(factor, b.Add(b.Mul(change, s), rest)), s)
			out[at[name]] = b.MatMul(m, b.Transpose(down, 1, 0))
			out[at[module+downPart]] = b.MatMul(b.Transpose(up, 1, 0), m)
		}
		return packing.Join(b, out)
	}
	for name := range at {
		if module, ok := strings.CutSuffix(name, upPart); ok && held[module+".weight"] {
			return nil
		}
	}
	return fmt.Errorf("penalty of heads: the adapter trains no matrix of theirs")
}
