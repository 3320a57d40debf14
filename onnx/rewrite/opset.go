package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Change is what became of a node on the way to another opset.
type Change struct {
	Node string `json:"node"` // the name of its first output
	Op   string `json:"op"`
	What string `json:"what"`
}

// OldestOpset and NewestOpset bound what ToOpset goes to.
const (
	OldestOpset = 7
	NewestOpset = 26
)

// ToOpset brings the default domain of m, graphs inside nodes and functions included, to an opset: up through the forms of
// op.Opset, whose operators later opsets only widen, and down where an exact rewriting exists. It gives what became of each
// node that is not as it was. Nodes that have no equal form there are named in one *UpgradeError, and m is then between two
// opsets: convert a clone of what is still needed.
func ToOpset(m *onnx.Model, to int64) ([]Change, error) {
	from := m.Opset("")
	if to < OldestOpset || to > NewestOpset {
		return nil, fmt.Errorf("opset %d: conversion goes from %d to %d", to, OldestOpset, NewestOpset)
	}
	if from == 0 || from == to {
		return nil, nil
	}
	m.Graph.AssignNames()
	before := picture(m.Graph)
	if err := Upgrade(m); err != nil {
		return nil, err
	}
	op.InferModel(m)
	l := &lowering{to: to, upgrader: upgrader{functions: functionsOf(m)}}
	if high := max(from, op.Opset); to < high {
		l.graph(m.Graph, high, 0)
		for _, f := range m.Functions() {
			if f.Opset("") > 0 {
				l.graph(f.Body, high, 0)
			}
		}
		if l.failed != nil {
			l.failed.Opset, l.failed.To = from, to
			return nil, l.failed
		}
	}
	for _, f := range m.Functions() {
		if f.Opset("") > 0 {
			f.SetOpset("", to)
		}
	}
	m.Graph.RemoveUnused()
	m.Graph.AssignNames()
	m.Declare(to)
	if len(m.Functions()) > 0 {
		m.IRVersion = max(m.IRVersion, 8) // with which functions came
	}
	return changes(before, picture(m.Graph)), nil
}

type lowering struct {
	upgrader
	to int64
}

// graph brings the nodes of g to the older opset, those that this adds in turn.
func (l *lowering) graph(g *onnx.Graph, from int64, depth int) {
	if depth > maxGraphs {
		return
	}
	b := op.NewBuilder(g)
	replaced := map[*onnx.Value]*onnx.Value{}
	seen := map[*onnx.Node]bool{}
	for again := true; again; {
		again = false
		for _, n := range g.Nodes() {
			if seen[n] || n.Graph() != g {
				continue
			}
			seen[n], again = true, true
			for _, sub := range n.Subgraphs() {
				l.graph(sub, from, depth+1)
			}
			if !n.Is(n.Op) || l.functions[n.Key()] != nil {
				continue
			}
			if err := l.node(b.In(n.String()), n, from, replaced); err != nil {
				l.fail(from, n, err)
			}
		}
	}
	g.ReplaceHandedOut(replaced)
}

func (l *lowering) node(b *op.Builder, n *onnx.Node, from int64, replaced map[*onnx.Value]*onnx.Value) error {
	scope := n.String()
	now, _ := op.FormOf("", n.Op, from)
	if now == nil {
		return fmt.Errorf("%s: no such operator", scope)
	}
	forms := op.Forms("", n.Op)
	for i := range slices.Backward(forms) {
		v := forms[i].Since
		if v > from || v <= l.to {
			continue
		}
		down := lowerStep(n.Op, v)
		switch {
		case down == nil && i == 0:
			return fmt.Errorf("%s: the operator came with opset %d", scope, v)
		case down == nil && changes21(n.Op, v):
			return fmt.Errorf("%s: no equal form before opset %d", scope, v)
		case down == nil || down.change == nil:
			continue
		}
		values := down.change(b, n)
		if err := b.TakeErr(); err != nil {
			return err
		}
		if values != nil {
			for i, v := range values {
				if err := replaceOutput(n, i, v, replaced); err != nil {
					return fmt.Errorf("%s: %w", scope, err)
				}
			}
			return n.Graph().Remove(n)
		}
		if i == 0 {
			break // under another name
		}
	}
	f, _ := op.FormOf("", n.Op, l.to)
	if f == nil {
		return fmt.Errorf("%s: no form in opset %d", scope, l.to)
	}
	if l.to < 11 {
		countFromFront(b, n)
		if err := b.TakeErr(); err != nil {
			return err
		}
	}
	if err := fit(n, now, f); err != nil {
		return fmt.Errorf("%s: %w", scope, err)
	}
	return nil
}

// lowerStep finds what is done for a version on the way down.
func lowerStep(name string, version int64) *step {
	for i := range lowerSteps {
		if lowerSteps[i].op == name && lowerSteps[i].version == version {
			return &lowerSteps[i]
		}
	}
	return nil
}

// changes21 reports whether nodes changed with a version on the way up.
func changes21(name string, version int64) bool {
	for _, s := range steps[name] {
		if s.version == version {
			return s.change != nil
		}
	}
	return false
}

// nodePicture is what one node says, for the list of changes.
type nodePicture struct {
	key, op, text string
}

// picture gives the nodes of g and of the graphs inside them, by the name of their first output.
func picture(g *onnx.Graph) map[string]nodePicture {
	t := map[string]nodePicture{}
	var visit func(g *onnx.Graph, depth int)
	visit = func(g *onnx.Graph, depth int) {
		if depth > maxGraphs {
			return
		}
		for _, n := range g.Nodes() {
			key := ""
			for _, o := range n.Outputs() {
				if o != nil && key == "" {
					key = o.Name
				}
			}
			var parts []string
			for _, a := range n.Attrs {
				if _, graph := a.Value.(*onnx.Graph); !graph {
					parts = append(parts, a.Name+" = "+attrText(a))
				}
			}
			slices.Sort(parts)
			parts = append(parts, fmt.Sprintf("%d inputs", n.NumInputs()))
			t[key] = nodePicture{key, n.Op, strings.Join(parts, ", ")}
			for _, sub := range n.Subgraphs() {
				visit(sub, depth+1)
			}
		}
	}
	visit(g, 0)
	return t
}

// changes lists what differs between two pictures.
func changes(before, after map[string]nodePicture) []Change {
	list := []Change{}
	for key, a := range after {
		b, was := before[key]
		switch {
		case !was && a.op == "Constant":
		case !was:
			list = append(list, Change{key, a.op, "added"})
		case a.op != b.op:
			list = append(list, Change{key, a.op, "in the place of " + b.op})
		case a.text != b.text:
			list = append(list, Change{key, a.op, b.text + " -> " + a.text})
		}
	}
	for key, b := range before {
		if _, still := after[key]; !still && b.op != "Constant" {
			list = append(list, Change{key, b.op, "removed"})
		}
	}
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Node, b.Node) })
	return list
}
