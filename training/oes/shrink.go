package oes

import (
	"fmt"

	"graft/masking"
	"graft/onnx"
	"graft/training"
)

// shrunk is a network without the channels that a mask leaves zero for as long as it holds, which is what a fit computes with.
type shrunk struct {
	network *onnx.Model
	from    []int32 // packed: which parameter of the whole network each one is, -1 for zeros; nil: the network is the whole one
}

// mostIndexed is how many parameters can be told apart by a float32.
const mostIndexed = 1 << 24

// shrink takes out what a packed mask leaves zero. Compaction moves weights and changes none where constants are zeros: it is done to
// a network that has the number of every parameter in its place, so that what is left says where it came from.
func shrink(m *onnx.Model, keep []bool) (*shrunk, error) {
	whole := &shrunk{network: m}
	if len(keep) == 0 || len(keep) >= mostIndexed {
		return whole, nil
	}
	numbered := m.Clone()
	at := 0
	for _, v := range training.Parameters(numbered.Graph) {
		t := onnx.NewTensor(onnx.Float, v.Const.Dims...)
		t.Name = v.Name
		for i := range t.Float32s() {
			if keep[at] {
				t.Float32s()[i] = float32(at + 1)
			}
			at++
		}
		v.Const = t
	}
	done, err := masking.CompactZeros(numbered.Graph)
	if err != nil {
		return nil, fmt.Errorf("shrink: %w", err)
	}
	if done.Before == done.After {
		return whole, nil
	}
	return renumber(numbered, m, keep)
}

// renumber reads where the parameters of a compacted network came from, and puts the whole network's own in their places.
func renumber(numbered, whole *onnx.Model, keep []bool) (*shrunk, error) {
	values := packed(whole)
	s := &shrunk{network: numbered}
	for _, v := range training.Parameters(numbered.Graph) {
		x := v.Const.Float32s()
		for i, number := range x {
			from := int32(number) - 1
			if number != 0 && (float32(from+1) != number || from < 0 || int(from) >= len(keep) || !keep[from]) {
				return nil, fmt.Errorf("shrink: %q has %g in the place of a parameter's number", v.Name, number)
			}
			s.from = append(s.from, from)
			if x[i] = 0; from >= 0 {
				x[i] = values[from]
			}
		}
	}
	return s, nil
}

// packed are the values of a network's parameters.
func packed(m *onnx.Model) (values []float32) {
	for _, v := range training.Parameters(m.Graph) {
		values = append(values, v.Const.Float32s()...)
	}
	return values
}

// mask is that of the packed parameters of what is left, as the optimizer's step takes it.
func (s *shrunk) mask(keep []bool) *onnx.Tensor {
	n := len(s.from)
	if s.from == nil {
		n = len(keep)
	}
	mask := onnx.NewTensor(onnx.Float, int64(n))
	for i := range mask.Float32s() {
		if s.from == nil && keep[i] || s.from != nil && s.from[i] >= 0 {
			mask.Float32s()[i] = 1
		}
	}
	return mask
}

// widen gives the packed parameters of the whole network, masked, with those that were trained in their places.
func (s *shrunk) widen(m *onnx.Model, keep []bool, trained *onnx.Tensor) *onnx.Tensor {
	if s.from == nil {
		return trained
	}
	values := packed(m)
	for i := range values {
		if !keep[i] {
			values[i] = 0
		}
	}
	for i, from := range s.from {
		if from >= 0 {
			values[from] = trained.Float32s()[i]
		}
	}
	return onnx.FromSlice(values, int64(len(values)))
}
