package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"graft/onnx/atomicfile"
	"graft/training"
	"graft/training/dataset"
)

var trainVerb = verb{
	name: "train", args: "DIR", short: "train what graft artifacts has made",
	long: `Trains the artifacts in DIR on the arrays of a .npz or safetensors file that have the names of the model's inputs and of
"target" or "labels". The first axis counts samples, in an order drawn from --seed anew each epoch; where the arrays have the
model's own fixed shape, every step gets them whole.

The checkpoint in DIR is replaced every --save-every steps, at the end, and when the run is interrupted. --steps and --epochs
count from the beginning of the training, also with --resume, which goes on to the bit as if nothing had happened.`,
	examples: []string{
		"graft train artifacts/ --data digits.npz --epochs 5 --batch 64 --lr 1e-3",
		"graft train artifacts/ --data digits.npz --epochs 10 --batch 64 --lr 1e-3 --resume",
	},
	groups: readsModel | runsModel,
	flags: []cli.Flag{
		text("data", "FILE", "arrays: .npz, or safetensors"),
		integer("steps", "N", 1, 1<<40, 0, "train until this step"),
		integer("epochs", "N", 1, 1<<40, 0, "train until this many times through the data; 1 without --steps"),
		integer("batch", "N", 1, 1<<31, 0, "samples of a step; 32 unless the model fixes it"),
		number("lr", "X", above(0, 1000), 0, "learning rate; the optimizer's usual one without it"),
		text("mask", "FILE", "mask of parameters: what it takes away stays zero"),
		toggle("resume", "go on from the checkpoint in DIR"),
		integer("save-every", "N", 1, 1<<40, 100, "steps between checkpoints"),
	},
	run: runTrain,
}

// trained is the document of graft train --json.
type trained struct {
	Steps     int64   `json:"steps"`
	LossFirst float64 `json:"loss_first"`
	LossLast  float64 `json:"loss_last"`
	Seconds   float64 `json:"seconds"`
}

// trainRun is a run of the verb.
type trainRun struct {
	*call
	dir      string
	step     *training.Step
	contract *training.Contract
	data     *dataset.Batches
	steps    int64
	rate     float64
	record   trainRecord
	begun    time.Time
}

// trainRecord is what a checkpoint keeps of the run beside its state.
type trainRecord struct {
	Seed    uint64      `json:"seed"`
	Batch   int64       `json:"batch"`
	Samples int64       `json:"samples"`
	Seconds float64     `json:"seconds"`
	Last    float64     `json:"loss_last"`
	History []trainLine `json:"history"`
}

// trainLine is a line of history.csv.
type trainLine struct {
	Step    int64   `json:"step"`
	Loss    float64 `json:"loss"`
	Seconds float64 `json:"seconds"`
}

func runTrain(c *call) error {
	r := &trainRun{call: c, dir: c.Arg(0), begun: time.Now()}
	if c.Text("data") == "" {
		return misuse("flag --data is missing: a .npz or safetensors file with the arrays to train on")
	}
	if c.IsSet("steps") && c.IsSet("epochs") {
		return misuse("--steps and --epochs exclude each other")
	}
	var err error
	if r.step, r.contract, err = training.OpenArtifacts(r.dir); err != nil {
		return refused(r.dir, err)
	}
	release, err := training.LockCheckpoint(r.checkpoint())
	if err != nil {
		return &Error{File: r.dir, Err: err, Code: exitEnvironment}
	}
	defer release()
	if r.data, err = trainingData(c.Text("data"), r.contract, int64(c.Int("batch")), c.Common.Seed); err != nil {
		return err
	}
	snap, err := r.begin()
	if err != nil {
		return err
	}
	r.plan()
	end, err := r.loop(snap)
	if err == nil || errors.Is(err, context.Canceled) {
		if saved := r.save(end); saved != nil {
			return saved
		}
	}
	if err != nil {
		return runtimeError(err, filepath.Join(r.dir, training.FusedFile))
	}
	doc := trained{Steps: end.Steps, LossLast: r.record.Last, Seconds: r.record.Seconds}
	if len(r.record.History) > 0 {
		doc.LossFirst = r.record.History[0].Loss
	}
	c.JSON(doc)
	c.Print("%s: %d steps, loss %.6g -> %.6g, %.1fs", r.dir, doc.Steps, doc.LossFirst, doc.LossLast, doc.Seconds)
	return nil
}

