package inspect

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// standardChecker holds every node against the form that the standard gives its operator in the opset that the model, or the
// function that the node is in, imports: whether there is one, the numbers of inputs and outputs, the attributes, and the element
// types that are known.
type standardChecker struct {
	functions map[onnx.FunctionKey]bool
	imports   func(domain string) int64
	findings  []onnx.Finding
	at        *onnx.Node
	faulty    map[*onnx.Node]bool // nodes that a finding is about
}

// standard gives the findings of all nodes of m, and the nodes. The types of its values are those that inference left.
func standard(m *onnx.Model) ([]onnx.Finding, map[*onnx.Node]bool) {
	if m.Graph == nil {
		return nil, nil
	}
	c := standardChecker{functions: map[onnx.FunctionKey]bool{}, imports: m.Opset, faulty: map[*onnx.Node]bool{}}
	for _, f := range m.Functions() {
		c.functions[f.Key()] = true
	}
	c.graph(m.Graph, "graph")
	for _, f := range m.Functions() {
		c.imports = f.Opset
		c.graph(f.Body, "function "+f.Domain+"."+f.Name)
	}
	return c.findings, c.faulty
}

func (c *standardChecker) report(where, rule, format string, args ...any) {
	const most = 1000
	c.faulty[c.at] = true
	if len(c.findings) < most {
		c.findings = append(c.findings, onnx.Finding{Severity: onnx.Error, Where: where, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *standardChecker) graph(g *onnx.Graph, where string) {
	for _, n := range g.Nodes() {
		at := where + ": node " + n.String()
		c.at = n
		c.node(n, at)
		for _, sub := range n.Subgraphs() {
			c.graph(sub, at)
		}
	}
}

func (c *standardChecker) node(n *onnx.Node, where string) {
	opset := c.imports(n.Domain)
	if c.functions[n.Key()] || !op.StandardDomain(n.Domain) || opset == 0 || n.Op == "" {
		return // the structure's check names a domain that is not imported
	}
	form, since := op.FormOf(n.Domain, n.Op, opset)
	switch {
	case form == nil && since > 0:
		c.report(where, "operator", "%s comes with opset %d, the model imports %d", n.Op, since, opset)
		return
	case form == nil:
		c.report(where, "operator", "no operator %q in opset %d of domain %q", n.Op, opset, or(n.Domain, "ai.onnx"))
		return
	case form.Deprecated:
		c.report(where, "operator", "%s is withdrawn since opset %d, the model imports %d", n.Op, form.Since, opset)
		return
	}
	c.numbers(n, form, where)
	c.attributes(n, form, where)
	c.types(n, form, where)
	if n.Domain == "" || n.Domain == "ai.onnx" {
		c.operator(n, form.Since, where)
	}
}

func (c *standardChecker) numbers(n *onnx.Node, form *op.Form, where string) {
	if k := n.NumInputs(); k < form.MinIn || form.MaxIn >= 0 && k > form.MaxIn {
		c.report(where, "inputs", "%s has %d inputs, in opset %d it takes %s", n.Op, k, form.Since, op.Span(form.MinIn, form.MaxIn))
	}
	for i := range n.NumInputs() {
		if in, ok := op.FormalAt(form.Inputs, i); ok && n.Input(i) == nil && !in.Optional && !in.Variadic {
			c.report(where, "inputs", "input %d of %s is absent, and is not optional", i, n.Op)
		}
	}
	if k := n.NumOutputs(); k < form.MinOut || form.MaxOut >= 0 && k > form.MaxOut {
		c.report(where, "outputs", "%s has %d outputs, in opset %d it gives %s", n.Op, k, form.Since, op.Span(form.MinOut, form.MaxOut))
	}
	for i := range n.NumOutputs() {
		if out, ok := op.FormalAt(form.Outputs, i); ok && n.Output(i) == nil && !out.Optional && !out.Variadic {
			c.report(where, "outputs", "output %d of %s has no name, and is not optional", i, n.Op)
		}
	}
}

func (c *standardChecker) attributes(n *onnx.Node, form *op.Form, where string) {
	for _, a := range n.Attrs {
		formal, ok := form.Attribute(a.Name)
		if !ok {
			c.report(where, "attribute", "%s of opset %d has no attribute %q; it knows %s", n.Op, form.Since, a.Name, known(form.Attributes))
			continue
		}
		if kind, want := a.Kind(), formal.Kind; kind != "" && kind != want {
			c.report(where, "attribute", "attribute %q is of kind %s, %s of opset %d wants %s", a.Name, kind, n.Op, form.Since, want)
		}
	}
	for _, f := range form.Attributes {
		if _, ok := n.Attr(f.Name); !ok && f.Required {
			c.report(where, "attribute", "%s needs the attribute %q", n.Op, f.Name)
		}
	}
}

// types holds the element types of tensors against those that the form takes and gives, and against each other where it wants
// the same.
func (c *standardChecker) types(n *onnx.Node, form *op.Form, where string) {
	bound := map[string]onnx.DataType{}
	hold := func(list []op.Formal, i int, v *onnx.Value, what, does string) {
		f, ok := op.FormalAt(list, i)
		if !ok || v == nil {
			return
		}
		if v.Type.Of != nil || !v.IsTensor() {
			if v.Type.Of != nil && !f.Other {
				c.report(where, "types", "%s %d, %q, is %v, where %s has tensors", what, i, v.Name, v.Type, n.Op)
			}
			return
		}
		d := v.Type.DType
		switch {
		case !d.Valid():
		case !slices.Contains(f.Elements, d):
			c.report(where, "types", "%s %d, %q, is %v, which %s of opset %d does not %s", what, i, v.Name, d, n.Op, form.Since, does)
		case f.Mixed:
		case bound[f.Type] == onnx.Undefined:
			bound[f.Type] = d
		case bound[f.Type] != d:
			c.report(where, "types", "%s %d, %q, is %v where another of %s is %v: they must be alike", what, i, v.Name, d, n.Op, bound[f.Type])
		}
	}
	for i := range n.NumInputs() {
		hold(form.Inputs, i, n.Input(i), "input", "take")
	}
	for i := range n.NumOutputs() {
		hold(form.Outputs, i, n.Output(i), "output", "give")
	}
}

func known(list []op.FormalAttribute) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	return or(strings.Join(names, ", "), "none")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
