package rewrite

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Upgrade brings the default domain of m, graphs inside nodes and functions included, to the opset that the engines work
// in (op.Opset). A model of that opset or a younger one, or that imports none, stays as it is; operators of other domains
// do so too. Nodes that have no equal form there are named in one *UpgradeError, and m is then between two opsets: upgrade
// a clone of what is still needed.
func Upgrade(m *onnx.Model) error {
	u := &upgrader{functions: functionsOf(m)}
	if from := m.Opset(""); from > 0 && from < op.Opset {
		u.graph(m.Graph, from, 0)
		m.SetOpset("", op.Opset)
		m.IRVersion = max(m.IRVersion, irOfOpset)
	}
	for _, f := range m.Functions() {
		if from := f.Opset(""); from > 0 && from < op.Opset {
			u.graph(f.Body, from, 0)
			f.SetOpset("", op.Opset)
		}
	}
	return u.err()
}

// irOfOpset is the version of the file format that came with op.Opset. Since 4 an initializer need not be an input.
const irOfOpset = 10

// UpgradeError names the nodes that Upgrade has no equal form for.
type UpgradeError struct {
	Opset    int64 // in which the nodes are written
	To       int64 // the older opset that they have no form in; 0: op.Opset
	Problems []op.Problem
}

// Error tells each reason once, with the nodes that it holds for.
func (e *UpgradeError) Error() string {
	const mostReasons, mostNodes = 20, 6
	type reason struct{ op, text string }
	var order []reason
	nodes := map[reason][]string{}
	for _, p := range e.Problems {
		r := reason{text: p.Err.Error()}
		if text, scoped := strings.CutPrefix(r.text, p.Node.String()+": "); scoped && p.Node.Name != "" {
			r = reason{p.Node.Op, text}
		}
		if nodes[r] == nil {
			order = append(order, r)
		}
		nodes[r] = append(nodes[r], p.Node.Name)
	}
	var lines []string
	for i, r := range order {
		if i == mostReasons {
			lines = append(lines, fmt.Sprintf("and %d more reasons", len(order)-i))
			break
		}
		if r.op == "" {
			lines = append(lines, r.text)
			continue
		}
		names := nodes[r]
		said := strings.Join(names[:min(len(names), mostNodes)], ", ")
		if more := len(names) - mostNodes; more > 0 {
			said += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, fmt.Sprintf("%s (%s): %s", said, r.op, r.text))
	}
	if e.To != 0 {
		return fmt.Sprintf("convert opset %d to %d: %s", e.Opset, e.To, strings.Join(lines, "; "))
	}
	return fmt.Sprintf("upgrade from opset %d: %s", e.Opset, strings.Join(lines, "; "))
}

// Unwrap gives the reasons.
func (e *UpgradeError) Unwrap() []error {
	list := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		list[i] = p.Err
	}
	return list
}

type upgrader struct {
	functions map[onnx.FunctionKey]*onnx.Function
	failed    *UpgradeError
}

func (u *upgrader) err() error {
	if u.failed == nil {
		return nil
	}
	return u.failed
}

func (u *upgrader) fail(from int64, n *onnx.Node, err error) {
	const most = 1000
	if u.failed == nil {
		u.failed = &UpgradeError{Opset: from}
	}
	if len(u.failed.Problems) < most {
		u.failed.Problems = append(u.failed.Problems, op.Problem{Node: n, Err: err})
	}
}

// maxGraphs bounds how deep graphs lie inside each other.
const maxGraphs = 32

// graph upgrades the nodes of g in topological order, and infers the types of their outputs, which later ones may ask for.
func (u *upgrader) graph(g *onnx.Graph, from int64, depth int) {
	if depth > maxGraphs {
		return
	}
	b := op.NewBuilder(g)
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			u.graph(sub, from, depth+1)
		}
		if !n.Is(n.Op) || u.functions[n.Key()] != nil {
			continue
		}
		if err := u.node(b.In(n.String()), n, from, replaced); err != nil {
			u.fail(from, n, err)
		}
		inferOutputs(n)
	}
	g.ReplaceHandedOut(replaced)
}

// node applies the steps of n's operator one after the other.
func (u *upgrader) node(b *op.Builder, n *onnx.Node, from int64, replaced map[*onnx.Value]*onnx.Value) error {
	if n.Input(0) == nil && !n.Is("Scan") {
		return nil // steps look at the first input; inference says that it is absent
	}
	for at := from; ; {
		s := nextStep(n.Op, at)
		if s == nil {
			return nil
		}
		at = s.version
		if s.change == nil {
			continue
		}
		values := s.change(b, n)
		if err := b.TakeErr(); err != nil {
			return err
		}
		if values == nil {
			continue
		}
		for i, v := range values {
			if err := replaceOutput(n, i, v, replaced); err != nil {
				return fmt.Errorf("%v: %w", n, err)
			}
		}
		return b.Graph().Remove(n)
	}
}

// replaceOutput makes v stand in the place of the i-th output of n, under its name.
func replaceOutput(n *onnx.Node, i int, v *onnx.Value, replaced map[*onnx.Value]*onnx.Value) error {
	old := n.Output(i)
	if old == nil || v == nil {
		return nil
	}
	if p := v.Producer(); p != nil && p.Name == "" && p.Op == n.Op {
		p.Name = n.Name
	}
	if v.Type.DType == onnx.Undefined { // of an operator without a row
		v.Type = old.Type
	}
	if v.Name == "" && v.Producer() != nil && !n.Graph().IsOutput(old) {
		v.Name, old.Name = old.Name, ""
	}
	replaced[old] = v
	return n.Graph().ReplaceUses(old, v)
}

// inferOutputs enters what the operator's row says of n's outputs where the file says less. What contradicts the file is
// left to inference proper.
func inferOutputs(n *onnx.Node) {
	if n.Graph() == nil {
		return // replaced
	}
	types, err := op.Infer(n)
	if err != nil {
		return
	}
	for i, t := range types {
		o := n.Output(i)
		if o == nil || !o.IsTensor() {
			continue
		}
		if o.Type.DType == onnx.Undefined {
			o.Type.DType = t.DType
		}
		switch {
		case !o.Type.Shape.Ranked():
			o.Type.Shape = t.Shape
		case len(o.Type.Shape) == len(t.Shape):
			for j, d := range o.Type.Shape {
				if d == onnx.UnknownDim {
					o.Type.Shape[j] = t.Shape[j]
				}
			}
		}
	}
}

// functionsOf are the functions of a model by what nodes name them by.
func functionsOf(m *onnx.Model) map[onnx.FunctionKey]*onnx.Function {
	t := map[onnx.FunctionKey]*onnx.Function{}
	for _, f := range m.Functions() {
		t[f.Key()] = f
	}
	return t
}
