package training

import (
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/runtime"
)

// Snapshot is the state between two steps: what a checkpoint holds.
type Snapshot struct {
	Steps   int64 // taken so far
	Trained *onnx.Tensor
	// Slots are packed as Trained, by name. One that is absent is as before the first step: zero, and the moving average of
	// the parameters the parameters themselves.
	Slots   map[string]*onnx.Tensor
	Buffers map[string]*onnx.Tensor // by name; nil without any
	Mask    *onnx.Tensor            // packed gradient mask; nil without one
	Masked  bool                    // read from a checkpoint that was made under a mask
}

// NewSnapshot is the state before the first step.
func (s *Step) NewSnapshot(trained, mask *onnx.Tensor) *Snapshot {
	return &Snapshot{Trained: trained, Slots: map[string]*onnx.Tensor{}, Mask: mask}
}

// ApplyMask sets the gradient mask, zeros and ones packed as Trained, and zeroes parameters and slots where it is zero. The
// tensors are replaced, not written to.
func (s *Snapshot) ApplyMask(mask *onnx.Tensor) error {
	if mask.DType != onnx.Float || mask.Len() != s.Trained.Len() {
		return fmt.Errorf("apply mask: it is %v, the parameters are %v", mask.Type(), s.Trained.Type())
	}
	zero := func(t *onnx.Tensor) *onnx.Tensor {
		t = t.Clone()
		values := t.Float32s()
		for i, keep := range mask.Float32s() {
			if keep == 0 {
				values[i] = 0
			}
		}
		return t
	}
	s.Mask, s.Trained = mask, zero(s.Trained)
	for name, t := range s.Slots {
		s.Slots[name] = zero(t)
	}
	return nil
}

// Averaged is s with the moving average of the parameters in their place, by which a network is judged that keeps one. Without
// one, and before the first step, it is s.
func (s *Snapshot) Averaged() *Snapshot {
	average := s.Slots[slotEMA]
	if average == nil {
		return s
	}
	judged := *s
	judged.Trained = average
	return &judged
}

// Finite reports whether no parameter is NaN or infinite.
func (s *Snapshot) Finite() bool {
	for _, v := range s.Trained.Float32s() {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// links gives what the runtime's state starts with, and which output becomes which input.
func (s *Step) links(from *Snapshot) (map[string]*onnx.Tensor, []runtime.Link, error) {
	initial, links := map[string]*onnx.Tensor{}, []runtime.Link(nil)
	add := func(name string, t *onnx.Tensor) {
		initial[name] = t
		links = append(links, runtime.Link{Output: name + next, Input: name})
	}
	packed := func(input, suffix string, t *onnx.Tensor) {
		if !s.Named {
			add(input, t)
			return
		}
		for _, part := range s.Packing.Unpack(t) {
			add(part.Name+suffix, part)
		}
	}
	packed(InputTrained, "", from.Trained)
	for _, name := range s.Slots {
		t := from.Slots[name]
		if t == nil && from.Steps > 0 {
			return nil, nil, fmt.Errorf("the state has no slot %q: another optimizer made it", name)
		}
		if t == nil {
			t = s.beginning(name, from.Trained)
		}
		packed(name, "."+name, t)
	}
	for _, v := range s.Buffers {
		if from.Buffers[v.Name] == nil {
			return nil, nil, fmt.Errorf("the state has no buffer %q", v.Name)
		}
		add(v.Name, from.Buffers[v.Name])
	}
	return initial, links, nil
}

// beginning is a packed slot before the first step.
func (s *Step) beginning(slot string, trained *onnx.Tensor) *onnx.Tensor {
	if slot == slotEMA && s.Named {
		return trained
	}
	return onnx.NewTensor(onnx.Float, s.Packing.Len())
}

// gather makes a snapshot of the runtime's state.
func (s *Step) gather(state *runtime.State, steps int64) (*Snapshot, error) {
	var failed error
	read := func(name string) *onnx.Tensor {
		t, err := state.Read(name)
		failed = errors.Join(failed, err)
		return t
	}
	packed := func(input, suffix string) *onnx.Tensor {
		if !s.Named {
			return read(input)
		}
		t, err := s.Packing.Pack(func(name string) *onnx.Tensor { return read(name + suffix) })
		failed = errors.Join(failed, err)
		return t
	}
	snap := &Snapshot{Steps: steps, Trained: packed(InputTrained, ""), Slots: map[string]*onnx.Tensor{}}
	for _, name := range s.Slots {
		snap.Slots[name] = packed(name, "."+name)
	}
	for _, v := range s.Buffers {
		if snap.Buffers == nil {
			snap.Buffers = map[string]*onnx.Tensor{}
		}
		snap.Buffers[v.Name] = read(v.Name)
	}
	if failed != nil {
		return nil, failed
	}
	return snap, nil
}

// diverged reports whether a loss is no number to go on with.
func diverged(loss float64) bool { return math.IsNaN(loss) || math.IsInf(loss, 0) }
