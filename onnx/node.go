package onnx

import "slices"

// Node applies an operator to values.
type Node struct {
	Name     string
	Op       string // "Conv"
	Domain   string // "" is the standard's default domain
	Overload string
	Doc      string
	Metadata Metadata
	Attrs    []Attr

	graph   *Graph
	place   int      // among all nodes that were ever entered into the graph
	inputs  []*Value // nil for an absent optional input
	places  []int    // of each input, among its uses
	outputs []*Value // nil for an absent optional output
	extra   Opaque   // fields of the file that the IR does not know
}

// Graph is the graph that holds n; nil once n is removed.
func (n *Node) Graph() *Graph { return n.graph }

// Inputs is a snapshot of the inputs; absent optional ones are nil.
func (n *Node) Inputs() []*Value { return slices.Clone(n.inputs) }

// NumInputs counts the inputs, absent ones before the last included.
func (n *Node) NumInputs() int { return len(n.inputs) }

// Input is the i-th input; nil when it is absent.
func (n *Node) Input(i int) *Value {
	if i < 0 || i >= len(n.inputs) {
		return nil
	}
	return n.inputs[i]
}

// SetInput puts v in the i-th place, with nil making it absent, and keeps the use lists true.
func (n *Node) SetInput(i int, v *Value) {
	for len(n.inputs) <= i {
		n.inputs, n.places = append(n.inputs, nil), append(n.places, 0)
	}
	if old := n.inputs[i]; old != nil {
		old.removeUse(n, i)
	}
	n.inputs[i] = v
	if v != nil {
		v.addUse(n, i)
	}
}

// TrimInputs takes off absent inputs at the end.
func (n *Node) TrimInputs() {
	for k := len(n.inputs); k > 0 && n.inputs[k-1] == nil; k = len(n.inputs) {
		n.inputs, n.places = n.inputs[:k-1], n.places[:k-1]
	}
}

// Outputs is a snapshot of the outputs; absent optional ones are nil.
func (n *Node) Outputs() []*Value { return slices.Clone(n.outputs) }

// NumOutputs counts the outputs, absent ones before the last included.
func (n *Node) NumOutputs() int { return len(n.outputs) }

// Output is the i-th output; nil when it is absent.
func (n *Node) Output(i int) *Value {
	if i < 0 || i >= len(n.outputs) {
		return nil
	}
	return n.outputs[i]
}

// AddOutput appends an output of which nothing is known yet. An operator with outputs in any number, whose subgraphs say
// what they are, can hand out more of what its subgraphs make.
func (n *Node) AddOutput() *Value {
	v := &Value{producer: n, index: len(n.outputs)}
	n.outputs = append(n.outputs, v)
	return v
}

// WantOutput is the i-th output, which n is made to give where it is absent: nothing is known of it yet then.
func (n *Node) WantOutput(i int) *Value {
	for len(n.outputs) <= i {
		n.outputs = append(n.outputs, nil)
	}
	if n.outputs[i] == nil {
		n.outputs[i] = &Value{producer: n, index: i}
	}
	return n.outputs[i]
}

// Attr looks an attribute up by name.
func (n *Node) Attr(name string) (Attr, bool) {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a, true
		}
	}
	return Attr{}, false
}

// SetAttr sets or replaces an attribute.
func (n *Node) SetAttr(a Attr) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == a.Name {
			n.Attrs[i] = a
			return
		}
	}
	n.Attrs = append(n.Attrs, a)
}

// Is reports whether n applies the operator of the default domain with that name.
func (n *Node) Is(op string) bool { return n.Op == op && (n.Domain == "" || n.Domain == "ai.onnx") }

// Subgraphs lists the graphs among n's attributes: branches and loop bodies.
func (n *Node) Subgraphs() []*Graph {
	var out []*Graph
	for _, a := range n.Attrs {
		switch v := a.Value.(type) {
		case *Graph:
			if v != nil {
				out = append(out, v)
			}
		case []*Graph:
			out = append(out, v...)
		}
	}
	return out
}

// String names n in messages: its name if it has one, else its operator and first output.
func (n *Node) String() string {
	if n.Name != "" {
		return n.Name + " (" + n.Op + ")"
	}
	for _, o := range n.outputs {
		if o != nil && o.Name != "" {
			return n.Op + " -> " + o.Name
		}
	}
	return n.Op
}
