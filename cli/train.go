package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
)

var trainVerb = verb{
	name: "train", args: "DIR|MODEL", short: "train what graft artifacts has made, or a model file by a method",
	long: `Trains the artifacts in DIR. --data is read as what it is:

` + formatLines() + `

Arrays go to the model's inputs of their names, and to "target" or "labels"; a model with one input gets the samples whatever
they are called. The first axis counts samples, in an order drawn from --seed anew each epoch; where the arrays have the
model's own fixed shape, every step gets them whole. --data may be repeated: images in one file, labels in the other.

Schedules of the learning rate:

` + scheduleLines() + `

With --val the model is evaluated every --eval-every steps, with the moving average of the parameters where the artifacts keep
one (graft artifacts --ema): --best, --early-stop and plateau then go by that. --prune-to takes weights away as it trains, the smallest first,
along a cubic curve (Zhu and Gupta, arXiv 1710.01878); biases and norms stay.

The checkpoint in DIR is replaced every --save-every steps, at the end, and when the run is interrupted. --steps and --epochs
count from the beginning of the training, also with --resume, which goes on to the bit as if nothing had happened.
history.csv, loss.png and curves.svg in DIR show the run.

With --method a classifier's model file is trained, into the folder --out with model.onnx, summary.json and history.csv:

` + trainMethodLines(),
	examples: []string{
		"graft train artifacts/ --data digits.npz --epochs 5 --batch 64 --lr 1e-3",
		"graft train artifacts/ --data digits.npz --epochs 10 --batch 64 --lr 1e-3 --resume",
		"graft train artifacts/ --data fashion-mnist/ --val fashion-mnist/ --epochs 3 --schedule cosine --warmup 100 --best",
		"graft train artifacts/ --data photos/ --val 0.1 --early-stop 5 --log run.jsonl",
		"graft train artifacts/ --data digits.npz --epochs 5 --prune-to 0.9 --save-mask mask.safetensors",
		"graft train classifier.onnx --method pac-bayes --data digits.npz --test more-digits.npz --out trained/",
	},
	groups:     readsModel | runsModel | trains,
	writesWhen: func(c *call) bool { return c.Text("method") != "" },
	flags: slices.Concat([]cli.Flag{
		repeated("data", "PATH", "what to train on; repeatable").under("Data"),
		text("val", "PATH|FRACTION", "what to evaluate on: another set, or a part drawn from --data").under("Data"),
		integer("batch", "N", 1, 1<<31, 0, "samples of a step; 32 unless the model fixes it").under("Data"),
	}, choiceFlags(), dataFlags(), []cli.Flag{
		list("augment", "HOW,...", "change pictures anew in every step: shift=PIXELS, rotate=DEGREES, zoom=PART, each at most, flip, crop=PIXELS, cutout=PIXELS").under("Data"),

		integer("steps", "N", 1, 1<<40, 0, "train until this step").under("Training"),
		integer("epochs", "N", 1, 1<<40, 0, "train until this many times through the data; 1 without --steps").under("Training"),
		number("lr", "X", above(0, 1000), 0, "learning rate; the optimizer's usual one without it").under("Training"),
		choice("schedule", "constant", "how the learning rate goes", training.ScheduleNames()...).under("Training"),
		text("warmup", "N|FRACTION", "steps, or part of them, in which the rate grows to --lr").under("Training"),
		number("min-lr", "X", between(0, 1000), 0, "where linear, cosine and polynomial end, and plateau stops").under("Training"),
		integer("step-size", "N", 1, 1<<40, 0, "step: steps between two reductions; a third of the run without it").under("Training"),
		number("gamma", "X", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0.1, "step and plateau: what the rate is multiplied by").under("Training"),
		number("power", "X", above(0, 100), 2, "polynomial: the power").under("Training"),
		integer("patience", "N", 0, 1<<40, 3, "plateau: evaluations without a lower loss that are borne").under("Training"),

		integer("eval-every", "N", 1, 1<<40, 0, "steps between evaluations; an epoch without it").under("Evaluation"),
		integer("early-stop", "N", 1, 1<<40, 0, "stop after N evaluations without a lower loss").under("Evaluation"),
		toggle("best", "keep the checkpoint of the lowest validation loss as DIR/checkpoint.best").under("Evaluation"),
		text("log", "FILE", "write a line of JSON for every step").under("Evaluation"),

		text("mask", "FILE", "mask of parameters: what it takes away stays zero").under("Pruning"),
		fraction("prune-to", "S", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0, "fraction of the weights to take away by and by").under("Pruning"),
		integer("prune-start", "N", 0, 1<<40, 0, "step after which the first go").under("Pruning"),
		integer("prune-end", "N", 1, 1<<40, 0, "step after which the last go; 0.6 of the run without it").under("Pruning"),
		integer("prune-every", "N", 1, 1<<40, 0, "steps between; 1/32 of the way without it").under("Pruning"),
		choice("prune-scope", string(masking.Global), "what is compared: all weights, or those of each parameter", string(masking.Global), string(masking.Layer)).under("Pruning"),
		text("save-mask", "FILE", "write the mask in the end").under("Pruning"),

		toggle("dry-run", "check data, schedule and checkpoint, say what would be done, train and write nothing").alias("n").under(sectionOutput),
		toggle("resume", "go on from the checkpoint in DIR").under("Checkpoints"),
		toggle("from-previous", "with --resume: from the checkpoint before, when the last is damaged").under("Checkpoints"),
		integer("save-every", "N", 1, 1<<40, 100, "steps between checkpoints").under("Checkpoints"),
	}, trainMethodFlags()),
	run: runTrain,
}

