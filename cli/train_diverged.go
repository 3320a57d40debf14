package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"graft/training"
)

// diverged ends a run whose loss or parameters are no numbers any more: it goes back to the state before the step that spoiled
// them, saves it, and names the first tensor that went bad.
func (r *trainRun) diverged(l *training.Loop, d *training.DivergedError) error {
	out := &Error{File: filepath.Join(r.dir, training.FusedFile), Reason: d.Error(), Code: exitRuntime,
		Hint: "take a smaller learning rate; the checkpoint is that of the last save"}
	good, step, err := r.lastGood(l, d)
	if err != nil {
		if r.Context().Err() != nil {
			return r.Context().Err()
		}
		r.Detail("the last good step was not found: %s", err.Error())
		return errors.Join(out, r.log.close())
	}
	culprit, err := l.FindCulprit(r.Context(), good)
	switch {
	case err != nil:
		r.Detail("%s", err.Error())
	case culprit != nil:
		out.Reason = fmt.Sprintf("step %d: training diverged: %v", step, culprit)
	}
	r.forget(good.Steps)
	if good.Steps > r.from.Steps || r.savedAt >= 0 {
		if err := r.save(good); err != nil {
			return err
		}
	}
	if err := errors.Join(r.plot(), r.log.close()); err != nil {
		return err
	}
	out.Hint = fmt.Sprintf("the checkpoint is of step %d, the last good one: take a smaller learning rate", good.Steps)
	return out
}

// lastGood is the state before the step that spoiled the training, which is at most one before the step at which it was seen.
// Where the loop does not have it any more, the steps behind the last checkpoint are taken again: they are the same to the bit.
func (r *trainRun) lastGood(l *training.Loop, seen *training.DivergedError) (*training.Snapshot, int64, error) {
	if seen.Before != nil {
		return seen.Before, seen.Step, nil
	}
	last := r.from
	if r.savedAt >= 0 {
		var err error
		if last, err = r.step.LoadCheckpoint(r.checkpoint(), nil, nil); err != nil {
			return nil, 0, err
		}
		if last.Mask == nil {
			last.Mask = r.from.Mask
		}
	}
	var again *training.DivergedError
	for _, step := range []int64{seen.Step, seen.Step - 1} {
		if step <= last.Steps {
			break
		}
		good, err := l.Before(r.Context(), last, step)
		if err == nil {
			return good, step, nil
		}
		if !errors.As(err, &again) {
			return nil, 0, err
		}
	}
	return nil, 0, fmt.Errorf("the steps behind step %d end elsewhere when they are taken again", last.Steps)
}

// forget takes what is behind a step out of the record.
func (r *trainRun) forget(step int64) {
	rec := &r.record
	rec.History = slices.DeleteFunc(slices.Clone(rec.History), func(h trainLine) bool { return h.Step > step })
	if n := len(rec.History); n > 0 {
		rec.Last, rec.Seconds, rec.Rate = rec.History[n-1].Loss, rec.History[n-1].Seconds, rec.History[n-1].Rate
	}
}
