package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	net "graft/graphs/language"
	"graft/training"
	"graft/training/prosocial"
)

// sectionTuning is that of flags of methods that train.
const sectionTuning = "Training on text"

// debiasTunings are the methods that train a language model on text.
var debiasTunings = []debiasMethod{
	{name: "cda", doc: "trains on text with a gendered word, and on the same with the other gender (Zmigrod et al. 2019, Webster et al. 2020)", resumes: true,
		flags: slices.Concat(tuningFlags(), []cli.Flag{
			text("words", "FILE", "pairs of words, two in a line (default: of gender)").under(sectionTuning),
			text("names", "FILE|common", "pairs of names, swapped where they begin with a capital").under(sectionTuning),
			toggle("keep", "train on lines that have no such word as well").under(sectionTuning),
		}), check: checkTuning, run: runCounterfactualTuning},
	{name: "dropout", doc: "trains on text with more dropout (Webster et al. 2020)", resumes: true,
		flags: tuningFlags(), check: checkTuning, run: runPlainTuning},
	{name: "ear", doc: "trains on text to spread attention over more tokens: entropy-based attention regularization (Attanasio et al. 2022)", resumes: true,
		flags: tuningFlags(), check: checkTuning, run: runPlainTuning},
}

// usualDropout and usualEntropy are the weights that the methods of these names have without a flag: those of their papers.
const (
	usualDropout = 0.15
	usualEntropy = 0.01
)

func tuningFlags() []cli.Flag {
	return []cli.Flag{
		repeated("text", "FILE", "text, a sample in each line; repeatable").under(sectionTuning),
		integer("tokens", "N", 1, 1<<40, 1_000_000, "train on at most so many tokens").under(sectionTuning),
		integer("epochs", "N", 1, 1<<20, 1, "times through the text, within --tokens").under(sectionTuning),
		integer("batch", "N", 1, 1<<16, 8, "lines of a step").under(sectionTuning),
		integer("length", "N", 2, 1<<20, 128, "tokens that are taken of a line").under(sectionTuning),
		number("rate", "X", above(0, 1e3), 0, "learning rate of AdamW; 1e-3 with an adapter and 2e-5 without one").under(sectionTuning),
		integer("rank", "N", 0, 1<<16, 8, "rank of the adapters (LoRA) that are trained and then merged; 0: train all weights").under(sectionTuning),
		number("alpha", "X", above(0, 1e6), 0, "LoRA's alpha; twice the rank without it").under(sectionTuning),
		text("targets", "REGEXP", "matrices that get adapters (default: all of the layers)").under(sectionTuning),
		number("dropout", "P", span{lo: 0, hi: 1, openHi: true}, 0, "part of hidden values and attention left out; 0.15 for --method dropout").under(sectionTuning),
		number("entropy", "X", between(0, 1e3), 0, "weight of the entropy of attention; 0.01 for --method ear").under(sectionTuning),
		number("held-out", "PART", span{lo: 0, hi: 0.5}, 0.05, "part of the lines that is not trained on, but measured: perplexity before and after").under(sectionTuning),
		integer("save-every", "N", 1, 1<<40, 50, "steps between checkpoints").under(sectionTuning),
	}
}

// tuningReport is what graft debias --json says of a training.
type tuningReport struct {
	Lines   int                   `json:"lines"` // trained on, with counterfactuals
	Swapped *prosocial.Augmented  `json:"counterfactual,omitempty"`
	Steps   int64                 `json:"steps"`
	Tokens  int64                 `json:"tokens"` // in those steps
	Trained int64                 `json:"trained_parameters"`
	Rank    int64                 `json:"rank,omitempty"`
	Step    float64               `json:"step_seconds"` // median of this run
	First   float64               `json:"loss_first"`   // mean of the first and of the last tenth of the steps of this run
	Last    float64               `json:"loss_last"`
	Before  *prosocial.Perplexity `json:"perplexity_before,omitempty"`
	After   *prosocial.Perplexity `json:"perplexity_after,omitempty"`
}

func checkTuning(c *call) error {
	if len(c.List("text")) == 0 {
		return misuse("flag --text is missing: a file of text, a sample in each line")
	}
	if _, err := regexp.Compile(c.Text("targets")); err != nil {
		return misuse("--targets: %v", err)
	}
	if c.Int("rank") == 0 && (c.IsSet("alpha") || c.IsSet("targets")) {
		return misuse("--alpha and --targets are of adapters, --rank 0 trains without one")
	}
	return nil
}

