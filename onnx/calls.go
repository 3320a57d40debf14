package onnx

import "fmt"

// Limits of model-local functions. A runtime inlines them, so a few lines of file can become billions of nodes.
const (
	maxFunctions = 10_000
	maxCallDepth = 100
	maxExpanded  = 10_000_000 // nodes after inlining
)

// calls checks how functions call each other: no cycle (through subgraphs neither), no deep chain, no explosion.
func (m *Model) calls(problem func(format string, args ...any)) {
	byKey := make(map[FunctionKey]*Function, len(m.functions))
	for _, f := range m.functions {
		if byKey[f.Key()] != nil {
			problem("function %q of domain %q, overload %q, is defined twice", f.Name, f.Domain, f.Overload)
		}
		byKey[f.Key()] = f
	}
	if len(byKey) == 0 {
		return
	}
	type cost struct {
		depth    int
		expanded float64
		open     bool
	}
	costs := map[*Function]*cost{}
	var failed error
	var visit func(f *Function, level int) *cost
	var walk func(g *Graph, c *cost, level int)
	walk = func(g *Graph, c *cost, level int) {
		for _, n := range g.live() {
			if failed != nil {
				return
			}
			c.expanded++
			if f := byKey[n.Key()]; f != nil {
				called := visit(f, level+1)
				c.depth = max(c.depth, called.depth+1)
				c.expanded += called.expanded
			}
			for _, sub := range n.Subgraphs() {
				walk(sub, c, level)
			}
		}
	}
	visit = func(f *Function, level int) *cost {
		c := costs[f]
		switch {
		case c == nil:
		case c.open:
			failed = fmt.Errorf("function %q of domain %q calls itself", f.Name, f.Domain)
			return c
		default:
			return c
		}
		c = &cost{open: true}
		costs[f] = c
		if level > maxCallDepth {
			failed = fmt.Errorf("functions call each other more than %d deep, at %q of domain %q", maxCallDepth, f.Name, f.Domain)
			return c
		}
		walk(f.Body, c, level)
		c.open = false
		return c
	}
	for _, f := range m.functions {
		if visit(f, 1); failed != nil {
			problem("%v", failed)
			return
		}
	}
	var whole cost
	walk(m.Graph, &whole, 0)
	for _, f := range m.functions {
		whole.depth = max(whole.depth, costs[f].depth+1)
	}
	switch {
	case failed != nil:
		problem("%v", failed)
	case whole.depth > maxCallDepth:
		problem("functions call each other %d deep, at most %d are read", whole.depth, maxCallDepth)
	case whole.expanded > maxExpanded:
		problem("the graph has %.3g nodes once its functions are expanded, at most %d are read", whole.expanded, maxExpanded)
	}
}
