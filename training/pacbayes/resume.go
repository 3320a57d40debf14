package pacbayes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
	"graft/training"
)

// saveEvery is after how many steps, at the end of an epoch, the state is kept.
const saveEvery = 500

// CurveFile holds K in the folder of a run; stages have checkpoints there.
const CurveFile = "k.json"

func (r *run) stageFolder(stage int) string {
	return filepath.Join(r.Run.Folder, fmt.Sprintf("checkpoint-%d", stage))
}

// keptCurve is K as an earlier run has estimated it, or estimates it.
func (r *run) keptCurve(ctx context.Context) (*Curve, error) {
	if r.Run.Folder == "" {
		return r.estimate(ctx)
	}
	path := filepath.Join(r.Run.Folder, CurveFile)
	data, err := os.ReadFile(path)
	if err == nil {
		var kept Curve
		if err := json.Unmarshal(data, &kept); err != nil {
			return nil, limits.InFile(path, limits.Refuse("", "is damaged: %v", err))
		}
		c, err := NewCurve(kept.Scale, kept.K)
		if err != nil {
			return nil, limits.InFile(path, limits.Refuse("", "%v", err))
		}
		return c, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, err := r.estimate(ctx)
	if err != nil {
		return nil, err
	}
	if data, err = json.Marshal(c); err != nil {
		return nil, err
	}
	return c, atomicfile.WriteFile(path, data, 0o666)
}

// save keeps the state of a stage at the end of an epoch.
func (r *run) save(stage int, step *training.Step, s *training.Snapshot) error {
	if r.Run.Folder == "" {
		return nil
	}
	var own []Epoch
	for _, e := range r.epochs {
		if e.Stage == stage {
			own = append(own, e)
		}
	}
	return step.SaveCheckpoint(r.stageFolder(stage), s, own)
}

// resume is the state that a stage goes on from: start, or what was kept; converged, when nothing is left to do.
func (r *run) resume(stage int, step *training.Step, start *training.Snapshot) (s *training.Snapshot, converged bool, err error) {
	if r.Run.Folder == "" {
		return start, false, nil
	}
	var kept []Epoch
	s, err = step.LoadCheckpoint(r.stageFolder(stage), nil, &kept)
	switch {
	case errors.Is(err, training.ErrNoCheckpoint):
		return start, false, nil
	case err != nil:
		return nil, false, err
	}
	r.epochs = append(r.epochs, kept...)
	return s, len(kept) > 0 && r.converged(kept[len(kept)-1]), nil
}
