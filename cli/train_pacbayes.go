package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/training/pacbayes"
)

const sectionPacBayes = "PAC-Bayes"

var pacBayesMethod = trainMethod{
	name: "pac-bayes", doc: "a normal distribution of weights by a PAC-Bayes bound, nearly without tuning; with a certificate",
	flags: []cli.Flag{
		choice("prior", string(pacbayes.Layer), "scales of the prior: one for each tensor, or one", pacbayes.Priors...).under(sectionPacBayes),
		list("gamma-range", "LOW,HIGH", "where the bound's gamma is clipped; one number: gamma is fixed (default 0.5,10)").under(sectionPacBayes),
		list("k-grid", "LOW,HIGH,N", "where K is estimated: N logarithms of prior scales (default -6,-2.5,8)").under(sectionPacBayes),
		number("posterior-lr", "X", above(0, 1000), 0, "learning rate of the noise").under(sectionPacBayes),
		number("prior-lr", "X", above(0, 1000), 0, "learning rate of the prior's scales").under(sectionPacBayes),
		integer("stage2", "N", 0, 1<<40, 0, "epochs at most of stage 2, with the noise at rest").under(sectionPacBayes),
	},
	run: runPacBayes,
}

func (r *methodRun) pacConfig() (pacbayes.Config, error) {
	c := pacbayes.Config{Prior: pacbayes.Prior(r.Text("prior")), Rate: r.Float("lr"), PosteriorRate: r.Float("posterior-lr"), PriorRate: r.Float("prior-lr"), Seed: r.Common.Seed}
	number := func(flag string, most int) ([]float64, error) {
		var out []float64
		for _, s := range r.List(flag) {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil || x-x != 0 {
				return nil, misuse("--%s %s: %s is no number", flag, strings.Join(r.List(flag), ","), quote(s))
			}
			out = append(out, x)
		}
		if len(out) > most {
			return nil, misuse("--%s: wants %d numbers at most", flag, most)
		}
		return out, nil
	}
	gamma, err := number("gamma-range", 2)
	if err != nil {
		return c, err
	}
	switch len(gamma) {
	case 1:
		c.Gamma = gamma[0]
	case 2:
		c.GammaLow, c.GammaHigh = gamma[0], gamma[1]
	}
	grid, err := number("k-grid", 3)
	if err != nil {
		return c, err
	}
	if len(grid) == 1 {
		return c, misuse("--k-grid: wants LOW,HIGH or LOW,HIGH,N")
	}
	if len(grid) > 1 {
		c.Grid.Low, c.Grid.High = grid[0], grid[1]
	}
	if len(grid) > 2 {
		c.Grid.Points = int(grid[2])
	}
	return c, nil
}

func runPacBayes(r *methodRun) (*methodResult, error) {
	config, err := r.pacConfig()
	if err != nil {
		return nil, err
	}
	p := &pacbayes.Problem{Network: r.model}
	if p.Data, err = r.shuffled(r.data); err != nil {
		return nil, err
	}
	if p.Ordered, err = r.ordered(r.data); err != nil {
		return nil, err
	}
	config.Epochs1 = r.epochs(200, p.Data.PerEpoch())
	config.Epochs2 = int64(r.Int("stage2"))
	stage := ""
	with := pacbayes.Run{Session: r.runtimeOptions(), Told: func(name string, done, of int64, reading string) {
		if name != stage {
			r.Progress().Stage(name, int(of))
			stage = name
		}
		r.Progress().Step(int(done), reading)
	}}
	posterior, err := p.Train(r.Context(), config, with)
	if err != nil {
		return nil, err
	}
	out := &methodResult{History: [][]string{{"stage", "epoch", "steps", "loss", "accuracy", "kl", "k", "gamma", "bound", "pac_objective", "sigma", "prior_scale"}}}
	f := func(x float64) string { return strconv.FormatFloat(x, 'g', 7, 64) }
	for _, e := range posterior.Epochs {
		out.History = append(out.History, []string{fmt.Sprint(e.Stage), fmt.Sprint(e.Epoch), fmt.Sprint(e.Steps), f(e.Loss), f(e.Accuracy), f(e.KL), f(e.K), f(e.Gamma), f(e.Bound), f(e.Objective), f(e.Sigma), f(e.Scale)})
	}
	out.Model = r.model.Clone()
	for _, t := range posterior.Gated.Packing().Unpack(posterior.Mean) {
		if v := out.Model.Graph.Lookup(t.Name); v != nil {
			v.Const = t
		}
	}
	for name, t := range posterior.Buffers {
		if v := out.Model.Graph.Lookup(name); v != nil {
			v.Const = &onnx.Tensor{Name: name, DType: t.DType, Dims: t.Dims, Data: t.Data}
		}
	}
	classifier, err := posterior.Gated.NewClassifier(r.runtimeOptions())
	if err != nil {
		return nil, err
	}
	defer classifier.Close()
	sum := map[string]any{"curve": posterior.Curve}
	if n := len(posterior.Epochs); n > 0 {
		sum["last"] = posterior.Epochs[n-1]
	}
	for name, set := range map[string]*sampleSet{"train": r.data, "test": r.test} {
		if set == nil {
			continue
		}
		b, err := r.ordered(set)
		if err != nil {
			return nil, err
		}
		e, err := classifier.Score(r.Context(), posterior.Mean, posterior.Buffers, b)
		if err != nil {
			return nil, err
		}
		sum[name+"_accuracy"], sum[name+"_loss"] = e.Accuracy, e.Loss
	}
	out.Summary = sum
	return out, nil
}
