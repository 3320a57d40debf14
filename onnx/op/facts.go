package op

import "graft/onnx"

// facts keeps the contents of values while a graph is inferred in order, so that each is computed once from those before
// it. They hold as long as the graph does not change: whoever keeps them forgets them in the end.
type facts struct{ kept []*onnx.Value }

// fact is what a value's Scratch holds; a nil array: nothing but its type.
type fact struct{ array *array }

var nothing = &fact{}

// remembered is what is kept of v.
func remembered(v *onnx.Value) (a *array, ok bool) {
	f, ok := v.Scratch.(*fact)
	if !ok {
		return nil, false
	}
	if f.array == nil {
		return unknownArray(v.Type), true
	}
	return f.array, true
}

// remember computes the contents of n's outputs from what is kept of its inputs.
func (f *facts) remember(n *onnx.Node) {
	e := evaluation{work: maxElements * maxElements}
	for i := range n.NumOutputs() {
		v := n.Output(i)
		if v == nil {
			continue
		}
		if v.Scratch == nil {
			f.kept = append(f.kept, v)
		}
		v.Scratch = nothing
		if a := e.compute(v, 0); a != nil {
			v.Scratch = &fact{a}
		}
	}
}

func (f *facts) forget() {
	for _, v := range f.kept {
		v.Scratch = nil
	}
}
