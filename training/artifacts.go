package training

import (
	"errors"
	"fmt"
	"regexp"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/training/autodiff"
	"graft/training/loss"
	"graft/training/optim"
)

// Names of training artifacts' own inputs.
const (
	InputLabels    = "labels"          // int64 classes, in place of the target
	InputLazyReset = "lazy_reset_grad" // bool[1]: true begins a new sum of gradients
	gradient       = "_grad"
	accumulated    = "_grad.accumulation.buffer"
	accumulatedOut = "_grad.accumulation.out"
	// packedGradient names the value of the fused model in which the gradients are packed; packedState that of the parameters,
	// and with a slot's name behind it that slot's. What they become has next behind it.
	packedGradient = "graft.packed_gradient"
	packedState    = "graft.packed"
)

// ArtifactConfig says what artifacts train and how.
type ArtifactConfig struct {
	Loss      loss.Loss
	Optimizer optim.Optimizer
	Output    string         // the output that the loss reads; empty: the first
	Train     *regexp.Regexp // parameters to train; nil: all
	Freeze    *regexp.Regexp // parameters among those to leave as they are; nil: none
	// FrozenNorms keeps BatchNormalization at the running statistics of the file, which then stay as they are. Otherwise
	// the training form takes the batch's and moves the running ones.
	FrozenNorms bool
	// ClipNorm bounds the Euclidean length of the gradient over all parameters; 0: no bound.
	ClipNorm float64
	// Direction gives what the optimizer steps along, made of the gradients of a batch's loss; nil: the gradients.
	Direction Direction
	// Accumulate updates the parameters once in so many batches, by the mean of their gradients; 0 and 1: after each.
	Accumulate int64
	// EMA keeps a moving average of the parameters beside them, in which the old average weighs this much; 0: none.
	EMA float64
	// Recompute above one cuts the network into so many segments whose inner values are computed anew for the gradient: less
	// memory, more time (autodiff.Options).
	Recompute int
	// Dropout trains with the model's Dropout nodes: their masks are a function of DropoutSeed, node, step and index (onnx/noise),
	// so that a run can be repeated and resumed to the bit. Otherwise dropout is off.
	Dropout     bool
	DropoutSeed uint64
	// StraightThrough trains through pairs of QuantizeLinear and DequantizeLinear as if they did not round.
	StraightThrough bool
	// Teacher is imitated beside the labels; nil: none.
	Teacher *Teacher
	// Provider is where the artifacts will be trained, by short or full name; empty: the CPU. It chooses between forms of
	// gradients that give the same on every provider.
	Provider string
	// Deterministic has gradients on a device be sums in an order that is always the same, which takes longer.
	Deterministic bool
	// Precision is what the products of the training and fused models, and what lies between them, are computed in: Float16, whose loss is
	// scaled (BufferLossScale), or BFloat16. Parameters, slots, norms, reductions, the loss and the eval model stay in float32. Undefined is
	// Float.
	Precision onnx.DataType
	// Begin goes on with a training that has been under way elsewhere; nil: from the beginning.
	Begin *Beginning
}

// Beginning is how far a training has come. The parameters are in the model.
type Beginning struct {
	Updates int64                   // of the optimizer
	Slots   map[string]*onnx.Tensor // "fc.weight.momentum0"; one for every slot of every trained parameter
}

// Artifacts are the files that any ONNX Runtime can train a model with: graphs of standard operators, and what they start
// from. Contract lists their inputs and outputs.
type Artifacts struct {
	Training  *onnx.Model // forward, backward, and the sum of gradients
	Eval      *onnx.Model // forward with the loss
	Optimizer *onnx.Model // the update alone
	Fused     *Step       // forward, backward and update in one, every state by its name
	Contract  Contract

	params, buffers []*onnx.Tensor    // as in the file
	steps           int64             // taken before, elsewhere
	slots           []*onnx.Tensor    // of the fused form, by slot, then by parameter; nil: at their beginning
	encoded         map[string][]byte // small models as files
}

