package training

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/training/loss"
)

// Teacher is a classifier that the training forms imitate beside their labels. Its weights are constants of the training and
// the fused model; the eval model, and so what a run is judged by, is without it.
type Teacher struct {
	Model       *onnx.Model
	Weight      float64 // of the teacher in the loss, above 0 and at most 1
	Temperature float64 // above 0
}

// teacher is a teacher held against the network that it teaches.
type teacher struct {
	graph *onnx.Graph // its one output gives logits
	loss.Distillation
}

// readTeacher brings the teacher into the form that is put beside the network.
func (p *plan) readTeacher() error {
	t := p.Teacher
	switch {
	case t.Model == nil || t.Model.Graph == nil:
		return errors.New("it has no graph")
	case !(t.Weight > 0 && t.Weight <= 1):
		return fmt.Errorf("a weight of %v: wants one above 0, at most 1", t.Weight)
	case !(t.Temperature > 0 && t.Temperature <= 1e6):
		return fmt.Errorf("a temperature of %v: wants one above 0", t.Temperature)
	case !p.Loss.Labels:
		return fmt.Errorf("loss %s does not go with one: it is for cross-entropy", p.Loss.Name)
	}
	m := t.Model.Clone()
	if err := prepare(m); err != nil {
		return err
	}
	outputs := p.base.Graph.Outputs()
	theirs := m.Graph.Outputs()
	i := slices.Index(portNames(theirs), p.output)
	if i < 0 && len(theirs) == 1 {
		i = 0
	}
	if i < 0 {
		return fmt.Errorf("none of its outputs %s is %s, which the loss reads", limits.Names(portNames(theirs), 8), limits.Name(p.output))
	}
	want, got := outputs[p.outputIndex].Type, theirs[i].Type
	if got.DType != want.DType || !agree(got.Shape, want.Shape) {
		return fmt.Errorf("its output %s is %v, that of the model is %v", limits.Name(theirs[i].Name), got, want)
	}
	logits := behindIdentity(theirs[i])
	if n := logits.Producer(); n != nil && slices.ContainsFunc(p.Loss.Behind, n.Is) {
		logits = n.Input(0)
	}
	m.Graph.SetOutputs(logits)
	m.Graph.RemoveUnused()
	ours := map[string]onnx.TensorType{}
	for _, v := range p.base.Graph.Inputs() {
		if !v.IsInitializer() {
			ours[v.Name] = v.Type
		}
	}
	for _, v := range m.Graph.Inputs() {
		if have, ok := ours[v.Name]; !v.IsInitializer() && (!ok || have.DType != v.Type.DType || !agree(v.Type.Shape, have.Shape)) {
			return fmt.Errorf("its input %s %v is none of the model, which has %s", limits.Name(v.Name), v.Type, limits.Names(portNames(p.base.Graph.Inputs()), 8))
		}
	}
	p.teacher = &teacher{m.Graph, loss.Distillation{Weight: t.Weight, Temperature: t.Temperature, IgnoreIndex: int64(p.Loss.Values["ignore-index"])}}
	return nil
}

// agree reports whether no dimension says that two shapes differ.
func agree(a, b onnx.Shape) bool {
	if !a.Ranked() || !b.Ranked() {
		return true
	}
	return slices.EqualFunc(a, b, func(x, y onnx.Dim) bool { return !x.Known() || !y.Known() || x.Size == y.Size })
}

// taught puts the teacher beside the network and gives the loss with what it says.
func (f *form) taught(p *plan, hard, logits, labels *onnx.Value) (*onnx.Value, error) {
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	copied, _ := p.teacher.graph.Clone()
	bound := map[string]*onnx.Value{}
	for _, v := range copied.Inputs() {
		if !v.IsInitializer() {
			bound[v.Name] = f.g.Lookup(v.Name)
		}
	}
	out, err := splice(f.g, copied, bound)
	if err != nil {
		return nil, err
	}
	if err := op.InferGraph(f.g); err != nil {
		return nil, err
	}
	return p.teacher.Build(f.b, hard, logits, out[0], labels), f.b.Err()
}
