package rewrite

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// inlined is the rule that puts the bodies of functions in the place of their calls.
const inlined = "functions"

// inline applies the rule to the whole model, or not at all.
func (s *simplifier) inline() {
	m := s.model
	if len(m.Functions()) == 0 {
		return
	}
	opset := m.Opset("")
	for _, f := range m.Functions() {
		switch v := f.Opset(""); {
		case v == 0 || v == opset:
		case opset == 0:
			opset = v
		default:
			s.skip(inlined, limits.Name(f.Name), fmt.Errorf("the function is written in opset %d, what calls it in %d", v, opset))
			return
		}
	}
	whole := m.Clone() // an error of Inline leaves a model half done
	calls, err := inline(whole)
	if err != nil {
		s.skip(inlined, "", err)
		return
	}
	dropImports(whole, m.Functions())
	*m = *whole
	s.count(inlined, calls)
}

// dropImports takes out the domains that functions alone were of.
func dropImports(m *onnx.Model, functions []*onnx.Function) {
	used := map[string]bool{}
	var visit func(g *onnx.Graph, depth int)
	visit = func(g *onnx.Graph, depth int) {
		if depth > maxGraphs {
			return
		}
		for _, n := range g.Nodes() {
			used[n.Domain] = true
			for _, sub := range n.Subgraphs() {
				visit(sub, depth+1)
			}
		}
	}
	visit(m.Graph, 0)
	m.Opsets = slices.DeleteFunc(m.Opsets, func(o onnx.Opset) bool {
		return o.Domain != "" && o.Domain != "ai.onnx" && !used[o.Domain] && slices.ContainsFunc(functions, func(f *onnx.Function) bool { return f.Domain == o.Domain })
	})
}
