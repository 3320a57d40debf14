package cli

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"graft/export"
	"graft/onnx"
	"graft/training"
	"graft/training/dataset"
	"graft/training/pacbayes"
)

const sectionPacBayes = "PAC-Bayes"

var pacBayesMethod = trainMethod{
	name: "pac-bayes", doc: "a normal distribution of weights by a PAC-Bayes bound, nearly without tuning; with a certificate",
	flags: []cli.Flag{
		choice("prior", string(pacbayes.Layer), "scales of the prior: one for each tensor, or one", pacbayes.Priors...).under(sectionPacBayes),
		list("gamma-range", "LOW,HIGH", "where the bound's gamma is clipped; one number: gamma is fixed (default 0.5,10)").under(sectionPacBayes),
		list("k-grid", "LOW,HIGH,N", "where K is estimated: N logarithms of prior scales (default -6,-2.5,8)").under(sectionPacBayes),
		number("relative-lr", "X", above(0, 1000), 0, "learning rate of a tensor's weights as part of the mean magnitude that they begin with; 0.035 without it and --lr").under(sectionPacBayes),
		number("posterior-lr", "X", above(0, 1000), 0, "learning rate of the noise; 1e-2 without it").under(sectionPacBayes),
		number("prior-lr", "X", above(0, 1000), 0, "learning rate of the prior's scales; 1e-2 without it").under(sectionPacBayes),
		integer("stage2", "N", 0, 1<<40, 0, "epochs at most of stage 2, with the noise at rest, until the noisy network is right on 99 % of the samples; a third of stage 1 without it").under(sectionPacBayes),
		fraction("prior-data", "PART", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0, "set this part of --data apart: for the statistics of norms, and the prior with --prior-epochs; the bound counts the rest").under(sectionPacBayes),
		integer("prior-epochs", "N", 1, 1<<40, 0, "train the prior's mean on --prior-data first").under(sectionPacBayes),
		text("head", "REGEX", "fine-tune a network that was trained before: parameters that match are new, the others begin with little noise").under(sectionPacBayes),
		number("head-lr", "X", above(0, 1000), 1e-2, "learning rate of what --head names; --lr, 5e-5 without it, is of the rest").under(sectionPacBayes),
		text("freeze", "REGEX", "leave parameters as they are, without noise: embeddings").under(sectionPacBayes),
		number("delta", "X", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0.05, "probability that the certificate fails").under(sectionPacBayes),
		integer("draws", "N", 1, 1<<20, 0, "passes over the samples for the certificate, a classifier being drawn for each batch; 20 without it, and 100 with BatchNormalization, where it is drawn for each pass").under(sectionPacBayes),
		integer("ensemble", "N", 1, 1<<20, 0, "judge the mean of N drawn classifiers by --test too").under(sectionPacBayes),
		toggle("no-certificate", "draw nothing and write no certificate").under(sectionPacBayes),
	},
	batch: 128,
	takes: []string{"resume"},
	late:  []string{"ensemble", "draws", "delta", "no-certificate"},
	check: checkPacBayes,
	run:   runPacBayes,
}

func checkPacBayes(c *call) error {
	switch {
	case c.IsSet("ensemble") && !c.IsSet("test"):
		return misuse("--ensemble goes with --test: what it is judged by")
	case c.IsSet("prior-epochs") && !c.IsSet("prior-data"):
		return misuse("--prior-epochs goes with --prior-data: what the prior is trained on is not what the bound counts")
	case c.Bool("standardize") && !c.Bool("no-certificate"):
		return misuse("--standardize takes statistics of the samples that the certificate counts, of which the prior is to be independent: give --mean and --std, or --no-certificate")
	}
	if c.IsSet("relative-lr") && (c.IsSet("lr") || c.IsSet("head")) {
		return misuse("--relative-lr goes without --lr and --head: they fix the rate of weights")
	}
	if c.IsSet("head-lr") && !c.IsSet("head") {
		return misuse("--head-lr goes with --head")
	}
	if c.Bool("no-certificate") {
		for _, f := range []string{"delta", "draws"} {
			if c.IsSet(f) {
				return misuse("--%s: there is no certificate with --no-certificate", f)
			}
		}
	}
	config, err := c.pacConfig()
	if err == nil {
		_, err = config.Grid.Scales()
		if err != nil {
			return misuse("--k-grid: %v", err)
		}
	}
	return err
}