func formatLines() string {
	var lines []string
	for _, f := range dataset.Formats {
		lines = append(lines, fmt.Sprintf("  %-13s %s", f.Name, f.Doc))
	}
	return strings.Join(lines, "\n")
}

func scheduleLines() string {
	var lines []string
	for _, s := range training.Schedules {
		lines = append(lines, fmt.Sprintf("  %-13s %s", s.Name, s.Doc))
	}
	return strings.Join(lines, "\n")
}

// trained is the document of graft train --json. What does not apply is absent.
type trained struct {
	executed
	Steps        int64    `json:"steps"`
	Epochs       float64  `json:"epochs"`
	LossFirst    float64  `json:"loss_first"`
	LossLast     float64  `json:"loss_last"`
	LearningRate float64  `json:"learning_rate"` // of the last step
	EvalLoss     *float64 `json:"eval_loss,omitempty"`
	Accuracy     *float64 `json:"accuracy,omitempty"`
	BestStep     *int64   `json:"best_step,omitempty"`
	BestEvalLoss *float64 `json:"best_eval_loss,omitempty"`
	BestAccuracy *float64 `json:"best_accuracy,omitempty"`
	EvalAverage  bool     `json:"eval_average,omitempty"` // the evaluations are of the moving average of the parameters
	StoppedEarly bool     `json:"stopped_early,omitempty"`
	Sparsity     *float64 `json:"sparsity,omitempty"` // of the weights that a mask may take away
	Mask         string   `json:"mask,omitempty"`

	Mean []float64 `json:"mean,omitempty"` // of --standardize, for each channel
	Std  []float64 `json:"std,omitempty"`

	Seconds float64 `json:"seconds"`
}

// trainRun is a run of the verb.
type trainRun struct {
	*call
	dir       string
	step      *training.Step
	contract  *training.Contract
	data      *dataset.Batches
	ahead     *dataset.Prefetcher
	classes   []string
	augmented dataset.Augmentation

	vocabulary []string              // the words of a text by their numbers
	normalized dataset.Normalization // of --standardize

	steps   int64
	rates   func(step int64) float64
	config  training.ScheduleConfig
	pruning *trainPruning
	checks  *trainChecks // nil without --val
	log     *trainLog    // nil without --log
	record  trainRecord
	before  float64 // seconds of earlier runs
	begun   time.Time

	from    *training.Snapshot // where this run began
	savedAt int64              // step of the last checkpoint that this run wrote; -1: none
}

