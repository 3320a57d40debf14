package prosocial

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// Penalty holds heads near where they are in a network: sum_h r_h |w_h - a_h|^2, with w_h all parameters of head h.
type Penalty struct {
	Anchor  *Network         // a
	Weights map[Head]float64 // r by head
}

const (
	inputAnchor = "penalty_anchor"
	inputFactor = "penalty_factor"
)

// add has a step minimize the penalty beside its loss.
func (p *Penalty) add(c *training.StepConfig, packing *training.Packing) error {
	anchor, factor, err := p.packed(packing)
	if err != nil {
		return err
	}
	c.PenaltyGradient = func(b *op.Builder, trained *onnx.Value) *onnx.Value {
		// d/dw r (w-a)^2 = 2r (w-a)
		apart := b.Sub(trained, b.Graph().AddInput(inputAnchor, trained.Type))
		return b.Mul(apart, b.Graph().AddInput(inputFactor, trained.Type))
	}
	c.Constants = map[string]*onnx.Tensor{inputAnchor: anchor, inputFactor: factor}
	return nil
}

// packed are a, and 2r for each element.
func (p *Penalty) packed(packing *training.Packing) (anchor, factor *onnx.Tensor, err error) {
	dims := map[string][]int64{}
	for i, name := range packing.Names() {
		dims[name] = packing.Dims(i)
	}
	factors, err := p.factors(dims)
	if err != nil {
		return nil, nil, err
	}
	values := map[string]*onnx.Tensor{}
	for name, f := range factors {
		if values[name] = p.Anchor.Weights[name]; values[name] == nil {
			values[name] = f // a weight of the task alone, no head's
		}
	}
	if anchor, err = packing.Pack(func(name string) *onnx.Tensor { return values[name] }); err != nil {
		return nil, nil, err
	}
	factor, err = packing.Pack(func(name string) *onnx.Tensor { return factors[name] })
	return anchor, factor, err
}

// factors are 2r for each element of weights of the dims.
func (p *Penalty) factors(dims map[string][]int64) (map[string]*onnx.Tensor, error) {
	out := map[string]*onnx.Tensor{}
	for name, d := range dims {
		out[name] = onnx.NewTensor(onnx.Float, d...)
	}
	for head, r := range p.Weights {
		slices, err := p.Anchor.slices(head)
		if err != nil {
			return nil, err
		}
		for _, s := range slices {
			t := out[s.name]
			if t == nil {
				return nil, fmt.Errorf("penalty of head %v: %s is not trained", head, s.name)
			}
			s.each(t.Dims, func(i int64) { t.Float32s()[i] = float32(2 * r) })
		}
	}
	return out, nil
}

// Value is the penalty of a network.
func (p *Penalty) Value(n *Network) (float64, error) {
	sum := 0.0
	for head, r := range p.Weights {
		slices, err := n.slices(head)
		if err != nil {
			return 0, err
		}
		for _, s := range slices {
			w, a := n.Weights[s.name], p.Anchor.Weights[s.name]
			if w == nil || a == nil {
				return 0, fmt.Errorf("penalty: no weight %s", s.name)
			}
			s.each(w.Dims, func(i int64) {
				d := float64(w.Float32s()[i]) - float64(a.Float32s()[i])
				sum += r * d * d
			})
		}
	}
	return sum, nil
}