// pacConfig reads the flags.
func (c *call) pacConfig() (pacbayes.Config, error) {
	config := pacbayes.Config{Prior: pacbayes.Prior(c.Text("prior")), Rate: c.Float("lr"), Relative: c.Float("relative-lr"), PosteriorRate: c.Float("posterior-lr"), PriorRate: c.Float("prior-lr"),
		Epochs2: int64(c.Int("stage2")), PriorEpochs: int64(c.Int("prior-epochs")), Seed: c.Common.Seed}
	if c.Text("head") != "" {
		head, err := c.pattern("head")
		if err != nil {
			return config, err
		}
		config.Tuning = &pacbayes.Tuning{Head: head, HeadRate: c.Float("head-lr")}
	}
	gamma, err := c.numbers("gamma-range", 1, 2)
	if err != nil {
		return config, err
	}
	for _, g := range gamma {
		if !(g > 0) {
			return config, misuse("--gamma-range %g: gamma is positive", g)
		}
	}
	switch len(gamma) {
	case 1:
		config.Gamma = gamma[0]
	case 2:
		if config.GammaLow, config.GammaHigh = gamma[0], gamma[1]; gamma[0] > gamma[1] {
			return config, misuse("--gamma-range %g,%g: the lower end is above the upper", gamma[0], gamma[1])
		}
	}
	grid, err := c.numbers("k-grid", 2, 3)
	if err != nil || grid == nil {
		return config, err
	}
	if config.Grid.Low, config.Grid.High = grid[0], grid[1]; len(grid) == 3 {
		if config.Grid.Points = int(grid[2]); grid[2] != float64(config.Grid.Points) || grid[2] < 1 || grid[2] > 1000 {
			return config, misuse("--k-grid: %g points: wants a whole number from 1 to 1000", grid[2])
		}
	}
	return config, nil
}

// pattern is the regular expression of a flag; nil without it.
func (c *call) pattern(flag string) (*regexp.Regexp, error) {
	if c.Text(flag) == "" {
		return nil, nil
	}
	r, err := regexp.Compile(c.Text(flag))
	if err != nil {
		return nil, misuse("--%s: %v", flag, err)
	}
	return r, nil
}

// numbers are the values of a list of numbers; nil without the flag.
func (c *call) numbers(flag string, least, most int) ([]float64, error) {
	words := c.List(flag)
	if words == nil {
		return nil, nil
	}
	if len(words) < least || len(words) > most {
		return nil, misuse("--%s %s: wants %d to %d numbers", flag, strings.Join(words, ","), least, most)
	}
	out := make([]float64, len(words))
	for i, s := range words {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || x-x != 0 {
			return nil, misuse("--%s: %s is no number", flag, quote(s))
		}
		out[i] = x
	}
	return out, nil
}

