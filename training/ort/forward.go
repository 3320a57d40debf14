package ort

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/rewrite"
	"graft/training/loss"
)

// Forward is what a training_model.onnx or eval_model.onnx computes from its inputs to the loss.
type Forward struct {
	Model *onnx.Model // the network: parameters are initializers, outputs what the loss reads and what the model gave besides
	Loss  loss.Loss
}

// Names of the artifacts' inputs and outputs.
const (
	lazyReset      = "lazy_reset_grad"
	accumulated    = "_grad.accumulation.buffer"
	accumulatedOut = "_grad.accumulation.out"
)

// NewForward cuts the gradients off, puts the checkpoint's parameters in the places of inputs, and takes network and loss
// apart: the loss is what depends on the input labels or target. m stays as it is.
func NewForward(m *onnx.Model, c *Checkpoint) (*Forward, error) {
	f := &Forward{}
	var err error
	if m.Graph == nil {
		err = limits.Refuse("", "has no graph")
	} else {
		err = f.cut(m.Clone(), c)
	}
	if err != nil {
		return nil, fmt.Errorf("forward part: %w", err)
	}
	return f, nil
}

func (f *Forward) cut(m *onnx.Model, c *Checkpoint) error {
	g := m.Graph
	g.SetOutputs(slices.DeleteFunc(g.Outputs(), func(v *onnx.Value) bool { return strings.HasSuffix(v.Name, accumulatedOut) })...)
	if len(g.Outputs()) == 0 {
		return limits.Refuse("outputs", "are gradients alone: there is no loss")
	}
	g.RemoveUnused()
	for _, in := range g.Inputs() {
		if in.NumUses() == 0 && (in.Name == lazyReset || strings.HasSuffix(in.Name, accumulated)) {
			if err := g.RemoveInput(in); err != nil {
				return err
			}
		}
		if t := c.Tensor(in.Name); t != nil {
			if _, err := rewrite.Bind(g, in, t); err != nil {
				return err
			}
		}
	}
	if err := onlyStandard(g); err != nil {
		return err
	}
	f.Model = &onnx.Model{IRVersion: m.IRVersion, ProducerName: m.ProducerName, ProducerVersion: m.ProducerVersion,
		Opsets: []onnx.Opset{{Version: m.Opset("")}}, Graph: g}
	return f.split()
}

// onlyStandard refuses operators of the runtime's own.
func onlyStandard(g *onnx.Graph) error {
	var found []string
	for _, n := range g.Nodes() {
		if name := n.Domain + "." + n.Op; !n.Is(n.Op) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if found == nil {
		return nil
	}
	return limits.Refuse("operators", "%s are ONNX Runtime's own", limits.Names(found, 10)).
		WithHint("give eval_model.onnx, or the model that the artifacts were made from")
}

// split takes what depends on the labels out of the network, as a model of its own.
func (f *Forward) split() error {
	g := f.Model.Graph
	g.AssignNames()
	outputs := g.Outputs()
	value := outputs[0]
	var label *onnx.Value
	for _, in := range g.Inputs() {
		if in.Name == "labels" || in.Name == "target" {
			label = in
		}
	}
	own := map[*onnx.Value]bool{label: label != nil} // what depends on the labels
	var nodes []*onnx.Node
	for _, n := range g.Nodes() {
		if !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return v != nil && own[v] }) {
			continue
		}
		if len(n.Subgraphs()) > 0 {
			return limits.Refuse("loss", "has the operator %s with a graph inside, which is not supported", n.Op)
		}
		nodes = append(nodes, n)
		for _, o := range n.Outputs() {
			if o != nil {
				own[o] = true
			}
		}
	}
	l := &lossGraph{from: g, g: onnx.NewGraph("loss"), values: map[*onnx.Value]*onnx.Value{}}
	if len(nodes) > 0 && own[value] {
		l.label(label)
	} else { // the loss stands there without labels: it is an output that is read as it is
		nodes = nil
	}
	for _, n := range nodes {
		if err := l.add(n, own); err != nil {
			return err
		}
	}
	result, err := l.value(value, own)
	if err != nil {
		return err
	}
	l.g.AddOutput(l.g.Add("Identity", []*onnx.Value{result}, 1).Output(0), "")
	l.g.Outputs()[0].Type = onnx.TypeOf(onnx.Float)
	if f.Loss, err = f.known(nodes); err != nil {
		return err
	}
	if f.Loss.Build == nil {
		l.g.AssignNames()
		f.Loss = loss.OfModel(value.Name, &onnx.Model{IRVersion: 8, Opsets: f.Model.Opsets, Graph: l.g})
	}
	kept := l.reads
	for _, o := range outputs[1:] {
		if !own[o] && !slices.Contains(kept, o) {
			kept = append(kept, o)
		}
	}
	g.SetOutputs(kept...)
	g.RemoveUnused()
	if len(nodes) == 0 {
		return nil
	}
	return g.RemoveInput(label)
}