// NewArtifacts makes the artifacts of a model, which stays as it is.
func NewArtifacts(m *onnx.Model, c ArtifactConfig) (*Artifacts, error) {
	a, err := newArtifacts(m, c)
	if err != nil {
		return nil, fmt.Errorf("make training artifacts: %w", err)
	}
	return a, nil
}

func newArtifacts(m *onnx.Model, c ArtifactConfig) (*Artifacts, error) {
	p, err := newPlan(m, c)
	if err != nil {
		return nil, err
	}
	a := &Artifacts{}
	f, err := p.form(true)
	if err != nil {
		return nil, fmt.Errorf("training model: %w", err)
	}
	grads, err := f.gradients(p)
	if err != nil {
		return nil, err
	}
	if err := a.makeTraining(f.copied(grads)); err != nil {
		return nil, err
	}
	if err := a.makeEval(p); err != nil {
		return nil, err
	}
	if err := a.makeOptimizer(p); err != nil {
		return nil, err
	}
	if err := a.makeFused(p, f, grads); err != nil {
		return nil, err
	}
	if err := a.begin(p); err != nil {
		return nil, err
	}
	return a, a.describe(p)
}

// begin gathers the parameters and buffers of the file, which they share their memory with.
func (a *Artifacts) begin(p *plan) error {
	named := func(list []*onnx.Value) ([]*onnx.Tensor, error) {
		var out []*onnx.Tensor
		for _, v := range list {
			t := *v.Const
			if t.Name = v.Name; t.Check() != nil || t.DType != onnx.Float {
				return nil, fmt.Errorf("weight %s is not sound: %v", limits.Name(v.Name), t.Check())
			}
			out = append(out, &t)
		}
		return out, nil
	}
	var err error
	if a.params, err = named(p.params); err == nil {
		a.buffers, err = named(p.buffers)
	}
	if err != nil || p.Begin == nil || p.Begin.Updates == 0 {
		return err
	}
	return a.goOn(p)
}

// goOn takes over the state of the optimizer.
func (a *Artifacts) goOn(p *plan) error {
	var ok bool
	if a.steps, ok = limits.MulInt(p.Begin.Updates, max(p.Accumulate, 1)); !ok || a.steps < 0 {
		return fmt.Errorf("%d updates of %d batches: no such state", p.Begin.Updates, p.Accumulate)
	}
	for _, slot := range p.slotNames(true) {
		for _, param := range a.params {
			t := p.Begin.Slots[param.Name+"."+slot]
			switch {
			case slot == slotEMA:
				t = param
			case slot == slotAccumulated:
				t = onnx.NewTensor(onnx.Float, param.Dims...)
			case t == nil:
				return fmt.Errorf("the state of %d updates has no %s of %s: another optimizer made it", p.Begin.Updates, slot, limits.Name(param.Name))
			case t.Type().String() != param.Type().String() || t.Check() != nil:
				return fmt.Errorf("%s of %s is %v, the parameter is %v", slot, limits.Name(param.Name), t.Type(), param.Type())
			}
			named := *t
			named.Name = param.Name + "." + slot
			a.slots = append(a.slots, &named)
		}
	}
	return nil
}

// Start is the state before the first step: parameters and buffers as in the file.
func (a *Artifacts) Start() *Snapshot {
	packed := func(list []*onnx.Tensor) *onnx.Tensor {
		out, at := onnx.NewTensor(onnx.Float, a.Fused.Packing.Len()), 0
		for _, t := range list {
			at += copy(out.Float32s()[at:], t.Float32s())
		}
		return out
	}
	s := a.Fused.NewSnapshot(packed(a.params), nil)
	s.Steps = a.steps
	if n := len(a.params); a.slots != nil {
		for i, name := range a.Fused.Slots {
			s.Slots[name] = packed(a.slots[i*n : (i+1)*n])
		}
	}
	for _, t := range a.buffers {
		if s.Buffers == nil {
			s.Buffers = map[string]*onnx.Tensor{}
		}
		s.Buffers[t.Name] = t
	}
	return s
}

