package prosocial

import (
	"context"
	"errors"
	"fmt"

	"graft/training"
)

// Checkpoint says where the state of a training is kept, so that it goes on to the bit after a stop.
type Checkpoint struct {
	Folder string
	Every  int64  // steps; the state is kept at the end and when the context ends as well
	Of     string // what the training depends on beside its graph: data, seed, course. A state of another one is refused
}

// ErrOther is that a checkpoint is of another training.
var ErrOther = errors.New("the checkpoint is of other data or settings")

// kept is what lies with a state.
type kept struct {
	Of string `json:"of"`
}

// load is the state that was kept, or the given first one where there is none.
func (k *Checkpoint) load(step *training.Step, first *training.Snapshot) (*training.Snapshot, error) {
	if k == nil {
		return first, nil
	}
	was := kept{}
	s, err := step.LoadCheckpoint(k.Folder, nil, &was)
	switch {
	case errors.Is(err, training.ErrNoCheckpoint):
		return first, nil
	case err == nil && was.Of != k.Of:
		return nil, fmt.Errorf("%s: %w", k.Folder, ErrOther)
	}
	return s, err
}

// run runs a loop and keeps its state.
func (k *Checkpoint) run(ctx context.Context, loop *training.Loop, from *training.Snapshot, steps int64) (*training.Snapshot, error) {
	if k == nil {
		return loop.Run(ctx, from, steps, 0, nil)
	}
	save := func(s *training.Snapshot) error { return loop.Step.SaveCheckpoint(k.Folder, s, kept{k.Of}) }
	end, err := loop.Run(ctx, from, steps, k.Every, save)
	if end.Steps > from.Steps && (err == nil || ctx.Err() != nil) {
		err = errors.Join(err, save(end))
	}
	return end, err
}
