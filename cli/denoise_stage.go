package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"graft/runtime"
	"graft/training"
	"graft/training/oes"
)

// saveEvery is how many steps lie between checkpoints.
const saveEvery = 100

// stage sets a stage of the run up: where it runs, how it shows, where its checkpoints go.
func (d *denoising) stage(name, title string, steps int64) oes.Run {
	d.Progress().Stage(title, int(steps))
	return oes.Run{
		Session:   d.session(),
		SaveEvery: saveEvery,
		Progress: func(step, _ int64, loss, psnr float64) {
			postfix := fmt.Sprintf("loss %.4f", loss)
			if psnr != oes.NoPSNR {
				postfix += fmt.Sprintf(", PSNR %.2f dB", psnr)
			}
			d.Progress().Step(int(step), postfix)
		},
		Save: func(step *training.Step, snap *training.Snapshot, samples []oes.Sample) error {
			return step.SaveCheckpoint(d.dir.File("checkpoint-"+name), snap, samples)
		},
		Resume: func(step *training.Step) (*training.Snapshot, []oes.Sample, error) {
			var samples []oes.Sample
			snap, err := step.LoadCheckpoint(d.dir.File("checkpoint-"+name), nil, &samples)
			if errors.Is(err, training.ErrNoCheckpoint) {
				return nil, nil, nil
			}
			return snap, samples, err
		},
	}
}

// session is where every model of the run runs.
func (d *denoising) session() runtime.Options { return d.runtimeOptions() }

// grade gives an error of the work its exit code.
func (d *denoising) grade(err error) error {
	var known *Error
	switch {
	case errors.As(err, &known) || d.Context().Err() != nil:
		return err
	case errors.Is(err, training.ErrDiverged):
		return failed(err, "try another --seed, or a lower --sparsity")
	}
	return runtimeError(err, d.Out())
}

// maskHash identifies the mask of --mask, "" without one.
func (d *denoising) maskHash() string {
	if d.given == nil {
		return ""
	}
	h := sha256.New()
	for _, m := range d.given.Masks() {
		fmt.Fprintf(h, "%q %v\n", m.Name, m.Dims)
		keep := make([]byte, len(m.Keep))
		for i, yes := range m.Keep {
			if yes {
				keep[i] = 1
			}
		}
		h.Write(keep)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// settings are what a run that is resumed must have been begun with.
func (d *denoising) settings() map[string]string {
	return map[string]string{
		"photo": d.photo.hash, "noise": fmt.Sprint(d.Float("noise")), "size": fmt.Sprint(d.Int("size")),
		"preset": d.Text("preset"), "sparsity": fmt.Sprint(d.sparsity), "seed": fmt.Sprint(d.Common.Seed), "mask": d.maskHash(),
		"task": d.task.describe(), "network": d.prior.Name, "clean": fmt.Sprint(d.IsSet("clean")),
		"mask-steps": fmt.Sprint(d.preset.MaskSteps), "train-steps": fmt.Sprint(d.steps), "baseline-lr": fmt.Sprint(d.Float("baseline-lr")),
	}
}
