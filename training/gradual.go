package training

import (
	"fmt"
	"math"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Gradual is the pruning schedule of Zhu and Gupta (arXiv 1710.01878): with t from 0 at Begin to 1 at End, the fraction
//
//	s(t) = Final + (Initial - Final)(1 - t)^3
//
// of the weights is gone.
type Gradual struct {
	Initial, Final    float64
	Begin, End, Every int64 // steps
}

// Check refuses what is no schedule.
func (g Gradual) Check() error {
	switch {
	case g.Final <= 0 || g.Final >= 1 || g.Initial < 0 || g.Initial > g.Final:
		return fmt.Errorf("pruning from %g to %g: want 0 <= from <= to < 1", g.Initial, g.Final)
	case g.Begin < 0 || g.End <= g.Begin || g.Every < 1:
		return fmt.Errorf("pruning from step %d to %d, every %d: want begin before end, and every 1 or more", g.Begin, g.End, g.Every)
	}
	return nil
}

// Sparsity is the fraction that is gone after a step.
func (g Gradual) Sparsity(step int64) float64 {
	if step < g.Begin {
		return 0
	}
	t := min(1, float64(step-g.Begin)/float64(g.End-g.Begin))
	return g.Final + (g.Initial-g.Final)*math.Pow(1-t, 3)
}

// Due reports whether weights are taken away after a step.
func (g Gradual) Due(step int64) bool {
	return step >= g.Begin && step <= g.End && ((step-g.Begin)%g.Every == 0 || step == g.End)
}

// Prunable lists the parameters of a model, given as inputs, that are weights of a linear operator or of an embedding: no
// biases, and nothing of a norm.
func Prunable(m *onnx.Model, p *Packing) map[string]bool {
	out := map[string]bool{}
	for _, name := range p.Names() {
		v := m.Graph.Lookup(name)
		if v == nil {
			continue
		}
		n, input := op.Consumer(v)
		if n == nil || !n.Is(n.Op) {
			continue
		}
		switch n.Op {
		case "Conv", "ConvTranspose", "DeformConv":
			out[name] = input == 1
		case "Gemm", "RNN", "LSTM", "GRU":
			out[name] = input <= 2 && !(n.Op == "Gemm" && input == 2)
		case "MatMul", "Einsum":
			out[name] = true
		case "Gather":
			out[name] = input == 0
		}
		if !out[name] {
			delete(out, name)
		}
	}
	return out
}

// Prune gives a snapshot in which the fraction sparsity of the named parameters' weights is masked: those of least magnitude
// among all of them, or with masking.Layer among those of their own parameter. What was masked before stays so. Ties are
// broken from the seed.
func (s *Step) Prune(snap *Snapshot, names map[string]bool, sparsity float64, scope masking.Scope, seed uint64) (*Snapshot, error) {
	p := s.Packing
	values := snap.Trained.Float32s()
	var scores []float32
	var places []int64
	var keep []bool
	choose := func() error {
		kept, err := masking.TopK(scores[len(keep):], masking.KeepCount(int64(len(scores)-len(keep)), sparsity), seed)
		keep = append(keep, kept...)
		return err
	}
	for i, name := range p.names {
		if !names[name] {
			continue
		}
		for at := p.offsets[i]; at < p.offsets[i+1]; at++ {
			score := float32(math.Abs(float64(values[at])))
			if snap.Mask != nil && snap.Mask.Float32s()[at] == 0 {
				score = -1 // below every weight that is there
			}
			scores, places = append(scores, score), append(places, at)
		}
		if scope == masking.Layer {
			if err := choose(); err != nil {
				return nil, fmt.Errorf("prune %s: %w", limits.Name(name), err)
			}
		}
	}
	if scope != masking.Layer {
		if err := choose(); err != nil {
			return nil, fmt.Errorf("prune: %w", err)
		}
	}
	mask := onnx.NewTensor(onnx.Float, p.Len())
	for i := range mask.Float32s() {
		mask.Float32s()[i] = 1
	}
	if snap.Mask != nil {
		copy(mask.Data, snap.Mask.Data)
	}
	for i, k := range keep {
		if !k {
			mask.Float32s()[places[i]] = 0
		}
	}
	after := &Snapshot{Steps: snap.Steps, Trained: snap.Trained, Buffers: snap.Buffers, Slots: map[string]*onnx.Tensor{}}
	for name, t := range snap.Slots {
		after.Slots[name] = t
	}
	return after, after.ApplyMask(mask)
}

// MaskSet is a packed mask by the parameters' names. Parameters of one element, which no mask covers unless it takes them away,
// are left out where they are kept.
func (s *Step) MaskSet(mask *onnx.Tensor) (*masking.Set, error) {
	set := &masking.Set{}
	for _, t := range s.Packing.maskTensors(mask) {
		m := &masking.Mask{Name: t.Name, Dims: t.Dims, Keep: make([]bool, len(t.Data))}
		for i, v := range t.Data {
			m.Keep[i] = v == 1
		}
		if len(m.Keep) == 1 && m.Keep[0] {
			continue
		}
		if err := set.Add(m); err != nil {
			return nil, err
		}
	}
	return set, nil
}