// pacTrained is summary.json of a PAC-Bayes training. What was not measured is absent.
type pacTrained struct {
	Method     string  `json:"method"`
	Samples    int64   `json:"samples"`
	Parameters int64   `json:"parameters"`
	Batch      int64   `json:"batch"`
	Steps      int64   `json:"steps"`
	Epochs1    int64   `json:"epochs_stage1"`
	Epochs2    int64   `json:"epochs_stage2"`
	Rate       float64 `json:"learning_rate,omitempty"`
	Relative   float64 `json:"relative_learning_rate,omitempty"`
	// Objective is the training bound at the end of stage 1, in nats; an estimate, since K is estimated from the data.
	Objective     *float64              `json:"pac_objective,omitempty"`
	KL            *float64              `json:"kl,omitempty"` // of the end of stage 1
	Curve         *pacbayes.Curve       `json:"k_curve"`
	TrainAccuracy float64               `json:"train_accuracy"` // of the posterior's mean, as the next three
	TrainLoss     float64               `json:"train_loss"`
	TestAccuracy  *float64              `json:"test_accuracy,omitempty"`
	TestLoss      *float64              `json:"test_loss,omitempty"`
	TestGibbs     *float64              `json:"test_gibbs_error,omitempty"` // mean error of drawn classifiers
	TestEnsemble  *float64              `json:"test_ensemble_accuracy,omitempty"`
	Value         *float64              `json:"certificate,omitempty"` // of bound
	Certificate   *pacbayes.Certificate `json:"bound,omitempty"`
	Why           string                `json:"no_certificate,omitempty"`
	Seconds       float64               `json:"seconds"`
}

// pacRun is a PAC-Bayes training with its sets of samples.
type pacRun struct {
	*methodRun
	rest, apart *sampleSet // what the bound counts; what was set apart, nil: nothing
	posterior   *pacbayes.Posterior
}

func runPacBayes(r *methodRun) (*methodResult, error) {
	if r.data.vocabulary != nil && r.Text("vocab") == "" && !r.Bool("no-certificate") {
		return nil, misuse("--vocab is missing: a vocabulary made of the text that the certificate counts is not independent of it: give one, or --no-certificate")
	}
	config, err := r.pacConfig()
	if err != nil {
		return nil, err
	}
	p := &pacRun{methodRun: r, rest: r.data}
	if part := r.Float("prior-data"); part > 0 {
		if p.rest, p.apart, err = r.data.parted(part, r.Common.Seed); err != nil {
			return nil, misuse("--prior-data: %v", err)
		}
	}
	problem := &pacbayes.Problem{Network: r.model}
	if problem.Freeze, err = r.pattern("freeze"); err != nil {
		return nil, err
	}
	if problem.Data, err = r.shuffled(r.data); err != nil {
		return nil, err
	}
	if problem.Ordered, err = r.ordered(p.rest); err != nil {
		return nil, err
	}
	if p.apart != nil {
		if problem.PriorData, err = r.shuffled(p.apart); err != nil {
			return nil, err
		}
	}
	config.Epochs1 = r.epochs(pacEpochs(problem.Data.PerEpoch()), problem.Data.PerEpoch())
	if !r.IsSet("stage2") {
		config.Epochs2 = stage2Epochs(config.Epochs1)
	}
	stage := ""
	with := pacbayes.Run{Session: r.runtimeOptions(), Folder: filepath.Dir(r.dir.File(pacbayes.CurveFile)), Told: func(name string, done, of int64, reading string) {
		if name != stage {
			r.Progress().Stage(name, int(of))
			stage = name
		}
		r.Progress().Step(int(done), reading)
	}}
	if p.posterior, err = problem.Train(r.Context(), config, with); err != nil {
		return nil, err
	}
	return p.finish(config, problem)
}

// pacEpochs is how long stage 1 takes without --epochs: four thousand steps, and twenty epochs at least.
func pacEpochs(per int64) int64 { return max(pacSteps/per, 20) }

const pacSteps = 4000

// stage2Epochs is how long stage 2 takes at most without --stage2.
func stage2Epochs(epochs1 int64) int64 { return (epochs1 + 2) / 3 }

// parted are the samples that stay and those that are set apart, by chance; d stays as it is.
func (d *sampleSet) parted(part float64, seed uint64) (rest, apart *sampleSet, err error) {
	copied := *d
	copied.rows = maps.Clone(d.rows)
	apart, err = copied.split(part, seed)
	return &copied, apart, err
}