func runPlainTuning(d *debiasing) error {
	text, err := d.tuningText()
	if err != nil {
		return err
	}
	return d.tune(text, &tuningReport{})
}

func runCounterfactualTuning(d *debiasing) error {
	words, err := d.swappedWords()
	if err != nil {
		return err
	}
	text, err := d.tuningText()
	if err != nil {
		return err
	}
	report := &tuningReport{Swapped: &prosocial.Augmented{}}
	if text.train, err = words.Lines(text.train, d.Bool("keep"), report.Swapped); err != nil {
		return refused(d.List("text")[0], err)
	}
	return d.tune(text, report)
}

// tuningText is what is trained on and what is held out, drawn from the lines by --seed.
func (d *debiasing) tuningText() (*splitText, error) {
	lines, err := d.textLines()
	if err != nil {
		return nil, err
	}
	text := splitLines(lines, d.Float("held-out"), d.Common.Seed)
	if len(text.train) == 0 {
		return nil, refused(d.List("text")[0], errors.New("has no text to train on"))
	}
	return text, nil
}

// tune trains the network on text.
func (d *debiasing) tune(text *splitText, report *tuningReport) error {
	task, err := d.wordTask("--method " + d.method.name)
	if err != nil {
		return err
	}
	train, err := d.batches(text.train, "train")
	if err != nil {
		return err
	}
	c := d.tuning(task)
	c.Steps, report.Tokens = train.Within(int64(d.Int("epochs"))*train.PerEpoch(), int64(d.Int("tokens")))
	report.Lines, report.Steps = len(train.Lines), c.Steps
	if c.Adapter != nil {
		report.Rank = c.Adapter.Rank
	}
	if report.Trained, err = d.network.Trained(c); err != nil {
		return refused(d.Arg(0), err)
	}
	if d.Common.DryRun {
		d.JSON(map[string]any{"method": d.method.name, "report": report})
		d.Print("would train %s of %s by %s on %s in %s, %s tokens, into %s", grouped(report.Trained), d.Arg(0), d.method.name, counted(report.Lines, "line"), counted(int(c.Steps), "step"), grouped(report.Tokens), d.Out())
		return nil
	}
	held, err := d.heldOut(text.heldOut)
	if err != nil {
		return err
	}
	if report.Before, err = d.perplexity(task, held, "perplexity before"); err != nil {
		return err
	}
	c.Checkpoint.Folder = d.dir.File("checkpoint-tune")
	c.Checkpoint.Of = fmt.Sprintf("%s: %d steps, lines %s", d.method.name, c.Steps, train.Hash())
	tenth := max(1, c.Steps/10)
	var first, last lossMean
	var took []float64
	at := time.Now()
	c.Told = func(step int64, loss float64) {
		took, at = append(took, time.Since(at).Seconds()), time.Now()
		if step <= tenth {
			first.add(loss)
		}
		if step > c.Steps-tenth {
			last.add(loss)
		}
		d.Progress().Step(int(step), fmt.Sprintf("loss %.4f", loss))
	}
	d.Progress().Stage("train "+d.method.name, int(c.Steps))
	d.network, err = d.network.Tune(d.Context(), train, c)
	d.Progress().Done()
	switch {
	case errors.Is(err, training.ErrDiverged):
		return &Error{File: d.Arg(0), Err: err, Code: exitRuntime, Hint: "take a smaller --rate"}
	case errors.Is(err, prosocial.ErrOther), errors.Is(err, training.ErrOtherStep):
		return refused(d.Out(), fmt.Errorf("%w: start again without --resume", err))
	case err != nil:
		return err
	}
	report.First, report.Last = first.value(), last.value()
	if slices.Sort(took); len(took) > 0 {
		report.Step = took[len(took)/2]
	}
	if report.After, err = d.perplexity(task, held, "perplexity after"); err != nil {
		return err
	}
	d.report = report
	d.lines = append(d.lines, fmt.Sprintf("%s, %s tokens, loss %.4f to %.4f", counted(int(report.Steps), "step"), grouped(report.Tokens), report.First, report.Last))
	if report.After != nil {
		d.lines = append(d.lines, fmt.Sprintf("perplexity on %s tokens held out: %.4g, before %.4g (%+.2f %%)", grouped(report.After.Tokens), report.After.Value, report.Before.Value, 100*(report.After.Value/report.Before.Value-1)))
	}
	return nil
}