// trainRecord is what a checkpoint keeps of the run beside its state.
type trainRecord struct {
	Seed    uint64      `json:"seed"`
	Batch   int64       `json:"batch"`
	Samples int64       `json:"samples"`
	Course  string      `json:"course,omitempty"` // schedule, evaluations and pruning, as far as they change what is trained
	Seconds float64     `json:"seconds"`
	Last    float64     `json:"loss_last"`
	Rate    float64     `json:"learning_rate,omitempty"`
	History []trainLine `json:"history"`

	Visited  *int64            `json:"visited,omitempty"` // last step behind which the run was evaluated or pruned
	Plateau  *training.Plateau `json:"plateau,omitempty"`
	Watch    trainWatch        `json:"watch"`
	Eval     *trainMark        `json:"eval,omitempty"` // the last evaluation
	Best     *trainMark        `json:"best,omitempty"`
	Stopped  bool              `json:"stopped_early,omitempty"`
	Sparsity *float64          `json:"sparsity,omitempty"`
}

func runTrain(c *call) error {
	if method, err := c.checkMethodFlags(); err != nil || method != nil {
		if err != nil {
			return err
		}
		return runTrainMethod(c, method)
	}
	r := &trainRun{call: c, dir: c.Arg(0), begun: time.Now(), savedAt: -1}
	if err := r.checkFlags(); err != nil {
		return err
	}
	var err error
	if r.step, r.contract, err = training.OpenArtifacts(r.dir); err != nil {
		return refused(r.dir, err)
	}
	if made, now := r.contract.MadeFor(), runtime.ProviderName(r.Common.Provider); made != now {
		r.Say("%s was made for %s: artifacts of graft artifacts --provider %s may be faster", r.dir, made, r.Common.Provider)
	}
	if r.Common.Deterministic && r.contract.Provider != "" && !r.contract.Deterministic {
		r.Say("%s was made without --deterministic: gradients of embeddings on a device may differ in their last bits", r.dir)
	}
	if !r.Common.DryRun {
		release, err := training.LockCheckpoint(r.checkpoint())
		if err != nil {
			return &Error{File: r.dir, Err: err, Code: exitEnvironment}
		}
		defer release()
	}
	if err := r.readData(); err != nil {
		return err
	}
	if err := r.plan(); err != nil {
		return err
	}
	if r.from, err = r.begin(); err != nil {
		return err
	}
	if r.IsSet("save-mask") && r.from.Mask == nil {
		return misuse("--save-mask: the run has no mask")
	}
	if err := r.mayLog(); err != nil {
		return err
	}
	if r.Common.DryRun {
		return r.foresee()
	}
	r.ahead = dataset.NewPrefetcher(r.data)
	defer r.ahead.Close()
	if r.checks != nil {
		defer r.checks.close()
	}
	if err := r.keepVocabulary(); err != nil {
		return err
	}
	if err := r.openLog(); err != nil {
		return err
	}
	return r.finish(r.loop())
}

// checkFlags refuses what goes wrong whatever the files are.
func (r *trainRun) checkFlags() error {
	switch {
	case len(r.List("data")) == 0:
		return misuse("flag --data is missing: what to train on, such as a .npz or safetensors file with arrays")
	case r.IsSet("steps") && r.IsSet("epochs"):
		return misuse("--steps and --epochs exclude each other")
	case r.IsSet("mask") && r.IsSet("prune-to"):
		return misuse("--mask and --prune-to exclude each other: a mask is what pruning makes")
	case r.Bool("from-previous") && !r.Bool("resume"):
		return misuse("--from-previous goes with --resume")
	}
	for _, f := range []string{"prune-start", "prune-end", "prune-every", "prune-scope"} {
		if r.IsSet(f) && !r.IsSet("prune-to") {
			return misuse("--%s goes with --prune-to", f)
		}
	}
	if !r.IsSet("val") {
		for _, f := range []string{"eval-every", "early-stop", "best"} {
			if r.IsSet(f) {
				return misuse("--%s goes with --val: what to evaluate on", f)
			}
		}
		if r.Text("schedule") == "plateau" {
			return misuse("--schedule plateau goes with --val: it watches the validation loss")
		}
	}
	if !r.IsSet("save-mask") {
		return nil
	}
	if !r.IsSet("mask") && !r.IsSet("prune-to") && !r.Bool("resume") {
		return misuse("--save-mask goes with --prune-to")
	}
	return mayWrite(r.Text("save-mask"), r.Common.Force || r.Bool("resume"))
}

