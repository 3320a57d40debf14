package diff

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// graphs compares two graphs whose forward hashes are there. where is the way to them.
func (c *comparison) graphs(a, b *onnx.Graph, where string) {
	c.digests.match(&c.pairs, a, b)
	r := c.report
	first, second := a.Nodes(), b.Nodes()
	r.Nodes.A += len(first)
	r.Nodes.B += len(second)
	for _, n := range first {
		c.tally(n).A++
		m := c.pairs.toB[n]
		if m == nil {
			r.Removed = append(r.Removed, Node{nameOf(n), operator(n), where})
			continue
		}
		r.Nodes.Matched++
		if changes := c.node(n, m); len(changes) > 0 {
			r.Changed = append(r.Changed, Pair{operator(n), nameOf(n), nameOf(m), where, changes})
		}
		c.bodies(n, m, where)
	}
	for _, m := range second {
		c.tally(m).B++
		if c.pairs.toA[m] == nil {
			r.Added = append(r.Added, Node{nameOf(m), operator(m), where})
		}
	}
	c.handedOut(a, b, where)
	c.loneWeights(a, b)
}

func (c *comparison) tally(n *onnx.Node) *Operator {
	name := operator(n)
	if c.operators[name] == nil {
		c.operators[name] = &Operator{Op: name}
	}
	return c.operators[name]
}

// node compares two nodes of a pair.
func (c *comparison) node(n, m *onnx.Node) []Change {
	var changes []Change
	if !sameOperator(n, m) {
		changes = append(changes, Change{"operator", operator(n), operator(m)})
	}
	c.rename(&c.report.Renamed.Nodes, n.Name, m.Name)
	if t, u := constantOf(n), constantOf(m); t != nil && u != nil {
		c.weight(n.Output(0), m.Output(0), t, u)
	} else {
		changes = append(changes, c.attributes(n.Attrs, m.Attrs, true)...)
	}
	for i := range max(n.NumInputs(), m.NumInputs()) {
		if v, w := n.Input(i), m.Input(i); !c.sameValue(v, w) {
			changes = append(changes, Change{fmt.Sprintf("input %d", i), origin(v), origin(w)})
		}
	}
	for i := range max(n.NumOutputs(), m.NumOutputs()) {
		v, w := n.Output(i), m.Output(i)
		if (v == nil) != (w == nil) {
			changes = append(changes, Change{fmt.Sprintf("output %d", i), origin(v), origin(w)})
		} else if v != nil && !n.Graph().IsOutput(v) && !m.Graph().IsOutput(w) {
			c.rename(&c.report.Renamed.Values, v.Name, w.Name)
		}
	}
	return changes
}

// bodies compares the graphs among the attributes of a pair.
func (c *comparison) bodies(n, m *onnx.Node, where string) {
	for _, a := range n.Attrs {
		b, _ := m.Attr(a.Name)
		f, fok := a.Value.(*onnx.Graph)
		g, gok := b.Value.(*onnx.Graph)
		if fok && gok && f != nil && g != nil {
			c.graphs(f, g, strings.TrimPrefix(where+"/"+nameOf(n)+"."+a.Name, "/"))
		}
	}
}

// handedOut compares what two graphs give. Outputs of the main graphs are paired as the signature is.
func (c *comparison) handedOut(a, b *onnx.Graph, where string) {
	list := byNameOrPlace(a.Outputs(), b.Outputs())
	if where != "" {
		list = list[:0]
		outs := [2][]*onnx.Value{a.Outputs(), b.Outputs()}
		for i := range max(len(outs[0]), len(outs[1])) {
			list = append(list, [2]*onnx.Value{at(outs[0], i), at(outs[1], i)})
		}
	}
	for i, p := range list {
		if !c.sameValue(p[0], p[1]) && (where != "" || p[0] != nil && p[1] != nil) {
			c.model(strings.TrimSpace(where+fmt.Sprintf(" output %d", i)), "from "+origin(p[0]), "from "+origin(p[1]))
		}
	}
}

func at(list []*onnx.Value, i int) *onnx.Value {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// sameValue says whether two values are the same thing in both models. Two constants are: how they differ is a matter of
// weights.
func (c *comparison) sameValue(v, w *onnx.Value) bool {
	if v == nil || w == nil {
		return v == w
	}
	if v.Sparse != nil && w.Sparse != nil {
		c.sparseWeight(v, w)
		return true
	}
	if t, u := tensorOf(v), tensorOf(w); t != nil && u != nil {
		c.weight(v, w, t, u)
		return true
	}
	p, q := v.Producer(), w.Producer()
	switch {
	case p != nil && q != nil && c.pairs.toB[p] != nil:
		return c.pairs.toB[p] == q && v.OutputIndex() == w.OutputIndex()
	case p != nil || q != nil:
		return false
	}
	return !v.IsInitializer() && !w.IsInitializer() && c.digests.exact[v] == c.digests.exact[w]
}

// tensorOf is the tensor of an initializer or of a Constant node's output.
func tensorOf(v *onnx.Value) *onnx.Tensor {
	if v.Const != nil {
		return v.Const
	}
	if n := v.Producer(); n != nil {
		return constantOf(n)
	}
	return nil
}

// origin says where a value comes from.
func origin(v *onnx.Value) string {
	switch {
	case v == nil:
		return "(absent)"
	case v.IsInitializer():
		return "weight " + v.Name
	case v.Producer() == nil:
		return "input " + v.Name
	}
	n := v.Producer()
	s := operator(n) + " " + nameOf(n)
	if v.OutputIndex() > 0 {
		s += fmt.Sprintf(" output %d", v.OutputIndex())
	}
	return s
}

// rename counts a name that differs.
func (c *comparison) rename(count *int, a, b string) {
	const examples = 20
	if a == b {
		return
	}
	*count++
	if list := &c.report.Renamed.Examples; len(*list) < examples {
		*list = append(*list, [2]string{a, b})
	}
}

// finish fills in what is a matter of both models as a whole.
func (c *comparison) finish() {
	r := c.report
	r.Nodes.Changed, r.Nodes.Removed, r.Nodes.Added = len(r.Changed), len(r.Removed), len(r.Added)
	for _, o := range c.operators {
		if o.A != o.B {
			r.Operators = append(r.Operators, *o)
		}
	}
	slices.SortFunc(r.Operators, func(x, y Operator) int { return strings.Compare(x.Op, y.Op) })
}