// known is the loss of the table that the nodes are; a loss without Build when they are none.
func (f *Forward) known(nodes []*onnx.Node) (loss.Loss, error) {
	if len(nodes) != 1 || !nodes[0].Is("SoftmaxCrossEntropyLoss") || nodes[0].Input(2) != nil || onnx.AttrOr(nodes[0], "reduction", "mean") != "mean" {
		return loss.Loss{}, nil
	}
	settings := map[string]float64{}
	if i, ok := nodes[0].Attr("ignore_index"); ok {
		n, _ := i.Value.(int64)
		settings["ignore-index"] = float64(n)
	}
	return loss.New("cross-entropy", settings)
}

// lossGraph is the loss while it is taken out of a graph.
type lossGraph struct {
	from, g *onnx.Graph
	values  map[*onnx.Value]*onnx.Value // of the copy, by those of the graph
	reads   []*onnx.Value               // of the network
}

// label makes the input of the labels. Whole numbers are int64 in graft's artifacts.
func (l *lossGraph) label(v *onnx.Value) {
	t := v.Type
	if t.DType != onnx.Int32 {
		l.values[v] = l.g.AddInput(v.Name, t)
		return
	}
	t.DType = onnx.Int64
	wide := l.g.AddInput(v.Name, t)
	l.values[v] = l.g.Add("Cast", []*onnx.Value{wide}, 1, onnx.Int("to", int64(onnx.Int32))).Output(0)
}

func (l *lossGraph) add(n *onnx.Node, own map[*onnx.Value]bool) error {
	in := make([]*onnx.Value, n.NumInputs())
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		var err error
		if in[i], err = l.value(v, own); err != nil {
			return err
		}
	}
	k := l.g.Add(n.Op, in, n.NumOutputs(), n.Attrs...)
	for i, o := range n.Outputs() {
		if o != nil {
			l.values[o] = k.Output(i)
		}
	}
	return nil
}

// value gives the copy of a value that the loss reads: a constant, one of its own, or an output of the network.
func (l *lossGraph) value(v *onnx.Value, own map[*onnx.Value]bool) (*onnx.Value, error) {
	if k := l.values[v]; k != nil {
		return k, nil
	}
	var k *onnx.Value
	switch p := v.Producer(); {
	case v.Const != nil && v.Const.DType != onnx.Float || v.Const != nil && v.Const.Len() <= 1:
		k = l.g.AddInitializer(v.Name, v.Const)
	case v.IsInitializer():
		return nil, limits.Refuse("loss", "reads the parameter %s, which is not supported", limits.Name(v.Name))
	case p != nil && p.Is("Constant"):
		k = l.g.Add(p.Op, nil, 1, p.Attrs...).Output(0)
	default:
		k = l.g.AddInput(v.Name, v.Type)
		if !l.from.IsInput(v) {
			l.reads = append(l.reads, v)
		}
	}
	l.values[v] = k
	return k, nil
}