func (r *trainRun) checkpoint() string { return filepath.Join(r.dir, training.CheckpointDir) }

// bestCheckpoint stands behind the checkpoint's name for the one of the lowest validation loss.
const bestCheckpoint = ".best"

// begin reads the checkpoint and puts the mask on.
func (r *trainRun) begin() (*training.Snapshot, error) {
	mask, err := r.mask()
	if err != nil {
		return nil, err
	}
	snap, err := r.load(mask)
	if err != nil {
		return nil, refused(r.dir, err)
	}
	if snap.Steps > 0 && !r.Bool("resume") {
		return nil, &Error{File: r.dir, Reason: fmt.Sprintf("it has been trained for %d steps already", snap.Steps),
			Hint: "--resume goes on; graft artifacts makes the folder anew", Code: exitUsage}
	}
	now := trainRecord{Seed: r.Common.Seed, Batch: r.data.Size(), Samples: r.data.Samples(), Course: r.course()}
	if was := r.record; snap.Steps > 0 && snap.Steps < r.steps && (was.Seed != now.Seed || was.Batch != now.Batch || was.Samples != now.Samples || was.Course != now.Course) {
		r.Say("seed, batch, data or schedule are not those of the %d steps before: from here on the run is another", snap.Steps)
	}
	r.record.Seed, r.record.Batch, r.record.Samples, r.record.Course = now.Seed, now.Batch, now.Samples, now.Course
	r.record.Stopped = false
	r.before = r.record.Seconds
	if r.record.Plateau == nil {
		r.record.Plateau = training.NewPlateau()
	}
	if mask == nil {
		mask = snap.Mask // of the checkpoint
	}
	if mask == nil && r.pruning != nil {
		mask = r.pruning.nothing(r.step)
	}
	if mask == nil {
		return snap, nil
	}
	if err := r.step.MaskGradient(); err != nil {
		return nil, refused(r.dir, err)
	}
	return snap, snap.ApplyMask(mask)
}

// load reads the checkpoint, or the one before it where that is asked for.
func (r *trainRun) load(mask *onnx.Tensor) (*training.Snapshot, error) {
	if !r.Bool("from-previous") {
		return r.step.LoadCheckpoint(r.checkpoint(), mask, &r.record)
	}
	snap, err := r.step.LoadCheckpoint(training.PreviousCheckpoint(r.checkpoint()), mask, &r.record)
	if err != nil {
		return nil, err
	}
	r.Say("going on from the checkpoint before, of step %d; the last is kept as %s.damaged", snap.Steps, training.CheckpointDir)
	if r.Common.DryRun {
		return snap, nil
	}
	return snap, training.RestorePrevious(r.checkpoint())
}

// plan settles how long the run is, and what happens on the way.
func (r *trainRun) plan() error {
	r.steps = int64(r.Int("steps"))
	if r.steps == 0 {
		r.steps = max(int64(r.Int("epochs")), 1) * r.data.PerEpoch()
	}
	if err := r.planRates(); err != nil {
		return err
	}
	return r.planPruning()
}

// loop trains, and gives the state that was reached.
func (r *trainRun) loop() (*training.Loop, *training.Snapshot, error) {
	from := r.from
	progress := r.Progress()
	progress.Stage("train", int(r.steps-from.Steps))
	l := &training.Loop{Step: r.step, Session: r.runtimeOptions(), Rate: r.rate, Data: r.ahead, Pause: r.due, Visit: r.visit,
		Each: func(p training.Progress) error {
			r.seen(p)
			progress.Step(int(p.Step-from.Steps), r.reading(p))
			return nil
		},
	}
	if r.due(from.Steps) && (r.record.Visited == nil || *r.record.Visited != from.Steps) {
		after, err := r.visit(from) // it was cut off before
		if err != nil {
			return l, from, err
		}
		from, r.from = after, after
	}
	end, err := l.Run(r.Context(), from, r.steps, int64(r.Int("save-every")), r.save)
	return l, end, err
}

