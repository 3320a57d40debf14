package training

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"

	"graft/onnx"
	"graft/runtime"
)

// ErrDiverged is the loss, or a parameter, becoming NaN or infinite.
var ErrDiverged error = divergence{}

type divergence struct{}

func (divergence) Error() string { return "training diverged: the loss is not a finite number" }
func (divergence) ExitCode() int { return 5 }
func (divergence) Hint() string  { return "take a smaller learning rate" }

// DivergedError is ErrDiverged with the step at which it was seen.
type DivergedError struct {
	Step       int64
	Parameters bool // seen in the parameters behind the step
	Gradient   bool // seen in the gradient; otherwise in the loss
	// Before is the state before the step, where the loop still has it. Otherwise Loop.Before finds it.
	Before *Snapshot
}

func (e *DivergedError) Error() string {
	switch {
	case e.Parameters:
		return fmt.Sprintf("step %d: training diverged: a parameter is not a finite number", e.Step)
	case e.Gradient:
		return fmt.Sprintf("step %d: training diverged: the gradient is not finite", e.Step)
	}
	return fmt.Sprintf("step %d: %v", e.Step, ErrDiverged)
}

// Unwrap is ErrDiverged.
func (e *DivergedError) Unwrap() error { return ErrDiverged }

// Progress is what a loop tells after a step.
type Progress struct {
	Step int64 // 1 after the first
	Loss float64
	// Right is how many samples of the batch have their label's logit as the largest before this step's update, where
	// StepConfig.CountRight has them counted.
	Right int
	// Output is the network's output before this step's update, valid during the call. On a device it is brought from there when it
	// is asked for.
	Output func() (*onnx.Tensor, error)
}

// Loop runs a training step over and over on ONNX Runtime.
type Loop struct {
	Step    *Step
	Session runtime.Options
	Rate    func(step int64) float64 // learning rate of a step, the first being 1
	// Feed gives the inputs of a step that are not the loop's own: the network's and what StepConfig added. A tensor that
	// stays the same pointer may change its contents between steps. nil gives none.
	Feed func(step int64) map[string]*onnx.Tensor
	// Data gives inputs as Feed does, from a place that may fail: *dataset.Batches, *dataset.Prefetcher. An error ends the run
	// before the step.
	Data interface {
		At(step int64) (map[string]*onnx.Tensor, error)
	}
	// Each is called after every step; an error ends the run.
	Each func(Progress) error
	// Pause, when not nil, is asked after every step whether Visit wants to see the state. Visit may give another one of as
	// many steps to go on with; nil goes on as it is. An error ends the run.
	Pause func(step int64) bool
	Visit func(*Snapshot) (*Snapshot, error)
}

// Run continues from a snapshot until steps have been taken altogether, or ctx ends. It gives the state it reached, also
// together with an error (the context's when it ended), so that the caller can save it; only when training diverged, never
// began, or the device that has the state failed, it gives back from. save, when not nil, is called with the state after every multiple of every steps, which
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
	session, err := runtime.OpenSteps(data, l.Session)
	if err != nil {
		return from, err
	}
	defer session.Close()
	form.model = nil
	debug.FreeOSMemory() // what it took to make the graph is not needed for as long as the steps take
	r, err := l.start(session, form, from)
	if err != nil {
		return from, fmt.Errorf("train: %w", err)
	}
	defer func() { r.state.Close() }()
	for r.taken < steps {
		err := r.step(ctx)
		if err == nil && l.Pause != nil && l.Pause(r.taken) {
			err = r.visit(session)
		}
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
				return from, fmt.Errorf("%w; the state cannot be read any more (%v)", err, readErr)
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
	at    resident
	taken int64 // steps that the state has behind it
	mask  *onnx.Tensor
	rate  *onnx.Tensor
	count *onnx.Tensor
}

