package training

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// form is one of the graphs made of a plan: the network with its parameters as inputs, and the loss.
type form struct {
	m      *onnx.Model
	g      *onnx.Graph
	b      *op.Builder
	params []*onnx.Value // inputs, in the plan's order
	loss   *onnx.Value
	step   *onnx.Value // the input, once there is one
	// lossScale is the buffer that the loss is scaled by, and finite whether the gradients are: nil where it is not scaled.
	lossScale, finite *onnx.Value
	outs              map[*onnx.Value]bool // what out has made outputs
	last              []rewrite.Rule       // what finish applies
}

// out makes v an output. What already goes by a name, or is an output, is passed through an Identity.
func (f *form) out(v *onnx.Value, name string) {
	if f.b.Err() != nil {
		return
	}
	if v.Name != "" || v.Producer() == nil || f.outs[v] { // an output that somebody else made has a name
		v = f.b.Identity(v)
	}
	if f.b.Err() == nil {
		if f.outs == nil {
			f.outs = map[*onnx.Value]bool{}
		}
		f.outs[v] = true
		f.g.AddOutput(v, name)
	}
}

// copied is a copy of f, and of values of it.
func (f *form) copied(values []*onnx.Value) (*form, []*onnx.Value) {
	m := *f.m
	g, of := f.g.Clone()
	m.Graph = g
	all := func(list []*onnx.Value) []*onnx.Value {
		out := make([]*onnx.Value, len(list))
		for i, v := range list {
			out[i] = of[v]
		}
		return out
	}
	c := &form{m: &m, g: g, b: op.NewBuilder(g), params: all(f.params), loss: of[f.loss], step: of[f.step], lossScale: of[f.lossScale], finite: of[f.finite], last: f.last, outs: map[*onnx.Value]bool{}}
	for v := range f.outs {
		c.outs[of[v]] = true
	}
	return c, all(values)
}

// form starts a graph. The training form has the loss of the logits as its output's place and norms by the batch; the other
// is the file's with the loss.
func (p *plan) form(train bool) (*form, error) {
	m := p.base.Clone()
	f := &form{m: m, g: m.Graph, b: op.NewBuilder(m.Graph)}
	if train {
		f.last = lastRules(p.Provider)
	}
	f.clearNames(p)
	var target *onnx.Value
	if p.target != "" {
		target = f.g.AddInput(p.target, p.targetType)
	}
	if p.lossModel != nil {
		for _, v := range p.lossModel.more {
			f.g.AddInput(v.Name, v.Type)
		}
	}
	lifted, err := lift(f.g, slices.Concat(p.params, p.buffersOf(train)))
	if err != nil {
		return nil, err
	}
	for _, v := range p.params {
		f.params = append(f.params, lifted[v.Name])
		delete(lifted, v.Name)
	}
	moved, err := f.norms(lifted, train && !p.FrozenNorms)
	if err != nil {
		return nil, err
	}
	if err := f.dropout(p, train); err != nil {
		return nil, err
	}
	if train {
		f.lossScale = lifted[BufferLossScale]
		if err := f.narrow(p); err != nil {
			return nil, err
		}
		if err := f.rewrite(moved); err != nil {
			return nil, err
		}
	}
	user := f.g.Outputs()
	logits := user[p.outputIndex]
	if p.behind {
		output := logits
		if logits = behindIdentity(output).Producer().Input(0); train {
			logits = f.rename(logits, output)
			user[p.outputIndex] = logits
		}
	}
	if p.lossModel != nil {
		if f.loss, err = f.lossOf(p, user, target); err != nil {
			return nil, fmt.Errorf("loss %s: %w", p.Loss.Name, err)
		}
	} else {
		f.loss = p.Loss.Build(f.b, logits, target)
	}
	if p.teacher != nil && train {
		if f.loss, err = f.taught(p, f.loss, logits, target); err != nil {
			return nil, fmt.Errorf("teacher: %w", err)
		}
	}
	f.g.SetOutputs()
	f.out(f.loss, OutputLoss)
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	f.g.SetOutputs(append(f.g.Outputs(), user...)...)
	if train {
		for _, v := range p.buffers {
			if v.Name == BufferLossScale {
				continue // moved when there are gradients
			}
			after := moved[v.Name]
			if after == nil {
				after = lifted[v.Name]
			}
			f.out(after, v.Name+next)
		}
	}
	return f, f.b.Err()
}

