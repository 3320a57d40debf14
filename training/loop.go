package training

import (
	"context"
	"errors"
	"fmt"

	"graft/onnx"
	"graft/runtime"
)

// ErrDiverged is the loss, or a parameter, becoming NaN or infinite.
var ErrDiverged error = divergence{}

type divergence struct{}

func (divergence) Error() string { return "training diverged: the loss is not a number" }
func (divergence) ExitCode() int { return 5 }
func (divergence) Hint() string  { return "take a smaller learning rate" }

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

// Run continues from a snapshot until steps have been taken altogether, or ctx ends. It gives the state it reached, also
// together with an error (the context's when it ended), so that the caller can save it; only when training diverged, or never
// began, it gives back from. save, when not nil, is called with the state after every multiple of every steps, which
// is valid during the call.
func (l *Loop) Run(ctx context.Context, from *Snapshot, steps, every int64, save func(*Snapshot) error) (*Snapshot, error) {
	form, err := l.Step.loopForm(l.Session.Provider)
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	data, err := form.model.Encode()
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	session, err := runtime.Open(data, l.Session)
	if err != nil {
		return from, err
	}
	defer session.Close()
	r, err := l.start(session, form, from)
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	defer r.state.Close()
	for r.taken < steps {
		err := r.step(ctx)
		if err == nil && save != nil && every > 0 && r.taken%every == 0 && r.taken < steps {
			var reached *Snapshot
			if reached, err = r.snapshot(); err == nil {
				err = save(reached)
			}
		}
		switch {
		case errors.Is(err, ErrDiverged):
			return from, err
		case err != nil:
			reached, readErr := r.snapshot()
			if readErr != nil {
				return from, errors.Join(err, readErr)
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return reached, err
		}
	}
	reached, err := r.snapshot()
	if err != nil {
		return from, err
	}
	return reached, nil
}

// run is one Run's state on the runtime.
type run struct {
	*Loop
	form  *loopForm
	state *runtime.State
	taken int64 // steps that the state has behind it
	mask  *onnx.Tensor
	rate  *onnx.Tensor
	count *onnx.Tensor
}

func (l *Loop) start(session *runtime.Session, form *loopForm, from *Snapshot) (*run, error) {
	initial, links, err := form.links(from)
	if err != nil {
		return nil, err
	}
	fetch := []string{OutputLoss, l.Step.Output}
	if form.rows > 0 {
		fetch = append(fetch, outputFinite)
	}
	state, err := session.NewState(initial, links, fetch...)
	if err != nil {
		return nil, err
	}
	return &run{Loop: l, form: form, state: state, taken: from.Steps, mask: from.Mask,
		rate: onnx.NewTensor(onnx.Float, 1), count: onnx.NewTensor(onnx.Int64, 1)}, nil
}

func (r *run) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	step := r.taken + 1
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
		return fmt.Errorf("step %d: %w", step, err)
	}
	r.taken = step
	value := r.state.Output(OutputLoss).Float32s()
	if len(value) != 1 {
		return fmt.Errorf("step %d: output %q is no single float", step, OutputLoss)
	}
	loss := float64(value[0])
	if finite := r.state.Output(outputFinite); diverged(loss) || finite != nil && finite.Data[0] == 0 {
		return fmt.Errorf("step %d: %w", step, ErrDiverged)
	}
	if r.Each == nil {
		return nil
	}
	return r.Each(Progress{Step: step, Loss: loss, Output: r.state.Output(r.Step.Output)})
}

// snapshot copies the state out of the runtime. Parameters that are no numbers any more are ErrDiverged: the loss would tell
// a step later, when they have been saved.
func (r *run) snapshot() (*Snapshot, error) {
	s, err := r.form.gather(r.state, r.taken)
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", r.taken, err)
	}
	if !s.Finite() {
		return nil, fmt.Errorf("step %d: %w", r.taken, ErrDiverged)
	}
	s.Mask = r.mask
	return s, nil
}
