package rewrite

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Rule replaces nodes of one operator.
type Rule struct {
	Name string
	Op   string // the operator of the nodes it looks at
	// Build gives values to read in the place of n's outputs, nil when the rule does not apply. It must not edit the graph
	// but through b.
	Build func(b *op.Builder, n *onnx.Node) []*onnx.Value
}

// maxRounds bounds how often Apply goes over a graph: rules that undo each other would not end.
const maxRounds = 16

// Apply replaces nodes by the rules until none applies, and removes what nothing reads any more. It gives the number of
// replacements.
func Apply(g *onnx.Graph, rules ...Rule) (int, error) {
	replaced := 0
	for range maxRounds {
		before := replaced
		for _, n := range g.Nodes() {
			for _, r := range rules {
				if n.Graph() != g || !n.Is(r.Op) {
					continue
				}
				done, err := replace(g, n, r)
				if err != nil {
					return replaced, fmt.Errorf("rewrite %v by %s: %w", n, r.Name, err)
				}
				if done {
					replaced++
				}
			}
		}
		if replaced == before {
			return replaced, nil
		}
		g.RemoveUnused()
	}
	return replaced, fmt.Errorf("rewrite: the rules do not come to an end in %d rounds", maxRounds)
}

func replace(g *onnx.Graph, n *onnx.Node, r Rule) (bool, error) {
	b := op.NewBuilder(g)
	values := r.Build(b, n)
	if err := b.Err(); err != nil {
		return false, err
	}
	for i, v := range values {
		if old := n.Output(i); old != nil && v != nil {
			if err := g.ReplaceUses(old, v); err != nil {
				return false, err
			}
		}
	}
	return values != nil, nil
}

// alone reports whether one node alone reads v, so that what makes it may go.
func alone(g *onnx.Graph, v *onnx.Value) bool { return v.NumUses() == 1 && !g.IsOutput(v) }
