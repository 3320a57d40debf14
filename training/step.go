package training

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/training/autodiff"
	"graft/training/loss"
	"graft/training/optim"
)

// Names of the step graph's own inputs and outputs.
const (
	InputTarget       = "target"
	InputTrained      = "trained"       // packed: what the optimizer moves
	InputGradientMask = "gradient_mask" // packed: multiplies the gradient
	InputRate         = "learning_rate" // float[1]
	InputStep         = "step"          // int64[1], 1 in the first step
	OutputLoss        = "loss"
	next              = ".next"
)

// StepConfig says what one training step does.
type StepConfig struct {
	Loss      loss.Func
	Optimizer optim.Optimizer

	// Observe makes what the loss compares with the target from the network's output; nil: it is the output.
	Observe func(b *op.Builder, output *onnx.Value) *onnx.Value
	// Weights makes the network's packed weights from the packed vector that is trained; nil: they are the same. Further
	// inputs it adds to the graph are fed by the caller.
	Weights func(b *op.Builder, trained *onnx.Value) *onnx.Value
	// Trained is what the trained vector is packed of where it is not the weights; nil: the weights.
	Trained *Packing
	// Through gives the gradient of the trained vector from that of the weights, where Weights is not to be differentiated: it
	// rounds, or what it takes away may come back. nil: by differentiation.
	Through func(b *op.Builder, trained, gradient *onnx.Value) *onnx.Value
	// DeviceWeights is Weights to the same effect on a provider other than the CPU, with the number of the step, int64[1]: what the
	// caller would feed is made there. nil: Weights.
	DeviceWeights func(b *op.Builder, trained, step *onnx.Value) *onnx.Value
	// Direction gives what the optimizer steps along, made of the gradient of the loss; nil: the gradient. Not with Through.
	Direction Direction
	// PenaltyGradient gives the gradient of a penalty that is minimized beside the loss, with respect to the packed vector
	// that is trained; nil: none. The reported loss is without it.
	PenaltyGradient func(b *op.Builder, trained *onnx.Value) *onnx.Value
	// Constants are inputs that are the same in every step, by name: they become part of the graph, so that what follows
	// from them alone is computed once. The target is one of the inputs.
	Constants map[string]*onnx.Tensor
	// Recompute above one cuts the network into so many segments whose inner values are computed anew for the gradient: less
	// memory, more time (autodiff.Options).
	Recompute int
	// Provider is where the step will run, by short or full name; empty: the CPU. It chooses between forms of gradients; a
	// checkpoint of one provider is one of every other.
	Provider string
	// CountRight has a step of Gated tell how many samples of its batch the classifier has right (Progress.Right).
	CountRight bool
	// MaskGradient multiplies the gradient with an input, so that what is masked stays as it is, slots included.
	MaskGradient bool
}

// trainingRules write parts of a network in forms that cost less to train.
var trainingRules = []rewrite.Rule{rewrite.PoolIntoConv, rewrite.NormBeforeUpsample, rewrite.BatchNormBeforeUpsample, rewrite.UpsampleIntoConv,
	rewrite.BiasBeforeNorm, rewrite.BiasBeforeBatchNorm, rewrite.PoolWithIndices}

// Step is a training step as one graph: forward, backward and update. Its inputs are the network's own, the target, the
// packed trained vector and slots, learning rate and step count; its outputs the loss, the network's outputs, and every
// packed input's next value.
type Step struct {
	Model   *onnx.Model
	Packing *Packing
	Slots   []string // inputs that start at zero: "momentum0", ...
	Output  string   // the network's output that the loss reads
	Masked  bool
	// Named says that the graph takes every parameter and slot by its name ("w", "w.momentum0") and not packed.
	Named bool
	// Buffers are what a step carries to the next without an optimizer, by name: running means and variances. Float.
	Buffers []*onnx.Value

	counts      bool // it has outputRight
	fingerprint string
}

