package rewrite

import (
	"strconv"

	"graft/onnx"
)

// names counts the values of a model and of the graphs inside its nodes by name.
type names map[string]int

func namesOf(g *onnx.Graph) names {
	t := names{}
	t.add(g)
	return t
}

func (t names) add(g *onnx.Graph) {
	counted := map[*onnx.Value]bool{}
	count := func(v *onnx.Value) {
		if v != nil && v.Name != "" && !counted[v] {
			counted[v] = true
			t[v.Name]++
		}
	}
	for _, v := range g.Inputs() {
		count(v)
	}
	for _, v := range g.Initializers() {
		count(v)
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			count(o)
		}
		for _, sub := range n.Subgraphs() {
			t.add(sub)
		}
	}
}

// rename makes the names of g's nodes and values, and of those in graphs inside, new to the model: "scope/name".
func (t names) rename(g *onnx.Graph, scope string) {
	t.renameIf(g, scope, func(string) bool { return true })
}

// renameShared is rename for the values whose names others have as well, as those in the branches of an If may.
func (t names) renameShared(g *onnx.Graph, scope string) {
	t.renameIf(g, scope, func(name string) bool { return t[name] > 1 })
}

func (t names) renameIf(g *onnx.Graph, scope string, wanted func(name string) bool) {
	seen := map[*onnx.Value]bool{}
	value := func(v *onnx.Value) {
		if v != nil && v.Name != "" && !seen[v] && wanted(v.Name) {
			seen[v] = true
			v.Name = t.fresh(scope, v.Name)
		}
	}
	for _, v := range g.Inputs() {
		value(v)
	}
	for _, v := range g.Initializers() {
		value(v)
	}
	for _, n := range g.Nodes() {
		if n.Name != "" && scope != "" {
			n.Name = scope + "/" + n.Name
		}
		for _, o := range n.Outputs() {
			value(o)
		}
		for _, sub := range n.Subgraphs() {
			t.renameIf(sub, scope, wanted)
		}
	}
}

// fresh is a name that the model does not have yet; it has it then.
func (t names) fresh(scope, name string) string {
	if scope != "" {
		name = scope + "/" + name
	}
	stem := name
	for t[name] > 0 {
		name = stem + "_" + strconv.Itoa(t[stem])
		t[stem]++
	}
	t[name]++
	return name
}
