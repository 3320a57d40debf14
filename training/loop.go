package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/runtime"
)

// ErrDiverged is the loss becoming NaN or infinite.
var ErrDiverged = errors.New("training diverged: the loss is not a number")

// Progress is what a loop tells after a step.
type Progress struct {
	Step   int64 // 1 after the first
	Loss   float64
	Output *onnx.Tensor // the network's output before this step's update; valid during the call
}

// Loop runs a training step over and over on ONNX Runtime.
type Loop struct {
	Step    *Step
	Session runtime.Options
	Rate    func(step int64) float64 // learning rate of a step, the first being 1
	// Feed gives the inputs of a step that are not the loop's own: the network's and what StepConfig added. A tensor that
	// stays the same pointer may change its contents between steps.
	Feed func(step int64) map[string]*onnx.Tensor
	// Each is called after every step; an error ends the run.
	Each func(Progress) error
}

// Snapshot is the state between two steps: what a checkpoint holds.
type Snapshot struct {
	Steps   int64 // taken so far
	Trained *onnx.Tensor
	Slots   map[string]*onnx.Tensor // by slot name, packed as Trained
	Mask    *onnx.Tensor            // packed gradient mask; nil without one
}

// NewSnapshot is the state before the first step: slots at zero.
func (s *Step) NewSnapshot(trained, mask *onnx.Tensor) *Snapshot {
	snap := &Snapshot{Trained: trained, Slots: map[string]*onnx.Tensor{}, Mask: mask}
	for _, name := range s.Slots {
		snap.Slots[name] = onnx.NewTensor(onnx.Float, s.Packing.Len())
	}
	return snap
}

// Run continues from a snapshot until steps have been taken altogether, or ctx ends. It gives the state it reached; with a
// canceled context together with the context's error, so that the caller can save it. save, when not nil, is called with the
// state after every multiple of every steps.
func (l *Loop) Run(ctx context.Context, from *Snapshot, steps, every int64, save func(*Snapshot) error) (*Snapshot, error) {
	data, err := l.Step.Model.Encode()
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	session, err := runtime.Open(data, l.Session)
	if err != nil {
		return from, err
	}
	defer session.Close()
	r, err := l.start(session, from)
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	defer r.state.Close()
	for step := from.Steps + 1; step <= steps; step++ {
		if err := r.step(ctx, step); err != nil {
			if ctx.Err() == nil {
				return from, err
			}
			reached, readErr := r.snapshot(step - 1)
			return reached, errors.Join(ctx.Err(), readErr)
		}
		if save != nil && every > 0 && step%every == 0 && step < steps {
			reached, err := r.snapshot(step)
			if err == nil {
				err = save(reached)
			}
			if err != nil {
				return from, err
			}
		}
	}
	return r.snapshot(max(steps, from.Steps))
}

// run is one Run's state on the runtime.
type run struct {
	*Loop
	state *runtime.State
	mask  *onnx.Tensor
	rate  *onnx.Tensor
	count *onnx.Tensor
}

func (l *Loop) start(session *runtime.Session, from *Snapshot) (*run, error) {
	initial := map[string]*onnx.Tensor{InputTrained: from.Trained}
	links := []runtime.Link{{Output: InputTrained + next, Input: InputTrained}}
	for _, name := range l.Step.Slots {
		if from.Slots[name] == nil {
			return nil, fmt.Errorf("the checkpoint has no slot %q: another optimizer made it", name)
		}
		initial[name] = from.Slots[name]
		links = append(links, runtime.Link{Output: name + next, Input: name})
	}
	state, err := session.NewState(initial, links, OutputLoss, l.Step.Output)
	if err != nil {
		return nil, err
	}
	return &run{Loop: l, state: state, mask: from.Mask,
		rate: onnx.NewTensor(onnx.Float, 1), count: onnx.NewTensor(onnx.Int64, 1)}, nil
}

func (r *run) step(ctx context.Context, step int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	feeds := map[string]*onnx.Tensor{InputRate: r.rate, InputStep: r.count}
	r.rate.Float32s()[0] = float32(r.Rate(step))
	r.count.Int64s()[0] = step
	if r.mask != nil {
		feeds[InputGradientMask] = r.mask
	}
	for name, t := range r.Feed(step) {
		feeds[name] = t
	}
	if err := r.state.Step(ctx, feeds); err != nil {
		return fmt.Errorf("train: step %d: %w", step, err)
	}
	loss := float64(r.state.Output(OutputLoss).Float32s()[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("train: step %d: %w", step, ErrDiverged)
	}
	if r.Each == nil {
		return nil
	}
	return r.Each(Progress{Step: step, Loss: loss, Output: r.state.Output(r.Step.Output)})
}

// snapshot copies the state out of the runtime.
func (r *run) snapshot(steps int64) (*Snapshot, error) {
	s := &Snapshot{Steps: steps, Slots: map[string]*onnx.Tensor{}, Mask: r.mask}
	var err error
	if s.Trained, err = r.state.Read(InputTrained); err != nil {
		return nil, err
	}
	for _, name := range r.Step.Slots {
		if s.Slots[name], err = r.state.Read(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}
