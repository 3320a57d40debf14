package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// RenameEnds gives inputs and outputs of m new names, by their old ones; all change at once, so that two may swap. Values
// inside the model that have a new name give way. Two inputs or outputs of one name are refused, and m is then as it was.
func RenameEnds(m *onnx.Model, inputs, outputs map[string]string) error {
	g := m.Graph
	ins, err := endsNamed(g.Inputs(), inputs, "input")
	if err != nil {
		return err
	}
	outs, err := endsNamed(g.Outputs(), outputs, "output")
	if err != nil {
		return err
	}
	// An output that is an input or an initializer too gets a node of its own, so that the other keeps its name.
	apart := func(v *onnx.Value) bool { return (g.IsInput(v) || v.IsInitializer()) && (outs[v] || ins[v]) }
	after, taken := map[*onnx.Value]string{}, map[string]bool{}
	for _, v := range g.Inputs() {
		after[v] = nameAfter(v, inputs)
		if err := claim(taken, after[v], "input"); err != nil {
			return err
		}
	}
	list := g.Outputs()
	for _, v := range list {
		if _, known := after[v]; known && !apart(v) {
			continue
		}
		if !apart(v) {
			after[v] = nameAfter(v, outputs)
		}
		if err := claim(taken, nameAfter(v, outputs), "output"); err != nil {
			return err
		}
	}
	for i, v := range list {
		if apart(v) {
			list[i] = g.Add("Identity", []*onnx.Value{v}, 1).Output(0)
			list[i].Type = v.Type
			after[list[i]] = nameAfter(v, outputs)
		}
	}
	g.SetOutputs(list...)
	ends := map[*onnx.Value]bool{}
	for v, name := range after {
		v.Name, ends[v] = name, true
	}
	giveWay(g, taken, ends, "inner")
	return nil
}

// DropOutputs takes outputs out of m, and the nodes and initializers that nothing else needs. Inputs stay.
func DropOutputs(m *onnx.Model, names ...string) error {
	gone := map[string]string{}
	for _, n := range names {
		gone[n] = n
	}
	drop, err := endsNamed(m.Graph.Outputs(), gone, "output")
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(m.Graph.Outputs(), func(v *onnx.Value) bool { return drop[v] })
	if len(left) == 0 {
		return errors.New("drop outputs: none would be left")
	}
	m.Graph.SetOutputs(left...)
	m.Graph.RemoveUnused()
	return nil
}

// endsNamed are the values that the keys of a map name. A key that names none is an error, and so is an empty new name.
func endsNamed(list []*onnx.Value, names map[string]string, kind string) (map[*onnx.Value]bool, error) {
	set := map[*onnx.Value]bool{}
	found := map[string]bool{}
	for _, v := range list {
		if to, ok := names[v.Name]; ok {
			if to == "" {
				return nil, fmt.Errorf("%s %s: the new name is empty", kind, limits.Name(v.Name))
			}
			set[v], found[v.Name] = true, true
		}
	}
	for n := range names {
		if !found[n] {
			return nil, fmt.Errorf("the model has no %s %s", kind, limits.Name(n))
		}
	}
	return set, nil
}

func nameAfter(v *onnx.Value, names map[string]string) string {
	if to := names[v.Name]; to != "" {
		return to
	}
	return v.Name
}

// claim puts the name of an input or output into a set, once.
func claim(taken map[string]bool, name, kind string) error {
	if taken[name] {
		return fmt.Errorf("two inputs or outputs would be called %s: give this %s another name", limits.Name(name), kind)
	}
	taken[name] = true
	return nil
}

// giveWay renames the values of g, and of the graphs inside its nodes, that are called as in taken and are none of ends, to
// names that are new to g and to taken: "scope/name". It gives how many.
func giveWay(g *onnx.Graph, taken map[string]bool, ends map[*onnx.Value]bool, scope string) int {
	known := namesOf(g)
	for n := range taken {
		known[n]++
	}
	return known.giveWay(g, func(v *onnx.Value) bool { return taken[v.Name] && !ends[v] }, scope)
}

// giveWay renames the values that wanted says, and gives how many.
func (t names) giveWay(g *onnx.Graph, wanted func(*onnx.Value) bool, scope string) int {
	renamed := map[*onnx.Value]bool{}
	visit := func(v *onnx.Value) {
		if v != nil && v.Name != "" && !renamed[v] && wanted(v) {
			renamed[v] = true
			v.Name = t.fresh(scope, v.Name)
		}
	}
	for _, v := range g.Inputs() {
		visit(v)
	}
	for _, v := range g.Initializers() {
		visit(v)
	}
	count := 0
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			visit(o)
		}
		for _, sub := range n.Subgraphs() {
			count += t.giveWay(sub, wanted, scope)
		}
	}
	return count + len(renamed)
}
