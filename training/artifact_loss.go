package training

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// lossModel is a loss given as a model: what its inputs are in the network.
type lossModel struct {
	graph  *onnx.Graph
	reads  map[string]int // outputs of the network, by the loss's name for them
	shared []string       // inputs of the network that the loss reads too
	more   []*onnx.Value  // inputs that the loss brings along
}

// readLossModel holds a loss that is a model against the outputs of the network, and finds what it reads.
func (p *plan) readLossModel() error {
	m := p.Loss.Model.Clone()
	l := &lossModel{graph: m.Graph, reads: map[string]int{}}
	p.lossModel = l
	if l.graph == nil {
		return errors.New("it has no graph")
	}
	if err := prepare(m); err != nil {
		return err
	}
	if out := l.graph.Outputs(); len(out) != 1 {
		return fmt.Errorf("it has %d outputs, a loss has one", len(out))
	}
	return l.bind(p)
}

// bind sorts the inputs of the loss. One named like an output of the network, or like one of its inputs, reads that; of a
// loss where none is named like an output, the only input beside the target reads the output that is chosen.
func (l *lossModel) bind(p *plan) error {
	inputs, outputs := portNames(p.base.Graph.Inputs()), portNames(p.base.Graph.Outputs())
	var other []*onnx.Value
	for _, v := range l.graph.Inputs() {
		switch {
		case v.IsInitializer(): // files of old have every initializer among the inputs
		case slices.Contains(outputs, v.Name):
			l.reads[v.Name] = slices.Index(outputs, v.Name)
		case v.Name == InputTarget || v.Name == InputLabels:
			if p.target != "" {
				return fmt.Errorf("it has both %s and %s", InputTarget, InputLabels)
			}
			p.target, p.targetType = v.Name, v.Type
		default:
			other = append(other, v)
		}
	}
	if len(l.reads) == 0 {
		if len(other) != 1 {
			return fmt.Errorf("none of its inputs %s is named like an output of the model: those are %s", limits.Names(portNames(l.graph.Inputs()), 8), limits.Names(outputs, 8))
		}
		l.reads[other[0].Name], other = p.outputIndex, nil
	}
	for _, v := range other {
		if slices.Contains(inputs, v.Name) {
			l.shared = append(l.shared, v.Name)
			continue
		}
		l.more = append(l.more, v)
	}
	for _, v := range l.more {
		if err := wholeType(v); err != nil {
			return err
		}
	}
	if p.target != "" {
		if err := wholeType(l.graph.Lookup(p.target)); err != nil {
			return err
		}
	}
	for _, i := range l.reads {
		if p.Output != "" && outputs[i] == p.Output {
			return nil
		}
	}
	if p.Output != "" {
		return fmt.Errorf("it does not read output %s", limits.Name(p.Output))
	}
	p.outputIndex = len(outputs)
	for _, i := range l.reads {
		p.outputIndex = min(p.outputIndex, i)
	}
	return nil
}

// wholeType refuses an input of which a program could not know what to feed.
func wholeType(v *onnx.Value) error {
	if v.Type.DType == onnx.Undefined || !v.Type.Shape.Ranked() {
		return fmt.Errorf("input %s is %v: give it an element type and a shape", limits.Name(v.Name), v.Type)
	}
	return nil
}

func portNames(list []*onnx.Value) []string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.Name
	}
	return names
}

// lossOf puts the loss model behind the network's outputs and gives its value, a float scalar.
func (f *form) lossOf(p *plan, outputs []*onnx.Value, target *onnx.Value) (*onnx.Value, error) {
	l := p.lossModel
	copied, _ := l.graph.Clone()
	bound := map[string]*onnx.Value{p.target: target}
	for name, i := range l.reads {
		bound[name] = outputs[i]
	}
	for _, name := range slices.Concat(l.shared, portNames(l.more)) {
		bound[name] = f.g.Lookup(name)
	}
	out, err := splice(f.g, copied, bound)
	if err != nil {
		return nil, err
	}
	if err := op.InferGraph(f.g); err != nil {
		return nil, err
	}
	v := out[0]
	n, known := v.Type.Shape.Sizes()
	if count, err := onnx.ElementCount(n); v.Type.DType != onnx.Float || !known || err != nil || count != 1 {
		return nil, fmt.Errorf("its output is %v, a loss is a float scalar", v.Type)
	}
	if len(n) > 0 {
		v = f.b.Reshape(v)
	}
	return v, f.b.Err()
}

// splice moves the nodes of the graph from into g, where they read the values in bound in place of from's inputs of those
// names, and gives what from's outputs have become. from is used up. Names inside it are dropped, since g may have the same
// ones; types are too, since its symbols may mean other sizes.
func splice(g, from *onnx.Graph, bound map[string]*onnx.Value) ([]*onnx.Value, error) {
	outputs := from.Outputs()
	from.SetOutputs()
	replaced := map[*onnx.Value]*onnx.Value{}
	replace := func(old, new *onnx.Value) error {
		replaced[old] = new
		return from.ReplaceUses(old, new)
	}
	for _, v := range from.Initializers() {
		var now *onnx.Value
		if v.Sparse != nil {
			now = g.AddSparseInitializer("", v.Sparse)
		} else {
			now = g.AddInitializer("", v.Const)
		}
		if err := replace(v, now); err != nil {
			return nil, err
		}
	}
	for _, v := range from.Inputs() {
		if v.IsInitializer() {
			continue
		}
		if err := replace(v, bound[v.Name]); err != nil {
			return nil, err
		}
	}
	for _, n := range from.Nodes() {
		moved := g.Add(n.Op, n.Inputs(), n.NumOutputs(), n.Attrs...)
		moved.Domain, moved.Overload = n.Domain, n.Overload
		for i := range n.NumInputs() {
			n.SetInput(i, nil)
		}
		for i, o := range n.Outputs() {
			if o == nil {
				continue
			}
			if err := replace(o, moved.Output(i)); err != nil {
				return nil, err
			}
		}
		for _, sub := range moved.Subgraphs() {
			settle(sub, replaced)
		}
	}
	for i, v := range outputs {
		if now := replaced[v]; now != nil {
			outputs[i] = now
		}
	}
	return outputs, nil
}

// settle drops the names inside a graph, and puts in what values that it hands out unchanged have become.
func settle(g *onnx.Graph, replaced map[*onnx.Value]*onnx.Value) {
	for _, v := range slices.Concat(g.Inputs(), g.Initializers()) {
		v.Name = ""
	}
	for _, n := range g.Nodes() {
		n.Name = ""
		for _, o := range n.Outputs() {
			if o != nil {
				o.Name = ""
			}
		}
		for _, sub := range n.Subgraphs() {
			settle(sub, replaced)
		}
	}
	outputs := g.Outputs()
	for i, v := range outputs {
		if now := replaced[v]; now != nil {
			outputs[i] = now
		}
	}
	g.SetOutputs(outputs...)
}
