package rewrite

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Bounds of Inline. A few lines of file can call for billions of nodes.
const (
	maxInlined = 1 << 18 // nodes made
	maxCalls   = 150     // functions that call each other, and graphs inside nodes
)

// Inline puts the bodies of m's functions in the place of the nodes that call them, and takes the functions out of m. A
// function may be written in another opset of the default domain than m: then m is upgraded (see Upgrade), and each body
// as it comes in. On an error m is half done.
func Inline(m *onnx.Model) error {
	_, err := inline(m)
	return err
}

// inline is Inline, and counts the calls that bodies took the place of.
func inline(m *onnx.Model) (calls int, err error) {
	i := &inliner{functions: functionsOf(m)}
	if len(i.functions) == 0 {
		return 0, nil
	}
	size, err := i.size(m.Graph, map[*onnx.Function]float64{}, 0)
	switch {
	case err != nil:
		return 0, fmt.Errorf("inline functions: %w", err)
	case size > maxInlined:
		return 0, fmt.Errorf("inline functions: %w", limits.Refuse("functions", "%.3g nodes once they are expanded, at most %d are made", size, maxInlined))
	}
	i.names = namesOf(m.Graph)
	if m.Opset("") == 0 {
		for _, f := range m.Functions() {
			m.SetOpset("", max(m.Opset(""), f.Opset("")))
		}
	}
	for _, f := range m.Functions() {
		if v := f.Opset(""); v != 0 && v != m.Opset("") {
			i.upgrade = &upgrader{functions: i.functions}
		}
		for _, o := range f.Opsets {
			if m.Opset(o.Domain) == 0 {
				m.SetOpset(o.Domain, o.Version)
			}
		}
	}
	if i.upgrade != nil && m.Opset("") < op.Opset {
		i.upgrade.graph(m.Graph, m.Opset(""), 0)
		m.SetOpset("", op.Opset)
		m.IRVersion = max(m.IRVersion, irOfOpset)
	}
	if err := i.graph(m.Graph, 0); err != nil {
		return i.calls, fmt.Errorf("inline functions: %w", err)
	}
	m.SetFunctions()
	if i.upgrade != nil {
		return i.calls, i.upgrade.err()
	}
	return i.calls, nil
}

type inliner struct {
	functions map[onnx.FunctionKey]*onnx.Function
	upgrade   *upgrader // of bodies; nil: all are written in the model's opset
	names     names
	calls     int // replaced
}

// size counts the nodes of g once its calls are expanded. known holds functions that were counted, with -1 for those that
// are being counted.
func (i *inliner) size(g *onnx.Graph, known map[*onnx.Function]float64, depth int) (float64, error) {
	if depth > maxCalls {
		return 0, fmt.Errorf("functions or graphs are more than %d deep", maxCalls)
	}
	total := 0.0
	for _, n := range g.Nodes() {
		total++
		inner := n.Subgraphs()
		f := i.functions[n.Key()]
		if f != nil {
			count, ok := known[f]
			if count < 0 {
				return 0, fmt.Errorf("function %s calls itself", limits.Name(f.Name))
			}
			if total += count; !ok {
				known[f] = -1
				inner = append(inner, f.Body)
			}
		}
		for _, sub := range inner {
			count, err := i.size(sub, known, depth+1)
			if err != nil {
				return 0, err
			}
			if total += count; f != nil && sub == f.Body {
				known[f] = count
			}
		}
	}
	return total, nil
}

func (i *inliner) graph(g *onnx.Graph, depth int) error {
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			if err := i.graph(sub, depth+1); err != nil {
				return err
			}
		}
		f := i.functions[n.Key()]
		if f == nil {
			continue
		}
		if err := i.call(g, n, f, depth, replaced); err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
	}
	g.ReplaceHandedOut(replaced)
	return nil
}

// call replaces n by the body of f.
func (i *inliner) call(g *onnx.Graph, n *onnx.Node, f *onnx.Function, depth int, replaced map[*onnx.Value]*onnx.Value) error {
	i.calls++
	body, _ := f.Body.Clone()
	if n.NumInputs() > len(body.Inputs()) || n.NumOutputs() > len(body.Outputs()) {
		return fmt.Errorf("%d inputs and %d outputs, the function has %d and %d", n.NumInputs(), n.NumOutputs(), len(body.Inputs()), len(body.Outputs()))
	}
	if err := bindAttributes(body, n, f); err != nil {
		return err
	}
	separateOutputs(body)
	for k, in := range body.Inputs() {
		for _, u := range in.Uses() {
			u.Node.SetInput(u.Index, n.Input(k))
		}
	}
	if i.upgrade != nil && f.Opset("") > 0 && f.Opset("") < op.Opset {
		i.upgrade.graph(body, f.Opset(""), 0)
	}
	if err := i.graph(body, depth+1); err != nil {
		return err
	}
	i.names.rename(body, n.Name)
	if err := g.Take(body); err != nil {
		return err
	}
	for k, v := range body.Outputs() {
		if o := n.Output(k); o != nil {
			v.Name = ""
			if err := replaceOutput(n, k, v, replaced); err != nil {
				return err
			}
		}
	}
	return g.Remove(n)
}

// separateOutputs puts an Identity behind inputs of a graph that are its outputs, and outputs that are listed twice.
func separateOutputs(g *onnx.Graph) {
	outs, seen := g.Outputs(), map[*onnx.Value]bool{}
	for k, v := range outs {
		if v.Producer() == nil || v.Producer().Graph() != g || seen[v] {
			outs[k] = g.Add("Identity", []*onnx.Value{v}, 1).Output(0)
			outs[k].Type = v.Type
		}
		seen[outs[k]] = true
	}
	g.SetOutputs(outs...)
}

// bindAttributes gives attributes of the body that refer to the function's own the value of the call, else the default. One
// that has neither is absent.
func bindAttributes(g *onnx.Graph, call *onnx.Node, f *onnx.Function) error {
	for _, n := range g.Nodes() {
		attrs := n.Attrs[:0]
		for _, a := range n.Attrs {
			if a.Ref == "" {
				attrs = append(attrs, a)
				continue
			}
			given, ok := call.Attr(a.Ref)
			for k := 0; !ok && k < len(f.Defaults); k++ {
				given, ok = f.Defaults[k], f.Defaults[k].Name == a.Ref
			}
			if !ok {
				continue
			}
			if given.Ref != "" {
				return fmt.Errorf("attribute %q is that of a function around it, which is not known here", a.Ref)
			}
			if sub, ok := given.Value.(*onnx.Graph); ok && sub != nil {
				given.Value, _ = sub.Clone()
			}
			given.Name = a.Name
			attrs = append(attrs, given)
		}
		n.Attrs = attrs
		for _, sub := range n.Subgraphs() {
			if err := bindAttributes(sub, call, f); err != nil {
				return err
			}
		}
	}
	return nil
}