// wordTask is the task by which the model guesses words; who says what wants a model for it.
func (d *debiasing) wordTask(who string) (string, error) {
	task := net.FillMask
	if net.Decoder(d.network.Config.ModelType) {
		task = net.TextGeneration
	}
	if d.source.Options.Task != task {
		return "", &Error{File: d.Arg(0), Code: exitInput, Reason: fmt.Sprintf("is for %s, %s wants a model for %s", d.source.Options.Task, who, task),
			Hint: "--task " + task + " where the weights of that head are in it"}
	}
	return task, nil
}

// tuning is the course that the flags say.
func (d *debiasing) tuning(task string) prosocial.Tuning {
	c := prosocial.Tuning{Task: task, Rate: d.Float("rate"), Warmup: 0.1, WeightDecay: 0.01, Seed: d.Common.Seed, Session: d.runtimeOptions(),
		Dropout: d.Float("dropout"), Entropy: d.Float("entropy"), Checkpoint: &prosocial.Checkpoint{Every: int64(d.Int("save-every"))}}
	if d.method.name == "dropout" && !d.IsSet("dropout") {
		c.Dropout = usualDropout
	}
	if d.method.name == "ear" && !d.IsSet("entropy") {
		c.Entropy = usualEntropy
	}
	usual := 2e-5
	if rank := int64(d.Int("rank")); rank > 0 {
		usual = 1e-3
		c.Adapter = &prosocial.Adapter{Rank: rank, Alpha: d.Float("alpha")}
		if d.IsSet("targets") {
			c.Adapter.Targets = regexp.MustCompile(d.Text("targets"))
		}
	}
	if c.Rate == 0 {
		c.Rate = usual
	}
	return c
}

// batches are lines as tokens; those of fewer than two are left out.
func (d *debiasing) batches(lines []string, what string) (*prosocial.Batches, error) {
	e := d.network.Encoder(d.tokenizer, d.Int("length"))
	tokens, err := e.Tokens(d.network.Config.VocabSize)
	if err != nil {
		return nil, &Error{File: d.Arg(0), Err: err, Code: exitInput}
	}
	all, err := e.Texts(lines)
	if err != nil {
		return nil, refused(d.List("text")[0], err)
	}
	b := &prosocial.Batches{Tokens: tokens, Size: d.Int("batch"), Seed: d.Common.Seed, Model: d.network.Config.ModelType, Labels: prosocial.NextToken}
	if !net.Decoder(b.Model) {
		b.Labels = prosocial.Masking{}.Labels
	}
	for _, ids := range all {
		if len(ids) > 1 {
			b.Lines = append(b.Lines, ids)
		}
	}
	if len(b.Lines) == 0 {
		return nil, refused(d.List("text")[0], fmt.Errorf("no line to %s has two tokens", what))
	}
	return b, nil
}

// mostHeldOut is the number of tokens by which perplexity is measured.
const mostHeldOut = 50_000

// heldOut are the first lines that are not trained on, of no more than mostHeldOut tokens; nil where there are none.
func (d *debiasing) heldOut(lines []string) (*prosocial.Batches, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	b, err := d.batches(lines, "hold out")
	if err != nil {
		return nil, err
	}
	n := 0
	for i, line := range b.Lines {
		if n += len(line); n > mostHeldOut && i > 0 {
			b.Lines = b.Lines[:i]
			break
		}
	}
	return b, nil
}

func (d *debiasing) perplexity(task string, held *prosocial.Batches, stage string) (*prosocial.Perplexity, error) {
	if held == nil {
		return nil, nil
	}
	d.Progress().Stage(stage, int(held.PerEpoch()))
	defer d.Progress().Done()
	return d.network.Perplexity(d.Context(), task, held, d.runtimeOptions(), func(batch int64) { d.Progress().Step(int(batch), "") })
}

// lossMean is the mean of what was added.
type lossMean struct {
	sum float64
	n   int
}

func (m *lossMean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

func (m *lossMean) value() float64 {
	if m.n == 0 {
		return 0
	}
	return m.sum / float64(m.n)
}
