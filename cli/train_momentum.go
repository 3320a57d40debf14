package cli

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"graft/training/dataset"
	"graft/training/momentum"
)

// momentumMethods are the rows of trainMethods that training/momentum has.
func momentumMethods() []trainMethod {
	const section = "Momentum"
	kept := fraction("momentum", "X", below(0, 1), 0, "part of the last step that is kept; 0.9 of heavy-ball without it, 0 of the others").under(section)
	curved := integer("curvature", "N", 0, 1<<31, 0, "measure sharpness, trace and Frobenius norm in the end, on the first N training samples").under(section)
	own := map[string]cli.Flag{
		"gradient-penalty": number("penalty", "X", between(0, 1e9), 0.1, "gradient-penalty: coefficient of |gradient|^2 in the loss").under(section),
		"sam":              number("rho", "X", between(0, 1e9), 0.05, "sam: how far away the gradient is taken").under(section),
		"noise":            number("sigma", "X", between(0, 1e9), 0.05, "noise: its standard deviation").under(section),
	}
	var out []trainMethod
	for _, m := range momentum.Methods {
		flags := []cli.Flag{kept, curved}
		if f := own[m.Name]; f != nil {
			flags = append(flags, f)
		}
		out = append(out, trainMethod{name: m.Name, doc: m.Doc, flags: flags, takes: []string{"schedule", "gamma"},
			check: checkMomentum, run: func(r *methodRun) (*methodResult, error) { return runMomentum(r, m) }})
	}
	return out
}

func checkMomentum(c *call) error {
	if s := c.Text("schedule"); !slices.Contains([]string{"constant", "linear", "cosine", "step"}, s) {
		return misuse("--schedule %s: --method %s takes constant, linear, cosine or step", s, c.Text("method"))
	}
	if c.IsSet("gamma") && c.Text("schedule") != "step" {
		return misuse("--gamma goes with --schedule step")
	}
	return nil
}

// momentumTrained is summary.json of such a training. What was not measured is absent.
type momentumTrained struct {
	Method     string   `json:"method"`
	Samples    int64    `json:"samples"`
	Parameters int64    `json:"parameters"`
	Batch      int64    `json:"batch"`
	Steps      int64    `json:"steps"`
	Rate       float64  `json:"learning_rate"`
	Momentum   float64  `json:"momentum"`
	Effective  float64  `json:"h_eff"` // learning rate / (1 - momentum)
	Strength   *float64 `json:"strength,omitempty"`
	*momentum.Scores
	*momentum.Flatness
	Seconds float64 `json:"seconds"`
}

// usualEffective is the effective step without --lr, as in the publication.
const usualEffective = 0.1

func runMomentum(r *methodRun, m momentum.Method) (*methodResult, error) {
	p := &momentum.Problem{Network: r.model}
	var err error
	if p.Data, err = r.shuffled(r.data); err != nil {
		return nil, err
	}
	if p.Ordered, err = r.ordered(r.data); err != nil {
		return nil, err
	}
	if r.test != nil {
		if p.Test, err = r.ordered(r.test); err != nil {
			return nil, err
		}
	}
	const usualEpochs = 10
	c := momentum.Config{Method: m, Steps: int64(r.Int("steps")), Seed: r.Common.Seed}
	if c.Steps == 0 {
		c.Steps = r.epochs(usualEpochs, p.Data.PerEpoch()) * p.Data.PerEpoch()
	}
	if c.Beta = r.Float("momentum"); !r.IsSet("momentum") && m.Name == momentum.Methods[0].Name {
		c.Beta = 0.9
	}
	c.Rate = usualEffective
	if lr := r.Float("lr"); lr > 0 {
		c.Rate = lr / (1 - c.Beta)
	}
	if c.Schedule, err = scheduleOf(r.call, c.Steps); err != nil {
		return nil, err
	}
	doc := &momentumTrained{Method: m.Name, Samples: r.data.samples(), Batch: p.Data.Size(), Steps: c.Steps, Rate: c.Step(), Momentum: c.Beta, Effective: c.Rate}
	if flag := methodFlag[m.Name]; flag != "" {
		c.Strength = r.Float(flag)
		doc.Strength = &c.Strength
	}
	progress := r.Progress()
	progress.Stage("train", int(c.Steps))
	trained, err := p.Train(r.Context(), c, momentum.Run{Session: r.runtimeOptions(), Told: func(step, _ int64, loss float64) {
		progress.Step(int(step), fmt.Sprintf("loss %.4g", loss))
	}})
	if err != nil {
		return nil, err
	}
	doc.Parameters = trained.Snapshot.Trained.Len()
	if doc.Scores, err = trained.Scores(r.Context()); err != nil {
		return nil, err
	}
	if n := int64(r.Int("curvature")); n > 0 {
		progress.Stage("curvature", 0)
		samples, err := r.data.first(n, r.size)
		if err != nil {
			return nil, err
		}
		if doc.Flatness, err = trained.Flatness(r.Context(), momentum.FlatnessConfig{Data: samples, Seed: r.Common.Seed}); err != nil {
			return nil, err
		}
	}
	out := &methodResult{Model: trained.Model(), Summary: doc, History: [][]string{{"step", "loss"}},
		Settings: map[string]any{"learning_rate": doc.Rate, "momentum": doc.Momentum, "steps": doc.Steps, "batch": doc.Batch}}
	if doc.Strength != nil {
		out.Settings[methodFlag[m.Name]] = *doc.Strength
	}
	for _, s := range trained.Samples {
		out.History = append(out.History, []string{fmt.Sprint(s.Step), strconv.FormatFloat(s.Loss, 'g', 7, 64)})
	}
	out.Model.Metadata.Set("graft.method", m.Name)
	doc.Seconds = time.Since(r.begun).Seconds()
	out.Lines = doc.lines()
	return out, nil
}

// first are the first n samples in order.
func (d *sampleSet) first(n, size int64) (*dataset.Batches, error) {
	numbers := make([]uint32, min(n, d.samples()))
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	part := *d
	part.rows = map[string]dataset.Rows{}
	for name, rows := range d.rows {
		part.rows[name] = dataset.Part(rows, numbers)
	}
	return part.inOrder(min(size, int64(len(numbers))))
}

func (d *momentumTrained) lines() []string {
	lines := []string{fmt.Sprintf("%d steps of %.6g, momentum %g: effective step %.6g", d.Steps, d.Rate, d.Momentum, d.Effective),
		fmt.Sprintf("training samples: loss %.4g, accuracy %.2f %%", d.TrainLoss, 100*d.TrainAccuracy)}
	if d.TestAccuracy != nil {
		lines = append(lines, fmt.Sprintf("test samples: loss %.4g, accuracy %.2f %%", *d.TestLoss, 100**d.TestAccuracy))
	}
	if f := d.Flatness; f != nil {
		lines = append(lines, fmt.Sprintf("sharpness %.4g within %.2g, trace %.4g ± %.2g, Frobenius norm %.4g ± %.2g, |gradient|^2 %.4g", f.Sharpness, f.SharpnessError, f.Trace, f.TraceSE, f.Frobenius, f.FrobeniusSE, f.Gradient2))
	}
	return lines
}
