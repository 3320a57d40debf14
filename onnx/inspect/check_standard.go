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
}

// standard gives the findings of all nodes of m. The types of its values are those that inference left.
func standard(m *onnx.Model) []onnx.Finding {
	if m.Graph == nil {
		return nil
	}
	c := standardChecker{functions: map[onnx.FunctionKey]bool{}, imports: m.Opset}
	for _, f := range m.Functions() {
		c.functions[f.Key()] = true
	}
	c.graph(m.Graph, "graph")
	for _, f := range m.Functions() {
		c.imports = f.Opset
		c.graph(f.Body, "function "+f.Domain+"."+f.Name)
	}
	return c.findings
}

func (c *standardChecker) report(where, rule, format string, args ...any) {
	const most = 1000
	if len(c.findings) < most {
		c.findings = append(c.findings, onnx.Finding{Severity: onnx.Error, Where: where, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *standardChecker) graph(g *onnx.Graph, where string) {
	for _, n := range g.Nodes() {
		at := where + ": node " + n.String()
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
}

func (c *standardChecker) numbers(n *onnx.Node, form *op.Form, where string) {
	if k := n.NumInputs(); k < form.MinIn || form.MaxIn >= 0 && k > form.MaxIn {
		c.report(where, "inputs", "%s has %d inputs, in opset %d it takes %s", n.Op, k, form.Since, span(form.MinIn, form.MaxIn))
	}
	for i := range n.NumInputs() {
		if in, ok := form.Input(i); ok && n.Input(i) == nil && !in.Optional && !in.Variadic {
			c.report(where, "inputs", "input %d of %s is absent, and is not optional", i, n.Op)
		}
	}
	if k := n.NumOutputs(); k < form.MinOut || form.MaxOut >= 0 && k > form.MaxOut {
		c.report(where, "outputs", "%s has %d outputs, in opset %d it gives %s", n.Op, k, form.Since, span(form.MinOut, form.MaxOut))
	}
}

func (c *standardChecker) attributes(n *onnx.Node, form *op.Form, where string) {
	for _, a := range n.Attrs {
		i := slices.IndexFunc(form.Attributes, func(f op.FormalAttribute) bool { return f.Name == a.Name })
		if i < 0 {
			c.report(where, "attribute", "%s of opset %d has no attribute %q; it knows %s", n.Op, form.Since, a.Name, known(form.Attributes))
			continue
		}
		if kind, want := a.Kind(), form.Attributes[i].Kind; kind != "" && kind != want {
			c.report(where, "attribute", "attribute %q is of kind %s, %s of opset %d wants %s", a.Name, kind, n.Op, form.Since, want)
		}
	}
	for _, f := range form.Attributes {
		if _, ok := n.Attr(f.Name); !ok && f.Required {
			c.report(where, "attribute", "%s needs the attribute %q", n.Op, f.Name)
		}
	}
}

// types holds the element types of tensors against those that the form takes, and against each other where it wants the same.
func (c *standardChecker) types(n *onnx.Node, form *op.Form, where string) {
	bound := map[string]onnx.DataType{}
	for i := range n.NumInputs() {
		in, ok := form.Input(i)
		v := n.Input(i)
		if !ok || v == nil {
			continue
		}
		if v.Type.Of != nil || !v.IsTensor() {
			if v.Type.Of != nil && !in.Other {
				c.report(where, "types", "input %d, %q, is %v, %s takes tensors", i, v.Name, v.Type, n.Op)
			}
			continue
		}
		d := v.Type.DType
		switch {
		case !d.Valid():
		case !slices.Contains(in.Elements, d):
			c.report(where, "types", "input %d, %q, is %v, which %s of opset %d does not take", i, v.Name, d, n.Op, form.Since)
		case in.Mixed:
		case bound[in.Type] == onnx.Undefined:
			bound[in.Type] = d
		case bound[in.Type] != d:
			c.report(where, "types", "input %d, %q, is %v where another input is %v: %s wants them alike", i, v.Name, d, bound[in.Type], n.Op)
		}
	}
}

func known(list []op.FormalAttribute) string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Name
	}
	return or(strings.Join(names, ", "), "none")
}

func span(lo, hi int) string {
	switch {
	case hi < 0:
		return fmt.Sprintf("%d or more", lo)
	case lo == hi:
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
