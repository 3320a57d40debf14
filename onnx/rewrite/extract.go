package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Extract cuts m down to the part that computes the values called to from those called from, which become its inputs in
// that order. Names are those of values of the graph itself, not of graphs inside its nodes. Without from the model's own
// inputs stay, as far as they are needed. A value of from that nothing on the way to the outputs reads is refused, and so
// is an input of the model that would still be needed beside them. On an error m is half done.
func Extract(m *onnx.Model, from, to []string) error {
	g := m.Graph
	if len(to) == 0 {
		for _, v := range g.Outputs() {
			to = append(to, v.Name)
		}
	}
	outs, err := lookupAll(g, to)
	if err != nil {
		return err
	}
	ins, err := lookupAll(g, from)
	if err != nil {
		return err
	}
	for _, v := range outs {
		if slices.Contains(ins, v) || g.IsInput(v) {
			return fmt.Errorf("extract: output %s is an input: there is nothing to compute", limits.Name(v.Name))
		}
	}
	untyped := func(v *onnx.Value) bool { return v.IsTensor() && v.Type.DType == onnx.Undefined }
	if ends := slices.Concat(ins, outs); slices.ContainsFunc(ends, untyped) {
		op.InferModel(m)
		if i := slices.IndexFunc(ends, untyped); i >= 0 {
			return fmt.Errorf("extract: the element type of %s is not known, which an input or output needs", limits.Name(ends[i].Name))
		}
	}
	g.SetOutputs(outs...)
	inputs := make([]*onnx.Value, len(ins))
	byOld := map[*onnx.Value]*onnx.Value{}
	for i, v := range ins {
		if inputs[i], err = cut(g, v); err != nil {
			return err
		}
		byOld[v] = inputs[i]
	}
	g.ReplaceHandedOut(byOld)
	g.RemoveUnused()
	used := usedInputs(g)
	if len(from) == 0 {
		g.SetInputs(slices.DeleteFunc(g.Inputs(), func(v *onnx.Value) bool { return !used[v] && !v.IsInitializer() })...)
		g.RemoveUnused()
		return nil
	}
	var missing []string
	kept := slices.Clone(inputs)
	for _, v := range g.Inputs() {
		switch {
		case slices.Contains(inputs, v) || !used[v]:
		case v.IsInitializer():
			kept = append(kept, v)
		default:
			missing = append(missing, v.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("extract: the outputs also need the inputs %s: name them too, or cut behind them", limits.Names(missing, 8))
	}
	for i, v := range inputs {
		if !used[v] {
			return fmt.Errorf("extract: nothing on the way to the outputs reads %s", limits.Name(from[i]))
		}
	}
	g.SetInputs(kept...)
	g.RemoveUnused()
	return nil
}

// cut makes v an input of g: what makes it is no longer read.
func cut(g *onnx.Graph, v *onnx.Value) (*onnx.Value, error) {
	if g.IsInput(v) && !v.IsInitializer() {
		return v, nil
	}
	if !v.IsTensor() {
		return nil, fmt.Errorf("extract: %s is no tensor, and only tensors become inputs", limits.Name(v.Name))
	}
	name := v.Name
	v.Name = ""
	if v.IsInitializer() {
		g.SetInputs(slices.DeleteFunc(g.Inputs(), func(w *onnx.Value) bool { return w == v })...)
	}
	in := g.AddInput(name, v.Type)
	return in, g.ReplaceUses(v, in)
}

// lookupAll finds values by name. A name that stands twice, or for no value of g itself, is an error.
func lookupAll(g *onnx.Graph, list []string) ([]*onnx.Value, error) {
	values := make([]*onnx.Value, 0, len(list))
	for _, n := range list {
		v := g.Lookup(n)
		switch {
		case n == "":
			return nil, errors.New("extract: a name is empty")
		case v == nil:
			return nil, fmt.Errorf("extract: the model has no value %s outside of branches and loops", limits.Name(n))
		case slices.Contains(values, v):
			return nil, fmt.Errorf("extract: %s twice", limits.Name(n))
		}
		values = append(values, v)
	}
	return values, nil
}

// usedInputs are the inputs of g that a node reads or that are handed out as they are, by g or by a graph inside a node.
func usedInputs(g *onnx.Graph) map[*onnx.Value]bool {
	used := map[*onnx.Value]bool{}
	for _, v := range g.Outputs() {
		used[v] = true
	}
	for _, n := range g.Nodes() {
		for _, v := range n.Captured() {
			used[v] = true
		}
	}
	for _, v := range g.Inputs() {
		if v.NumUses() > 0 {
			used[v] = true
		}
	}
	return used
}
