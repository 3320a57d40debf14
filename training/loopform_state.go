package training

import (
	"fmt"

	"graft/onnx"
	"graft/runtime"
)

// resident is the state of a run as packed tensors, by suffix ("", ".momentum0"), in which large parameters lie where the
// runtime updates them.
type resident map[string]*onnx.Tensor

// links gives what the runtime's state starts with, which output becomes which input, and where the state lies.
func (f *loopForm) links(from *Snapshot) (map[string]*onnx.Tensor, []runtime.Link, resident, error) {
	if f.buckets == nil {
		initial, links, err := f.Step.links(from)
		for i, l := range links {
			if f.inPlace[l.Input] {
				links[i].InPlace, initial[l.Input] = true, initial[l.Input].Clone()
			}
		}
		return initial, links, nil, err
	}
	at := resident{"": from.Trained.Clone()}
	for _, slot := range f.Slots {
		switch t := from.Slots[slot]; {
		case t != nil:
			at["."+slot] = t.Clone()
		case from.Steps > 0:
			return nil, nil, nil, fmt.Errorf("the state has no slot %q: another optimizer made it", slot)
		default:
			if t = f.beginning(slot, from.Trained); t == from.Trained {
				t = t.Clone()
			}
			at["."+slot] = t
		}
	}
	initial, links := map[string]*onnx.Tensor{}, []runtime.Link(nil)
	for i := range f.buckets {
		k := &f.buckets[i]
		for _, suffix := range f.states() {
			name := k.name + suffix
			initial[name] = k.home(f.Packing, at[suffix])
			links = append(links, runtime.Link{Output: name + next, Input: name, InPlace: f.inPlace[name]})
		}
	}
	for _, v := range f.Buffers {
		if from.Buffers[v.Name] == nil {
			return nil, nil, nil, fmt.Errorf("the state has no buffer %q", v.Name)
		}
		initial[v.Name] = from.Buffers[v.Name]
		links = append(links, runtime.Link{Output: v.Name + next, Input: v.Name})
	}
	return initial, links, at, nil
}

// gather makes a snapshot of the runtime's state. Its packed tensors are those of at, which the next step changes.
func (f *loopForm) gather(state *runtime.State, at resident, steps int64) (*Snapshot, error) {
	if f.buckets == nil {
		return f.Step.gather(state, steps)
	}
	for i := range f.buckets {
		k := &f.buckets[i]
		for _, suffix := range f.states() {
			rows, err := state.Peek(k.name + suffix)
			if err != nil {
				return nil, err
			}
			k.put(f.Packing, at[suffix], rows)
		}
	}
	snap := &Snapshot{Steps: steps, Trained: at[""], Slots: map[string]*onnx.Tensor{}}
	for _, slot := range f.Slots {
		snap.Slots[slot] = at["."+slot]
	}
	for _, v := range f.Buffers {
		if snap.Buffers == nil {
			snap.Buffers = map[string]*onnx.Tensor{}
		}
		t, err := state.Read(v.Name)
		if err != nil {
			return nil, err
		}
		snap.Buffers[v.Name] = t
	}
	return snap, nil
}