func (p *pacRun) finish(config pacbayes.Config, problem *pacbayes.Problem) (*methodResult, error) {
	t := p.posterior
	out := &methodResult{History: pacHistory(t.Epochs), Files: map[string][]byte{}, Work: []string{pacbayes.CurveFile}}
	doc := &pacTrained{Method: "pac-bayes", Samples: p.data.samples(), Parameters: t.Mean.Len(), Batch: problem.Data.Size(), Rate: t.Rate, Relative: t.Relative, Curve: t.Curve}
	for _, e := range t.Epochs {
		doc.Steps = e.Steps
		if e.Stage == 1 {
			doc.Epochs1, doc.Objective, doc.KL = e.Epoch, &e.Objective, &e.KL
		} else {
			doc.Epochs2 = e.Epoch
		}
	}
	gibbs, err := t.Gibbs()
	if err != nil {
		return nil, err
	}
	if err := p.judge(doc, gibbs); err != nil {
		return nil, err
	}
	out.Model = p.trainedModel()
	if !p.Bool("no-certificate") {
		if err := p.certify(doc, gibbs, out); err != nil {
			return nil, err
		}
	}
	doc.Seconds = time.Since(p.begun).Seconds()
	out.Summary, out.Lines = doc, doc.lines()
	return out, nil
}

// norms are the samples that statistics are taken from for drawn networks: those set apart, or all.
func (p *pacRun) norms() (*dataset.Batches, error) {
	if p.apart != nil {
		return p.apart.inOrder(p.size)
	}
	return p.data.inOrder(p.size)
}

// judge measures the posterior's mean and the ensemble.
func (p *pacRun) judge(doc *pacTrained, gibbs *pacbayes.Gibbs) error {
	classifier, err := p.posterior.Gated.NewClassifier(p.runtimeOptions())
	if err != nil {
		return err
	}
	defer classifier.Close()
	score := func(set *sampleSet) (*training.Evaluation, error) {
		b, err := set.inOrder(p.size)
		if err != nil {
			return nil, err
		}
		return classifier.Score(p.Context(), p.posterior.Mean, p.posterior.Buffers, b)
	}
	e, err := score(p.data)
	if err != nil {
		return err
	}
	doc.TrainAccuracy, doc.TrainLoss = *e.Accuracy, e.Loss
	if p.test == nil {
		return nil
	}
	if e, err = score(p.test); err != nil {
		return err
	}
	doc.TestAccuracy, doc.TestLoss = e.Accuracy, &e.Loss
	members := p.Int("ensemble")
	if members == 0 {
		return nil
	}
	test, err := p.test.inOrder(p.size)
	if err != nil {
		return err
	}
	norms, err := p.norms()
	if err != nil {
		return err
	}
	together, alone, err := gibbs.Ensemble(p.Context(), members, p.Common.Seed, test, norms, p.runtimeOptions())
	if err != nil {
		return err
	}
	wrong := 1 - alone
	doc.TestEnsemble, doc.TestGibbs = &together, &wrong
	return nil
}

// trainedModel is the model with the posterior's mean.
func (p *pacRun) trainedModel() *onnx.Model {
	m := p.posterior.Gated.Trained(p.model, p.posterior.Mean, p.posterior.Buffers)
	m.Metadata.Set("graft.method", "pac-bayes")
	return m
}

// certificateName is the file beside model.onnx.
const certificateName = "model.certificate.safetensors"