// reading is what the progress shows beside the count.
func (r *trainRun) reading(p training.Progress) string {
	s := fmt.Sprintf("epoch %d, step %d, loss %.4g", r.data.Epoch(p.Step), p.Step, p.Loss)
	if e := r.record.Eval; e != nil {
		s += fmt.Sprintf(", val %.4g", e.Loss)
		if e.Accuracy != nil {
			s += fmt.Sprintf(" (%.1f %%)", 100**e.Accuracy)
		}
	}
	return s
}

// finish saves what was reached and says what it is.
func (r *trainRun) finish(l *training.Loop, end *training.Snapshot, err error) error {
	var diverged *training.DivergedError
	if errors.As(err, &diverged) {
		return r.diverged(l, diverged)
	}
	if errors.Is(err, errStopEarly) {
		r.record.Stopped, err = true, nil
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		if end.Steps > r.from.Steps {
			_ = r.save(end) // as far as it goes: what ended the run is what is told
		}
		_ = r.log.close()
		return r.loopError(err)
	}
	if end.Steps > r.from.Steps || r.record.Visited != nil && end.Steps >= *r.record.Visited || err == nil {
		if saved := r.save(end); saved != nil {
			return saved
		}
	}
	if closed := errors.Join(r.plot(), r.log.close()); closed != nil {
		return closed
	}
	if err != nil {
		return r.loopError(err)
	}
	doc := r.document(end)
	if err := r.saveMask(end, &doc); err != nil {
		return err
	}
	r.JSON(doc)
	r.report(doc)
	return nil
}

// loopError grades what ended the run.
func (r *trainRun) loopError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return runtimeError(err, filepath.Join(r.dir, training.FusedFile))
}

func (r *trainRun) document(end *training.Snapshot) trained {
	rec := r.record
	doc := trained{executed: r.executed(), Steps: end.Steps, Epochs: r.epochs(end.Steps), LossLast: rec.Last, LearningRate: rec.Rate,
		Seconds: rec.Seconds, StoppedEarly: rec.Stopped, Sparsity: rec.Sparsity, Mean: r.normalized.Mean, Std: r.normalized.Std}
	if len(rec.History) > 0 {
		doc.LossFirst = rec.History[0].Loss
	}
	if e := rec.Eval; e != nil {
		doc.EvalLoss, doc.Accuracy, doc.EvalAverage = &e.Loss, e.Accuracy, e.Average
	}
	if b := rec.Best; b != nil && r.checks != nil {
		doc.BestStep, doc.BestEvalLoss, doc.BestAccuracy = &b.Step, &b.Loss, b.Accuracy
	}
	return doc
}

// epochs is how often the data have been gone through behind a step.
func (r *trainRun) epochs(step int64) float64 {
	return math.Round(float64(step)/float64(r.data.PerEpoch())*1e4) / 1e4
}

func (r *trainRun) report(doc trained) {
	r.Print("%s: %d steps, loss %.6g -> %.6g, %.1fs%s", r.dir, doc.Steps, doc.LossFirst, doc.LossLast, doc.Seconds, doc.on())
	if doc.EvalLoss != nil {
		line := fmt.Sprintf("validation loss %.6g", *doc.EvalLoss)
		if doc.EvalAverage {
			line += " of the moving average, which graft export --ema exports"
		}
		if doc.Accuracy != nil {
			line += fmt.Sprintf(", accuracy %.2f %%", 100**doc.Accuracy)
		}
		if doc.BestStep != nil {
			line += fmt.Sprintf("; lowest %.6g at step %d", *doc.BestEvalLoss, *doc.BestStep)
		}
		if doc.StoppedEarly {
			line += "; stopped early"
		}
		r.Print("%s", line)
	}
	if doc.Sparsity != nil {
		r.Print("%s of the weights are gone", percent(*doc.Sparsity))
	}
}