func (r *trainRun) checkpoint() string { return filepath.Join(r.dir, training.CheckpointDir) }

// begin reads the checkpoint and puts the mask on.
func (r *trainRun) begin() (*training.Snapshot, error) {
	mask, err := r.mask()
	if err != nil {
		return nil, err
	}
	snap, err := r.step.LoadCheckpoint(r.checkpoint(), mask, &r.record)
	if err != nil {
		return nil, refused(r.dir, err)
	}
	switch {
	case snap.Steps > 0 && !r.Bool("resume"):
		return nil, &Error{File: r.dir, Reason: fmt.Sprintf("it has been trained for %d steps already", snap.Steps),
			Hint: "--resume goes on; graft artifacts makes the folder anew", Code: exitUsage}
	case snap.Masked && mask == nil:
		return nil, &Error{File: r.dir, Reason: "it has been trained under a mask", Hint: "give the same one with --mask", Code: exitUsage}
	}
	now := trainRecord{Seed: r.Common.Seed, Batch: r.data.Size(), Samples: r.data.Samples()}
	if was := r.record; snap.Steps > 0 && (was.Seed != now.Seed || was.Batch != now.Batch || was.Samples != now.Samples) {
		r.Say("seed, batch or data are not those of the %d steps before: from here on the run is another", snap.Steps)
	}
	r.record.Seed, r.record.Batch, r.record.Samples = now.Seed, now.Batch, now.Samples
	if mask == nil {
		return snap, nil
	}
	if err := r.step.MaskGradient(); err != nil {
		return nil, refused(r.dir, err)
	}
	return snap, snap.ApplyMask(mask)
}

// plan settles how long the run is and how fast.
func (r *trainRun) plan() {
	r.steps, r.rate = int64(r.Int("steps")), r.Float("lr")
	if r.steps == 0 {
		r.steps = max(int64(r.Int("epochs")), 1) * r.data.PerEpoch()
	}
	if r.rate == 0 {
		r.rate = r.contract.LearningRate
	}
}

func (r *trainRun) loop(from *training.Snapshot) (*training.Snapshot, error) {
	before := r.record.Seconds
	seconds := func() float64 { return before + time.Since(r.begun).Seconds() }
	progress := r.Progress()
	progress.Stage("train", int(r.steps-from.Steps))
	l := &training.Loop{
		Step: r.step, Session: r.runtimeOptions(),
		Rate: func(int64) float64 { return r.rate },
		Feed: r.data.At,
		Each: func(p training.Progress) error {
			r.record.Last, r.record.Seconds = p.Loss, seconds()
			if kept(p.Step) {
				r.record.History = append(r.record.History, trainLine{p.Step, p.Loss, seconds()})
			}
			progress.Step(int(p.Step-from.Steps), fmt.Sprintf("epoch %d, step %d, loss %.4g", r.data.Epoch(p.Step), p.Step, p.Loss))
			return nil
		},
	}
	return l.Run(r.Context(), from, r.steps, int64(r.Int("save-every")), r.save)
}

// kept reports whether a step is a line of the history: all of the first hundred, then one in ten, later one in a hundred.
func kept(step int64) bool { return step <= 100 || step%10 == 0 && step <= 10_000 || step%100 == 0 }

// save writes the checkpoint and the history.
func (r *trainRun) save(s *training.Snapshot) error {
	if err := r.step.SaveCheckpoint(r.checkpoint(), s, r.record); err != nil {
		return err
	}
	return r.writeHistory()
}

func (r *trainRun) writeHistory() error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"step", "epoch", "loss", "seconds"}) // a buffer takes everything
	for _, h := range r.record.History {
		_ = w.Write([]string{fmt.Sprint(h.Step), fmt.Sprint(r.data.Epoch(h.Step)), strconv.FormatFloat(h.Loss, 'g', 7, 64), strconv.FormatFloat(h.Seconds, 'f', 2, 64)})
	}
	w.Flush()
	return atomicfile.WriteFile(filepath.Join(r.dir, "history.csv"), b.Bytes(), 0o666)
}
