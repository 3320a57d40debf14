package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"graft/training"
)

// plannedTraining is the document of graft train --dry-run --json. What does not apply is absent.
type plannedTraining struct {
	DryRun       bool     `json:"dry_run"`
	From         int64    `json:"from_step"` // taken before
	Steps        int64    `json:"steps"`     // where the run ends
	Epochs       float64  `json:"epochs"`
	Samples      int64    `json:"samples"`
	Batch        int64    `json:"batch"`
	PerEpoch     int64    `json:"steps_per_epoch"`
	Parameters   int64    `json:"parameters"`
	Schedule     string   `json:"schedule"`
	RateFirst    float64  `json:"learning_rate_first"` // of the next step
	RateLast     float64  `json:"learning_rate_last"`  // plateau: unless it is reduced
	Evaluations  int64    `json:"evaluations,omitempty"`
	EvalSamples  int64    `json:"eval_samples,omitempty"`
	EvalAverage  bool     `json:"eval_average,omitempty"`
	SparsityLast *float64 `json:"sparsity,omitempty"` // of the weights that pruning may take away, at the end
	Writes       []string `json:"writes"`             // files and folders
}

// foresee makes ready the first batch of data and evaluation, and says what the run would do. Nothing is written.
func (r *trainRun) foresee() error {
	from := r.from.Steps
	if _, err := r.data.At(min(from+1, r.steps)); err != nil {
		return refused(r.dir, err)
	}
	doc := plannedTraining{DryRun: true, From: from, Steps: max(r.steps, from), Samples: r.data.Samples(), Batch: r.data.Size(), PerEpoch: r.data.PerEpoch(),
		Parameters: r.step.Packing.Len(), Schedule: r.Text("schedule"), RateFirst: r.rate(min(from+1, r.steps)), RateLast: r.rate(r.steps)}
	doc.Epochs = r.epochs(doc.Steps)
	for _, name := range []string{training.CheckpointDir, "history.csv", "loss.png", "curves.svg"} {
		doc.Writes = append(doc.Writes, filepath.Join(r.dir, name))
	}
	if r.vocabulary != nil {
		doc.Writes = append(doc.Writes, filepath.Join(r.dir, vocabularyFile))
	}
	if r.Bool("best") {
		doc.Writes = append(doc.Writes, r.checkpoint()+bestCheckpoint)
	}
	for _, flag := range []string{"log", "save-mask"} {
		if r.IsSet(flag) {
			doc.Writes = append(doc.Writes, r.Text(flag))
		}
	}
	if r.checks != nil {
		if _, err := r.checks.data.At(1); err != nil {
			return refused(r.Text("val"), err)
		}
		every := r.evalEvery()
		doc.Evaluations = doc.Steps/every - from/every
		if doc.Steps > from && doc.Steps%every != 0 {
			doc.Evaluations++ // behind the last step, out of turn
		}
		doc.EvalSamples, doc.EvalAverage = r.checks.data.Samples(), r.contract.EMA > 0
	}
	if r.pruning != nil {
		doc.SparsityLast = &r.pruning.Final
	}
	r.JSON(doc)
	r.tellPlan(doc)
	return nil
}

func (r *trainRun) tellPlan(doc plannedTraining) {
	if doc.From >= doc.Steps {
		r.Print("nothing to train: %s has %d steps behind it", r.dir, doc.From)
		return
	}
	r.Print("would train %s from step %d to %d: %.4g epochs of %s samples, %d a step, %s parameters", r.dir, doc.From, doc.Steps, doc.Epochs,
		grouped(doc.Samples), doc.Batch, grouped(doc.Parameters))
	r.Print("learning rate %.4g in the first step, %.4g in the last, %s", doc.RateFirst, doc.RateLast, doc.Schedule)
	if doc.EvalSamples > 0 {
		line := fmt.Sprintf("would evaluate %d times on %s samples", doc.Evaluations, grouped(doc.EvalSamples))
		if doc.EvalAverage {
			line += ", by the moving average"
		}
		r.Print("%s", line)
	}
	if doc.SparsityLast != nil {
		r.Print("would take %s of the weights away, from step %d to %d", percent(*doc.SparsityLast), r.pruning.Begin, r.pruning.End)
	}
	r.Print("would write %s", strings.Join(doc.Writes, ", "))
}
