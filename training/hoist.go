package training

import (
	"fmt"
	"maps"

	"graft/onnx"
	"graft/onnx/op"
)

// hoist moves the float weights, initializers and Constant nodes of more than one element, of the graphs inside g's nodes to
// g, where training finds them. A name that is taken gets a number.
func hoist(g *onnx.Graph) {
	taken := map[string]bool{}
	for _, v := range append(g.Inputs(), g.Initializers()...) {
		taken[v.Name] = true
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				taken[o.Name] = true
			}
		}
	}
	by := map[*onnx.Value]*onnx.Value{}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			hoistFrom(g, sub, taken, by)
		}
	}
	g.ReplaceHandedOut(maps.Clone(by))
}

func hoistFrom(g, sub *onnx.Graph, taken map[string]bool, by map[*onnx.Value]*onnx.Value) {
	weights := sub.Initializers()
	for _, n := range sub.Nodes() {
		if n.Is("Constant") {
			weights = append(weights, n.Output(0))
		}
	}
	for _, v := range weights {
		t := op.ConstantOf(v)
		if t == nil || t.DType != onnx.Float || len(t.Dims) == 0 || t.Len() < 2 || sub.IsInput(v) || sub.IsOutput(v) {
			continue
		}
		name := v.Name
		for i := 2; taken[name] || name == ""; i++ {
			name = fmt.Sprintf("%s_%d", v.Name, i)
		}
		taken[name] = true
		v.Name = ""
		out := g.AddInitializer(name, t)
		for _, u := range v.Uses() {
			u.Node.SetInput(u.Index, out)
		}
		by[v] = out
	}
	sub.RemoveUnused()
	for _, n := range sub.Nodes() {
		for _, inner := range n.Subgraphs() {
			hoistFrom(g, inner, taken, by)
		}
	}
}
