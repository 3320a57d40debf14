//go:build cgo

package runtime

import (
	"fmt"
	goruntime "runtime"
	"slices"

	"graft/onnx"
)

// NewState starts stepping. initial has the first value of each linked input, which is copied; fetch names the outputs to
// keep besides the linked ones. What neither is linked nor fetched is not computed.
func (s *Session) NewState(initial map[string]*onnx.Tensor, links []Link, fetch ...string) (_ *State, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil {
		return nil, errClosed
	}
	if err := s.checkLinks(initial, links, fetch); err != nil {
		return nil, err
	}
	st := &State{session: s, byInput: map[string]int{}, fed: map[string]int{},
		links: make([]buffers, len(links)), fetch: make([]fetched, len(fetch))}
	defer func() {
		if err != nil {
			st.Close()
		}
	}()
	if st.options, err = s.newRunOptions(); err != nil {
		return nil, err
	}
	if st.devices, err = s.deviceMemories(); err != nil {
		return nil, err
	}
	for i, l := range links {
		b := &st.links[i]
		b.Link, b.dtype = l, initial[l.Input].DType
		st.byInput[l.Input] = i
		st.inPlace = st.inPlace || l.InPlace
		st.inputNames, st.outputNames = append(st.inputNames, s.cNames[l.Input]), append(st.outputNames, s.cNames[l.Output])
		if b.device = st.devices.inputs[l.Input]; b.device != nil && !l.Grows {
			if err := b.onDevice(&s.env.capi, initial[l.Input]); err != nil {
				return nil, fmt.Errorf("state %q: %w", l.Input, err)
			}
			continue
		}
		b.device = nil
		for j := range b.tensors {
			if j == 1 && l.InPlace {
				b.tensors[1], b.values[1] = b.tensors[0], b.values[0]
			}
			if j == 1 && (l.InPlace || l.Grows) {
				break
			}
			if t := initial[l.Input]; l.InPlace && aligned(t) {
				own := *t
				b.tensors[j] = &own
			} else {
				b.tensors[j] = onnx.NewTensor(t.DType, t.Dims...)
			}
			b.tensors[j].Name = l.Input
			if b.values[j], err = s.env.wrap(b.tensors[j], &b.pin); err != nil {
				return nil, fmt.Errorf("state %q: %w", l.Input, err)
			}
		}
		copy(b.tensors[0].Data, initial[l.Input].Data) // of an adopted tensor: onto itself
	}
	for i, name := range fetch {
		f := &st.fetch[i]
		f.name = name
		st.outputNames = append(st.outputNames, s.cNames[name])
		if t := s.outputPort[name].Type; t.DType != onnx.Undefined && t.DType != onnx.String && bounded(t) {
			sizes, _ := t.Shape.Sizes()
			f.fixed, f.tensor = true, onnx.NewTensor(t.DType, sizes...)
			f.tensor.Name = name
			if d := st.devices.outputs[name]; d != nil && len(f.tensor.Data) > smallOutput {
				f.device, f.dtype = true, t.DType
				if f.value, err = d.give(&s.env.capi, t.DType, sizes); err != nil {
					return nil, fmt.Errorf("output %q: %w", name, err)
				}
				continue
			}
			if f.value, err = s.env.wrap(f.tensor, &f.pin); err != nil {
				return nil, fmt.Errorf("output %q: %w", name, err)
			}
		}
	}
	for i := range s.inputs {
		if _, linked := st.byInput[s.inputs[i].Name]; !linked {
			st.fed[s.inputs[i].Name] = len(st.feeds)
			st.feeds = append(st.feeds, feed{port: &s.inputs[i]})
			st.inputNames = append(st.inputNames, s.cNames[s.inputs[i].Name])
		}
	}
	if s.captures {
		if st.capture, err = st.newCapture(); err != nil {
			return nil, err
		}
	}
	s.marks.Add(1)
	st.inputs, st.outputs = make([]handle, len(st.inputNames)), make([]handle, len(st.outputNames))
	goruntime.SetFinalizer(st, (*State).Close) // memory that stays pinned when its owner is collected is a crash
	return st, nil
}

// onDevice makes the homes of a tensor on its device, and t what the first step reads.
func (b *buffers) onDevice(c *capi, t *onnx.Tensor) (err error) {
	for j := range b.values {
		if j == 1 && b.InPlace {
			b.values[1] = b.values[0]
			break
		}
		if b.values[j], err = b.device.give(c, t.DType, t.Dims); err != nil {
			return err
		}
	}
	if err := b.upload.set(c, t); err != nil {
		return err
	}
	b.upload.tensor.Name = b.Input
	return nil
}

// smallOutput is the most bytes of an output that comes from a device at every step, whether it is read or not.
const smallOutput = 256

// bounded reports whether a declared shape is static and small enough to allocate before anything has run: a model may
// declare what it likes.
func bounded(t onnx.TensorType) bool {
	sizes, ok := t.Shape.Sizes()
	if !ok {
		return false
	}
	n, err := onnx.ElementCount(sizes)
	return err == nil && n <= 1<<28
}

func (s *Session) checkLinks(initial map[string]*onnx.Tensor, links []Link, fetch []string) error {
	names := slices.Clone(fetch)
	inputs := map[string]bool{}
	for _, l := range links {
		names = append(names, l.Output)
		in := s.byName[l.Input]
		if in == nil {
			return unknownPort("input", l.Input, s.inputs)
		}
		if inputs[l.Input] {
			return fmt.Errorf("%w: input %q is linked twice", ErrFeed, l.Input)
		}
		inputs[l.Input] = true
		if err := checkFeed(in, initial[l.Input]); err != nil {
			return err
		}
		if l.InPlace && l.Grows {
			return fmt.Errorf("%w: %q grows, it cannot be written in place", ErrFeed, l.Input)
		}
		if in.Type.DType == onnx.String {
			return fmt.Errorf("%w: %q holds strings, which cannot be linked", ErrFeed, l.Input)
		}
		out := s.outputPort[l.Output]
		if out == nil {
			return unknownPort("output", l.Output, s.outputs)
		}
		if out.Type.DType != in.Type.DType || !shapeFits(out.Type.Shape, initial[l.Input].Dims) {
			return fmt.Errorf("%w: output %q is %v, it cannot become input %q, which is %v",
				ErrFeed, l.Output, out.Type, l.Input, initial[l.Input].Type())
		}
	}
	for name := range initial {
		if !inputs[name] {
			return fmt.Errorf("%w: the initial value of %q belongs to no link", ErrFeed, name)
		}
	}
	return s.checkOutputs(names)
}