// buffersOf are those that a form has: what scales the loss is for training alone.
func (p *plan) buffersOf(train bool) []*onnx.Value {
	if train {
		return p.buffers
	}
	return slices.DeleteFunc(slices.Clone(p.buffers), func(v *onnx.Value) bool { return v.Name == BufferLossScale })
}

// rewrite applies the training rules to the network. What buffers become is kept.
func (f *form) rewrite(moved map[string]*onnx.Value) error {
	outputs := f.g.Outputs()
	names := slices.Sorted(maps.Keys(moved))
	for _, name := range names {
		f.g.AddOutput(moved[name], "")
	}
	if _, err := rewrite.Apply(f.g, trainingRules...); err != nil {
		return err
	}
	after := f.g.Outputs()
	for i, name := range names {
		moved[name] = after[len(outputs)+i]
	}
	f.g.SetOutputs(after[:len(outputs)]...)
	return nil
}

// rename gives to v the name of an output that it takes the place of.
func (f *form) rename(v, output *onnx.Value) *onnx.Value {
	if v.Producer() == nil || f.g.IsOutput(v) {
		v = f.b.Identity(v)
	}
	if f.b.Err() == nil {
		v.Name, output.Name = output.Name, ""
	}
	return v
}

// clearNames takes the names that the form needs from values inside the network. Ports with such a name are the plan's to
// refuse.
func (f *form) clearNames(p *plan) {
	for _, n := range f.g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil && !f.g.IsOutput(o) && p.reserved(o.Name) {
				o.Name = ""
			}
		}
	}
}

// lift makes inputs of the initializers, and gives them by name.
func lift(g *onnx.Graph, params []*onnx.Value) (map[string]*onnx.Value, error) {
	wanted := make(map[string]bool, len(params))
	for _, v := range params {
		wanted[v.Name] = true
	}
	found, old := map[string]*onnx.Value{}, map[*onnx.Value]bool{}
	for _, v := range g.Inputs() {
		old[v] = true // files of old have every initializer among the inputs
	}
	for _, v := range g.Initializers() {
		if wanted[v.Name] {
			found[v.Name] = v
		}
	}
	lifted := make(map[string]*onnx.Value, len(params))
	for _, p := range params {
		v := found[p.Name]
		if v == nil {
			return nil, fmt.Errorf("no initializer %q", p.Name)
		}
		in := g.AddInput(v.Name, v.Type)
		if err := g.ReplaceUses(v, in); err != nil {
			return nil, err
		}
		if old[v] {
			v.Const = nil
			if err := g.RemoveInput(v); err != nil {
				return nil, err
			}
		}
		lifted[v.Name] = in
	}
	return lifted, nil
}

// finish completes the model: nothing unused, the lowest opset from 17 on, and checked.
func (f *form) finish() (*onnx.Model, error) {
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	f.g.RemoveUnused()
	if err := complete(f.g, f.last); err != nil {
		return nil, err
	}
	low, err := op.LowestOpset(f.g)
	if err != nil {
		return nil, err
	}
	f.m.Declare(max(low, 17))
	f.g.AssignNames()
	var wrong []string
	for _, finding := range onnx.Check(f.m) {
		if finding.Severity == onnx.Error && len(wrong) < 3 {
			wrong = append(wrong, finding.String())
		}
	}
	if wrong != nil {
		return nil, fmt.Errorf("the model made is not valid: %s", strings.Join(wrong, "; "))
	}
	return f.m, nil
}