// NewStep builds the step that trains every float initializer of the model.
func NewStep(m *onnx.Model, c StepConfig) (*Step, error) {
	s, err := newStep(m.Clone(), c)
	if err != nil {
		return nil, fmt.Errorf("build training step: %w", err)
	}
	if deviceOf(c.Provider) != autodiff.CPU {
		c.Provider = ""
		if err := s.identify(NewStep(m, c)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// identify gives a step for a device the fingerprint of the same one for the CPU: a checkpoint is for the step on every provider.
func (s *Step) identify(same *Step, err error) error {
	if err == nil {
		s.fingerprint, err = same.Fingerprint()
	}
	return err
}

func newStep(m *onnx.Model, c StepConfig) (*Step, error) {
	if err := prepare(m); err != nil {
		return nil, err
	}
	g := m.Graph
	params := Parameters(g)
	if len(params) == 0 {
		return nil, errors.New("the model has no trainable parameter")
	}
	packing, err := NewPacking(params)
	if err != nil {
		return nil, err
	}
	outputs := g.Outputs()
	if len(outputs) == 0 {
		return nil, errors.New("the model has no output")
	}
	output := outputs[0]
	layout := packing
	if c.Trained != nil {
		layout = c.Trained
	}
	s := &Step{Model: m, Packing: layout, Output: output.Name, Masked: c.MaskGradient}

	if _, err := rewrite.Apply(g, trainingRules...); err != nil {
		return nil, err
	}
	b := op.NewBuilder(g)
	trained := g.AddInput(InputTrained, onnx.TypeOf(onnx.Float, layout.Len()))
	weights := trained
	var count *onnx.Value
	switch {
	case c.DeviceWeights != nil && deviceOf(c.Provider) != autodiff.CPU:
		count = g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
		weights = c.DeviceWeights(b, trained, count)
	case c.Weights != nil:
		weights = c.Weights(b, trained)
	}
	parts := packing.Split(b, weights)
	if err := b.Err(); err != nil {
		return nil, err
	}
	for i, p := range params {
		if err := g.ReplaceUses(p, parts[i]); err != nil {
			return nil, err
		}
	}

	seen := output
	if c.Observe != nil {
		seen = c.Observe(b, output)
		if err := b.Err(); err != nil {
			return nil, err
		}
	}
	objective := c.Loss(b, seen, g.AddInput(InputTarget, seen.Type))
	if err := b.Err(); err != nil {
		return nil, err
	}
	along := trained
	if c.Through != nil {
		along = weights
	}
	if c.Through != nil && c.Direction != nil {
		return nil, errors.New("a direction goes by derivatives, which Through does not have")
	}
	options := autodiff.Options{Segments: c.Recompute, Device: deviceOf(c.Provider)}
	gradients, err := options.Gradients(g, objective, []*onnx.Value{along})
	if err != nil {
		return nil, err
	}
	if gradients, err = c.Direction.direct(b, options, &count, objective, []*onnx.Value{along}, gradients); err != nil {
		return nil, err
	}
	gradient := gradients[0]
	if c.Through != nil {
		gradient = c.Through(b, trained, gradient)
	}
	if c.PenaltyGradient != nil {
		gradient = b.Add(gradient, c.PenaltyGradient(b, trained))
	}
	if c.MaskGradient {
		gradient = b.Mul(gradient, g.AddInput(InputGradientMask, trained.Type))
	}
	if err := s.update(b, c.Optimizer, trained, gradient, count); err != nil {
		return nil, err
	}
	g.AddOutput(b.Identity(objective), OutputLoss)
	for _, name := range slices.Sorted(maps.Keys(c.Constants)) {
		input := g.Lookup(name)
		if input == nil {
			return nil, fmt.Errorf("no input %q to make constant", name)
		}
		if _, err := rewrite.Bind(g, input, c.Constants[name]); err != nil {
			return nil, err
		}
	}
	g.RemoveUnused()
	if err := b.Err(); err != nil {
		return nil, err
	}
	return s, complete(g, lastRules(c.Provider))
}

// lastRules write what is differentiated already in forms that run faster where it will run.
func lastRules(provider string) []rewrite.Rule {
	if deviceOf(provider) == autodiff.CPU {
		return rewrite.Winograd
	}
	return nil
}

// complete applies the last rules to a graph that is complete, and puts it into the order that holds least.
func complete(g *onnx.Graph, last []rewrite.Rule) error {
	if _, err := rewrite.Apply(g, last...); err != nil {
		return err
	}
	g.OrderByDepth()
	return nil
}

// update adds the optimizer and the outputs that become the next step's inputs. count is the input of the step's number; nil: there
// is none yet.
func (s *Step) update(b *op.Builder, o optim.Optimizer, trained, gradient, count *onnx.Value) error {
	g := s.Model.Graph
	rate := g.AddInput(InputRate, onnx.TypeOf(onnx.Float, 1))
	if count == nil {
		count = g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
	}
	var slots []*onnx.Value
	for _, name := range o.Slots {
		s.Slots = append(s.Slots, name)
		slots = append(slots, g.AddInput(name, trained.Type))
	}
	after, slotsAfter := o.Update(b, trained, gradient, slots, rate, count)
	if err := b.Err(); err != nil {
		return err
	}
	g.AddOutput(after, InputTrained+next)
	for i, v := range slotsAfter {
		g.AddOutput(v, s.Slots[i]+next)
	}
	return nil
}

// Parameters lists the float initializers of a graph that are learned (op.IsParameter), in the file's order. A bias of one
// element behind a product counts too.
func Parameters(g *onnx.Graph) []*onnx.Value {
	var out []*onnx.Value
	for _, v := range g.Initializers() {
		if v.Const == nil || v.Const.DType != onnx.Float {
			continue
		}
		if op.IsParameter(v) || len(v.Const.Dims) > 0 && slices.ContainsFunc(v.Uses(), addsBias) {
			out = append(out, v)
		}
	}
	return out
}