// certify takes the certificate, and writes it beside the model.
func (p *pacRun) certify(doc *pacTrained, gibbs *pacbayes.Gibbs, out *methodResult) error {
	config := pacbayes.CertifyConfig{Delta: p.Float("delta"), Draws: p.Int("draws"), Seed: p.Common.Seed, Session: p.runtimeOptions(), Told: p.toldDraws()}
	var err error
	if config.Data, err = p.rest.blocks(p.size); err != nil {
		return err
	}
	record := pacbayes.Record{Part: p.Float("prior-data"), Freeze: p.Text("freeze"), PriorOf: "the weights of " + p.path}
	if p.apart != nil {
		record.PartSeed = p.Common.Seed
		if config.Norms, err = p.apart.inOrder(p.size); err != nil {
			return err
		}
		if p.Int("prior-epochs") > 0 {
			record.PriorOf = "weights trained on the part that was set apart"
		}
	}
	c, err := gibbs.Certify(p.Context(), config)
	if errors.Is(err, pacbayes.ErrNorms) {
		doc.Why = err.Error()
		p.Say("no certificate: %v: --prior-data PART", err)
		return nil
	}
	if err != nil {
		return err
	}
	doc.Certificate, doc.Value = c, &c.Value
	all, err := p.ordered(p.data)
	if err != nil {
		return err
	}
	if record.Data, err = all.Hash(); err != nil {
		return err
	}
	if record.Reading, err = p.reading(); err != nil {
		return err
	}
	data, err := gibbs.EncodeCertificate(c, record)
	if err != nil {
		return err
	}
	out.Files[certificateName] = data
	for _, k := range [][2]string{{"", export.Hash(data)}, {".n", fmt.Sprint(c.Samples)}, {".delta", fmt.Sprint(c.Delta)}, {".value", fmt.Sprint(c.Value)}, {".data", record.Data}} {
		out.Model.Metadata.Set(metadataCertificate+k[0], k[1])
	}
	return nil
}

// metadataCertificate is the key under which a model names its certificate's SHA-256, and with more behind it what that says.
const metadataCertificate = "graft.certificate"

func (c *call) toldDraws() func(done, of int) {
	c.Progress().Stage("certificate", 0)
	return func(done, of int) { c.Progress().Step(done, fmt.Sprintf("pass %d of %d", done, of)) }
}

// reading is how the flags have the samples read.
func (p *pacRun) reading() (pacbayes.Reading, error) {
	c, err := (&dataReader{p.call, p.contract}).readConfig()
	if err != nil {
		return pacbayes.Reading{}, err
	}
	k, err := p.sampleChoice()
	if k.samples == 0 && k.perClass == 0 {
		k.seed = 0
	}
	return pacbayes.Reading{Label: c.Label, Mean: c.Normalize.Mean, Std: c.Normalize.Std, Length: int64(p.Int("length")), Words: int64(p.Int("words")),
		Samples: k.samples, PerClass: k.perClass, Seed: k.seed}, err
}

func pacHistory(epochs []pacbayes.Epoch) [][]string {
	rows := [][]string{{"stage", "epoch", "steps", "loss", "accuracy", "kl", "k", "gamma", "bound", "pac_objective", "sigma", "prior_scale"}}
	for _, e := range epochs {
		row := []string{fmt.Sprint(e.Stage), fmt.Sprint(e.Epoch), fmt.Sprint(e.Steps)}
		for _, x := range []float64{e.Loss, e.Accuracy, e.KL, e.K, e.Gamma, e.Bound, e.Objective, e.Sigma, e.Scale} {
			row = append(row, strconv.FormatFloat(x, 'g', 7, 64))
		}
		rows = append(rows, row)
	}
	return rows
}

// lines are what is printed.
func (d *pacTrained) lines() []string {
	lines := []string{fmt.Sprintf("accuracy of the posterior's mean: %.2f %% of the training samples", 100*d.TrainAccuracy)}
	if d.TestAccuracy != nil {
		lines = append(lines, fmt.Sprintf("of the test samples: %.2f %%", 100**d.TestAccuracy))
	}
	if d.TestEnsemble != nil {
		lines = append(lines, fmt.Sprintf("of the test samples, drawn classifiers: %.2f %% together, %.2f %% each", 100**d.TestEnsemble, 100*(1-*d.TestGibbs)))
	}
	if d.Objective != nil {
		lines = append(lines, fmt.Sprintf("pac_objective: %.4g nats (an estimate)", *d.Objective))
	}
	if c := d.Certificate; c != nil {
		lines = append(lines, c.String())
	}
	return lines
}
