package training

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
	"graft/onnx/rewrite"
	"graft/training/autodiff"
)

// Gated is a model with its loss, in the training form of artifacts, of which something is trained that the weights are made of:
// the logits of a mask, for one.
type Gated struct{ plan *plan }

// NewGated takes of the configuration what the training form depends on: loss, output, norms, provider, and what is left as it
// is. Without Train it is every parameter.
func NewGated(m *onnx.Model, c ArtifactConfig) (*Gated, error) {
	if c.Train == nil {
		c.Train = everyParameter
	}
	p, err := newPlan(m, c)
	if err != nil {
		return nil, err
	}
	return &Gated{p}, nil
}

// Parameters are the weights, in packed order.
func (g *Gated) Parameters() []*onnx.Value { return slices.Clone(g.plan.params) }

// Packing is how Parameters are packed.
func (g *Gated) Packing() *Packing { return g.plan.packing }

// Initial are the weights of the file, packed.
func (g *Gated) Initial() (*onnx.Tensor, error) {
	of := map[string]*onnx.Tensor{}
	for _, v := range g.plan.params {
		of[v.Name] = v.Const
	}
	return g.plan.packing.Pack(func(name string) *onnx.Tensor { return of[name] })
}

// Buffers are the running statistics of the file, by name; nil where there are none or they are frozen.
func (g *Gated) Buffers() map[string]*onnx.Tensor {
	if len(g.plan.buffers) == 0 {
		return nil
	}
	out := map[string]*onnx.Tensor{}
	for _, v := range g.plan.buffers {
		out[v.Name] = v.Const
	}
	return out
}

// Graph is the network as it infers, its types inferred. It is not to be changed.
func (g *Gated) Graph() *onnx.Graph { return g.plan.base.Graph }

// Step is a step that trains what c.Weights makes the packed weights of. Loss, Observe, Recompute, MaskGradient and Through of the
// configuration are not for it.
func (g *Gated) Step(c StepConfig) (*Step, error) {
	s, err := g.step(c)
	if err != nil {
		return nil, fmt.Errorf("build training step: %w", err)
	}
	if deviceOf(c.Provider) != autodiff.CPU {
		c.Provider = ""
		if err := s.identify(g.Step(c)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (g *Gated) step(c StepConfig) (*Step, error) {
	if c.Weights == nil {
		return nil, errors.New("nothing says what the weights are made of")
	}
	f, err := g.plan.form(true)
	if err != nil {
		return nil, err
	}
	f.last = lastRules(c.Provider)
	layout := g.plan.packing
	if c.Trained != nil {
		layout = c.Trained
	}
	trained := f.g.AddInput(InputTrained, onnx.TypeOf(onnx.Float, layout.Len()))
	var weights *onnx.Value
	if c.DeviceWeights != nil && deviceOf(c.Provider) != autodiff.CPU {
		if f.step == nil {
			f.step = f.g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
		}
		weights = c.DeviceWeights(f.b, trained, f.step)
	} else {
		weights = c.Weights(f.b, trained)
	}
	parts := g.plan.packing.Split(f.b, weights)
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	for i, v := range f.params {
		if err := f.g.ReplaceUses(v, parts[i]); err != nil {
			return nil, err
		}
		if err := f.g.RemoveInput(v); err != nil {
			return nil, err
		}
	}
	options := autodiff.Options{Device: deviceOf(c.Provider), Deterministic: g.plan.Deterministic}
	gradients, err := options.Gradients(f.g, f.loss, []*onnx.Value{trained})
	if err != nil {
		return nil, err
	}
	if gradients, err = c.Direction.direct(f.b, options, &f.step, f.loss, []*onnx.Value{trained}, gradients); err != nil {
		return nil, err
	}
	if err := f.writeNorms(); err != nil {
		return nil, err
	}
	gradient := gradients[0]
	if c.PenaltyGradient != nil {
		gradient = f.b.Add(gradient, c.PenaltyGradient(f.b, trained))
	}
	if c.CountRight {
		if err := f.countRight(g.plan); err != nil {
			return nil, err
		}
	}
	s := &Step{Packing: layout, Output: g.plan.output, Buffers: g.plan.buffers, counts: c.CountRight}
	s.Model = f.m
	if err := s.update(f.b, c.Optimizer, trained, gradient, f.step); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Constants)) {
		input := f.g.Lookup(name)
		if input == nil {
			return nil, fmt.Errorf("no input %q to make constant", name)
		}
		if _, err := rewrite.Bind(f.g, input, c.Constants[name]); err != nil {
			return nil, err
		}
	}
	s.Model, err = f.finish()
	return s, err
}

// outputRight is float[]: how many samples of the batch are classified right.
const outputRight = "graft.right"

// countRight adds outputRight to the training form of a classifier. Of several largest logits the first counts.
func (f *form) countRight(p *plan) error {
	if _, err := p.classes(); err != nil {
		return err
	}
	logits := f.g.Outputs()[1+p.outputIndex]
	right := f.b.Equal(f.b.ArgMax(logits, 1, false), f.g.Lookup(p.target))
	f.out(f.b.ReduceSum(f.b.Cast(right, onnx.Float), false), outputRight)
	return f.b.Err()
}

// Start is the state before the first step: the trained vector given, and running statistics as in the file.
func (g *Gated) Start(s *Step, trained *onnx.Tensor) *Snapshot {
	start := s.NewSnapshot(trained, nil)
	for _, v := range g.plan.buffers {
		if start.Buffers == nil {
			start.Buffers = map[string]*onnx.Tensor{}
		}
		start.Buffers[v.Name] = v.Const
	}
	return start
}