func (l *Loop) start(session *runtime.Session, form *loopForm, from *Snapshot) (*run, error) {
	initial, links, at, err := form.links(from)
	if err != nil {
		return nil, err
	}
	fetch := []string{OutputLoss, l.Step.Output}
	if l.Step.counts {
		fetch = append(fetch, outputRight)
	}
	if form.buckets != nil {
		fetch = append(fetch, outputFinite)
	}
	state, err := session.NewState(initial, links, fetch...)
	if err != nil {
		return nil, err
	}
	if from.Mask != nil {
		if err := state.Hold(InputGradientMask, from.Mask); err != nil {
			state.Close()
			return nil, err
		}
	}
	return &run{Loop: l, form: form, state: state, at: at, taken: from.Steps, mask: from.Mask,
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
	if r.Feed != nil {
		maps.Copy(feeds, r.Feed(step))
	}
	if r.Data != nil {
		given, err := r.Data.At(step)
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		maps.Copy(feeds, given)
	}
	if err := r.state.Step(ctx, feeds); err != nil {
		return fmt.Errorf("step %d: %w", step, err)
	}
	r.taken = step
	value, err := r.state.Output(OutputLoss)
	if err != nil {
		return fmt.Errorf("step %d: %w", step, err)
	}
	if value.Len() != 1 {
		return fmt.Errorf("step %d: output %q is no single float", step, OutputLoss)
	}
	loss := float64(value.Float32s()[0])
	finite, err := r.state.Output(outputFinite)
	if err != nil {
		return fmt.Errorf("step %d: %w", step, err)
	}
	if diverged(loss) || finite != nil && finite.Data[0] == 0 && r.spent() {
		return r.spoiled(step, diverged(loss), finite)
	}
	if r.Each == nil {
		return nil
	}
	right := 0
	if r.Step.counts {
		count, err := r.state.Output(outputRight)
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		right = int(count.Float32s()[0])
	}
	return r.Each(Progress{Step: step, Loss: loss, Right: right, Output: func() (*onnx.Tensor, error) { return r.state.Output(r.Step.Output) }})
}

// spent reports whether a gradient that is not finite is the network's own, and not of a loss that was multiplied by too much.
func (r *run) spent() bool {
	scale, err := r.state.Peek(BufferLossScale)
	return err != nil || scaleSpent(scale)
}

// spoiled is the error of a step whose loss or gradient is not finite. Where the graph takes no such step, the state is still
// the one before it.
func (r *run) spoiled(step int64, loss bool, finite *onnx.Tensor) error {
	e := &DivergedError{Step: step, Gradient: !loss}
	if finite != nil && finite.Data[0] == 0 {
		if s, err := r.form.gather(r.state, r.at, step-1); err == nil && s.Finite() {
			s.Mask = r.mask
			e.Before = s
		}
	}
	return e
}

// snapshot copies the state out of the runtime. Parameters that are no numbers any more are ErrDiverged: the loss would tell
// a step later, when they have been saved.
func (r *run) snapshot() (*Snapshot, error) {
	s, err := r.form.gather(r.state, r.at, r.taken)
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", r.taken, err)
	}
	if !s.Finite() {
		return nil, &DivergedError{Step: r.taken, Parameters: true}
	}
	if scale := s.Buffers[BufferLossScale]; scale != nil && scaleSpent(scale) {
		return nil, &DivergedError{Step: r.taken, Gradient: true}
	}
	s.Mask = r.mask
	return s, nil
}

// visit shows the state to Visit, and goes on with the one that it gives.
func (r *run) visit(session *runtime.Session) error {
	reached, err := r.snapshot()
	if err != nil {
		return err
	}
	after, err := r.Visit(reached)
	if err != nil || after == nil || after == reached {
		return err
	}
	if after.Steps != r.taken {
		return fmt.Errorf("step %d: the state to go on with is of step %d", r.taken, after.Steps)
	}
	begun, err := r.start(session, r.form, after)
	if err != nil {
		return fmt.Errorf("step %d: %w", r.taken, err)
	}
	err = r.state.Close()
	r.state, r.at, r.mask = begun.state, begun.at, begun.mask
	return err
}