func (a *Artifacts) makeTraining(f *form, grads []*onnx.Value) error {
	buffers := make([]*onnx.Value, len(f.params))
	for i, v := range f.params {
		buffers[i] = f.g.AddInput(v.Name+accumulated, v.Type)
	}
	reset := f.g.AddInput(InputLazyReset, onnx.TypeOf(onnx.Bool, 1))
	for i, v := range f.params {
		sum := f.b.Where(reset, grads[i], f.b.Add(buffers[i], grads[i])) // chosen, so that nothing of an old sum is left
		f.out(sum, v.Name+accumulatedOut)
	}
	var err error
	a.Training, err = f.finish()
	return err
}

func (a *Artifacts) makeEval(p *plan) error {
	f, err := p.form(false)
	if err != nil {
		return fmt.Errorf("eval model: %w", err)
	}
	a.Eval, err = f.finish()
	return err
}

func (a *Artifacts) makeOptimizer(p *plan) error {
	g := onnx.NewGraph("optimizer")
	f := &form{g: g, b: op.NewBuilder(g), m: &onnx.Model{ProducerName: "graft", Graph: g}}
	u := &update{plan: p, form: f}
	u.scalars()
	for _, v := range p.params {
		u.params = append(u.params, g.AddInput(v.Name, v.Type))
	}
	for _, v := range p.params {
		u.grads = append(u.grads, g.AddInput(v.Name+gradient, v.Type))
	}
	u.slots()
	if err := u.add(); err != nil {
		return err
	}
	var err error
	a.Optimizer, err = f.finish()
	return err
}

func (a *Artifacts) makeFused(p *plan, f *form, grads []*onnx.Value) error {
	u := &update{plan: p, form: f, params: f.params, grads: grads, fused: true}
	u.scalars()
	u.slots()
	if err := u.add(); err != nil {
		return err
	}
	m, err := f.finish()
	if err != nil {
		return err
	}
	a.Fused = &Step{Model: m, Packing: p.packing, Slots: p.slotNames(true), Output: p.output, Named: true, Buffers: p.buffers}
	return nil
}

// gradients differentiates the loss with respect to every parameter.
func (f *form) gradients(p *plan) ([]*onnx.Value, error) {
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	options := autodiff.Options{StraightThrough: p.StraightThrough, Segments: p.Recompute, Device: deviceOf(p.Provider), Deterministic: p.Deterministic}
	grads, err := f.scaledGradients(func(loss *onnx.Value) ([]*onnx.Value, error) { return options.Gradients(f.g, loss, f.params) })
	if err != nil {
		return nil, err
	}
	if grads, err = p.Direction.direct(f.b, options, &f.step, f.loss, f.params, grads); err != nil {
		return nil, err
	}
	return grads, f.writeNorms()
}

// MaskGradient makes a named step multiply its gradient with the mask of the snapshot, packed, zeros and ones.
func (s *Step) MaskGradient() error {
	if s.Masked {
		return nil
	}
	if _, err := s.Fingerprint(); err != nil { // of the step without: a mask may come later
		return err
	}
	g := s.Model.Graph
	v := g.Lookup(packedGradient)
	if v == nil || v.Producer() == nil {
		return errors.New("mask the gradient: the fused model has no value " + packedGradient + ": make the artifacts again")
	}
	uses := v.Uses()
	b := op.NewBuilder(g)
	masked := b.Mul(v, g.AddInput(InputGradientMask, onnx.TypeOf(onnx.Float, s.Packing.Len())))
	if err := b.Err(); err != nil {
		return fmt.Errorf("mask the gradient: %w", err)
	}
	for _, u := range uses {
		u.Node.SetInput(u.Index, masked)
	}
	s.Masked = true
	return nil
}
