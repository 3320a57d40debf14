package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/graphs"
	"graft/training/momentum"
	"graft/training/optim"
	"graft/training/pacbayes"
	"graft/training/study"
)

var studyPacBayes = studyKind{
	name: "pacbayes", short: "PAC-Bayes training as it comes, beside a grid of SGD and Adam settings",
	long: `Trains a classifier by PAC-Bayes with what is usual for it, once for each seed, and by every setting of a grid, and writes what came
out: results.csv, results.json, report.html, report.png, and a file for each cell in cells/. A cell is never run twice.

The grid is every optimizer (SGD with momentum 0.9, Adam) at every rate: with every batch and no regularisation, then at
--batch with each weight decay, each noise on the weights, and each dropout where the network has that. A run of the grid sees
--grid-steps batches of --batch samples, or as many samples in others. The best setting is chosen by the test accuracy, which is
more than a search could know. PAC-Bayes is also run with rates and batches --factor times larger and smaller.`,
	examples: []string{
		"graft study pacbayes --data digits.csv --test 0.4 --std 16 --network mlp --out study/",
		"graft study pacbayes --data fashion-mnist/ --samples 5000 --test fashion-mnist/ --network lenet --seeds 5 --jobs 2 --out study/",
		"graft study pacbayes --data cifar-10/ --samples 2000 --test cifar-10/ --standardize --network resnet --seeds 5 --grid-seeds 1 --out study/",
	},
	flags: slices.Concat([]cli.Flag{
		repeated("data", "PATH", "what is trained on; repeatable").under("Data"),
		text("test", "PATH|FRACTION", "what accuracies are of: another set, or a part drawn from --data").under("Data"),
		integer("batch", "N", 1, 1<<31, 128, "samples of a step").under("Data"),
	}, choiceFlags(), dataFlags(), []cli.Flag{
		text("network", "NAME", "a classifier of graft build --list, made to fit the data; mlp without it").under("Training"),
		repeated("set", "KEY=VALUE", "a field of the network's configuration; repeatable").under("Training"),
		integer("seeds", "N", 1, 1000, 3, "seeds, from --seed on: of weights, batches and noise").under("Training"),
		integer("steps", "N", 1, 1<<40, pacSteps, "steps of PAC-Bayes' stage 1, and at least 20 epochs; stage 2 takes a third at most").under("Training"),
		number("factor", "X", above(1, 1000), 4, "how far PAC-Bayes' rates and batch are moved").under("Training"),
		toggle("quick", "a taste: a twentieth of the steps, one seed, one rate").under("Training"),
		list("sgd-rates", "LIST", "rates of SGD; 0.01,0.03,0.1 without it").under("Grid"),
		list("adam-rates", "LIST", "rates of Adam; 3e-4,1e-3,3e-3 without it").under("Grid"),
		list("batches", "LIST", "batches; --batch and a quarter without it").under("Grid"),
		list("weight-decays", "LIST", "decays, as part of the gradient; 1e-3 without it").under("Grid"),
		list("noises", "LIST", "standard deviations of noise on the weights; 0.01 without it").under("Grid"),
		list("dropouts", "LIST", "parts that are left out; 0.3 without it").under("Grid"),
		integer("grid-steps", "N", 1, 1<<40, 2000, "steps of a run of the grid").under("Grid"),
		integer("grid-seeds", "N", 1, 1000, 0, "seeds of the grid and of moved rates and batches; all without it").under("Grid"),
		integer("finalists", "N", 1, 1000, 3, "settings of the grid, the best by --grid-seeds, that all seeds are for").under("Grid"),
		toggle("expect", "exit code 1 where PAC-Bayes is more than half a point below the grid's best, below Adam, or moved by a point").under("Results"),
	}),
	plan: planPacBayes,
}

// pacStudy trains one network by PAC-Bayes and by a grid.
type pacStudy struct {
	*classifierStudy
	seeds     []uint64
	gridSeeds int
	steps     int64 // of stage 1
	gridSteps int64
	arms      []pacArm
	arm       map[string]pacArm // of a cell's key
}

// pacArm is what a cell trains by.
type pacArm struct {
	name    string
	role    string // of roles
	method  string // pac-bayes, sgd or adam
	batch   int64
	rate    float64 // pac-bayes: relative
	noises  float64 // pac-bayes: rate of log sigma and of the prior's scales
	decay   float64
	sigma   float64
	dropout float64
}

const methodPacBayes = "pac-bayes"

// Roles of arms.
const (
	roleUsual = "usual"     // PAC-Bayes with what is usual
	roleMoved = "moved"     // PAC-Bayes with a rate or the batch moved
	roleBare  = "bare adam" // a setting of the grid without regularisation, at the usual batch
	roleGrid  = "grid"
)

func planPacBayes(c *call) (experiment, error) {
	switch {
	case len(c.List("data")) == 0:
		return nil, misuse("study pacbayes needs --data: what to train on")
	case c.Text("test") == "":
		return nil, misuse("study pacbayes needs --test: another set, or a fraction of --data, that accuracies are of")
	}
	s := &pacStudy{classifierStudy: &classifierStudy{call: c}, gridSteps: int64(c.Int("grid-steps")), steps: int64(c.Int("steps"))}
	seeds := c.Int("seeds")
	if c.Bool("quick") {
		s.steps, s.gridSteps = max(1, s.steps/20), max(1, s.gridSteps/20)
		if !c.IsSet("seeds") {
			seeds = 1
		}
	}
	s.seeds = c.seedsFrom(seeds)
	s.gridSeeds = c.Int("grid-seeds")
	if s.gridSeeds == 0 {
		s.gridSeeds = seeds
	}
	if s.gridSeeds > seeds {
		return nil, misuse("--grid-seeds %d is more than --seeds %d", s.gridSeeds, seeds)
	}
	if err := s.chooseNetwork(); err != nil {
		return nil, err
	}
	if err := s.read(s.seeds[0]); err != nil {
		return nil, err
	}
	return s, s.chooseArms()
}

// chooseArms settles PAC-Bayes as it comes, PAC-Bayes with something moved, and the grid.
func (s *pacStudy) chooseArms() error {
	usual := pacArm{name: "PAC-Bayes", role: roleUsual, method: methodPacBayes, batch: s.batch, rate: pacbayes.UsualRelative, noises: pacbayes.UsualNoiseRate}
	s.arms = append(s.arms, usual)
	f := s.Float("factor")
	for _, by := range []struct {
		name   string
		factor float64
	}{{fmt.Sprintf("x %g", f), f}, {fmt.Sprintf("/ %g", f), 1 / f}} {
		move := func(what string, change func(*pacArm)) {
			a := usual
			a.name, a.role = "PAC-Bayes, "+what+" "+by.name, roleMoved
			change(&a)
			if a.batch = min(a.batch, s.set.samples()); a.batch >= 1 && (a.batch != usual.batch || a.rate != usual.rate) {
				s.arms = append(s.arms, a)
			}
		}
		move("rate", func(a *pacArm) { a.rate *= by.factor })
		move("all rates", func(a *pacArm) { a.rate *= by.factor; a.noises *= by.factor })
		move("batch", func(a *pacArm) { a.batch = int64(float64(a.batch) * by.factor) })
	}
	return s.chooseGrid()
}

func (s *pacStudy) chooseGrid() error {
	positive := above(0, 1e6)
	var failed error
	values := func(flag string, in span, usual ...float64) []float64 {
		if s.Bool("quick") {
			usual = usual[:1]
		}
		list, err := s.fractions(flag, in, usual...)
		if err != nil && failed == nil {
			failed = err
		}
		return list
	}
	batches := values("batches", between(1, 1<<31), float64(s.batch), float64(max(1, s.batch/4)))
	decays, noises := values("weight-decays", positive, 1e-3), values("noises", positive, 0.01)
	dropouts := values("dropouts", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0.3)
	if !s.dropsOut() {
		if s.IsSet("dropouts") {
			return misuse("--dropouts: network %s has no dropout", s.name)
		}
		dropouts = nil
	}
	for _, o := range []struct {
		method string
		rates  []float64
	}{{"sgd", values("sgd-rates", positive, 0.01, 0.03, 0.1)}, {"adam", values("adam-rates", positive, 1e-3, 3e-4, 3e-3)}} {
		for _, rate := range o.rates {
			plain := pacArm{name: fmt.Sprintf("%s %g", o.method, rate), role: roleGrid, method: o.method, batch: s.batch, rate: rate}
			add := func(what string, x float64, change func(*pacArm)) {
				a := plain
				a.name += fmt.Sprintf(", %s %g", what, x)
				change(&a)
				s.arms = append(s.arms, a)
			}
			for _, b := range batches {
				add("batch", b, func(a *pacArm) {
					if a.batch = min(int64(b), s.set.samples()); a.batch == s.batch && a.method == "adam" {
						a.role = roleBare
					}
				})
			}
			for _, x := range decays {
				add("weight decay", x, func(a *pacArm) { a.decay = x })
			}
			for _, x := range noises {
				add("noise", x, func(a *pacArm) { a.sigma = x })
			}
			for _, x := range dropouts {
				add("dropout", x, func(a *pacArm) { a.dropout = x })
			}
		}
	}
	return failed
}

// dropsOut reports whether the network has a part that is left out.
func (s *pacStudy) dropsOut() bool {
	return slices.ContainsFunc(graphs.Settings(s.network), func(kv string) bool { return strings.HasPrefix(kv, "dropout=") })
}

// Cells are all arms for a seed, then for the next.
func (s *pacStudy) Cells() []study.Cell {
	s.arm = map[string]pacArm{}
	var cells []study.Cell
	for i, seed := range s.seeds {
		for _, a := range s.arms {
			if a.role == roleUsual || i < s.gridSeeds {
				cells = append(cells, s.cell(a, seed))
			}
		}
	}
	return study.Unique(cells)
}

// cell is an arm with a seed.
func (s *pacStudy) cell(a pacArm, seed uint64) study.Cell {
	c := study.Cell{{Name: "network", Value: s.name}, {Name: "settings", Value: strings.Join(graphs.Settings(s.network), " ")},
		{Name: "data", Value: s.dataID}, {Name: "samples", Value: s.set.samples()}, {Name: "seed", Value: seed}, {Name: "method", Value: a.method},
		{Name: "batch", Value: a.batch}, {Name: "epochs", Value: s.epochs(a)}}
	if a.method == methodPacBayes {
		c = c.With("relative_rate", a.rate).With("noise_rate", a.noises)
	} else {
		c = c.With("rate", a.rate).With("weight_decay", a.decay).With("noise", a.sigma).With("dropout", a.dropout)
	}
	if _, known := s.arm[c.Key()]; !known {
		s.arm[c.Key()] = a
	}
	return c
}

// perEpoch is the number of steps of an epoch.
func (s *pacStudy) perEpoch(batch int64) int64 { return (s.set.samples() + batch - 1) / batch }

// epochs are those of stage 1, or of a run of the grid, which sees as many samples whatever its batch.
func (s *pacStudy) epochs(a pacArm) int64 {
	if a.method == methodPacBayes {
		least := int64(20)
		if s.Bool("quick") {
			least = 1
		}
		return max(s.steps/s.perEpoch(a.batch), least)
	}
	per := s.perEpoch(s.batch)
	return (s.gridSteps + per - 1) / per
}

// plain is the configuration of a run of the grid.
func (s *pacStudy) plain(a pacArm, seed uint64) (momentum.Config, error) {
	o := optim.Adam(optim.AdamConfig{WeightDecay: a.decay})
	if a.method == "sgd" {
		o = optim.SGD(optim.SGDConfig{Momentum: 0.9, WeightDecay: a.decay})
	}
	name := "heavy-ball" // with another optimizer, that one alone
	if a.sigma > 0 {
		name = "noise"
	}
	method, err := momentum.FindMethod(name)
	return momentum.Config{Heavy: momentum.Heavy{Rate: a.rate}, Method: method, Strength: a.sigma, Optimizer: &o, Dropout: a.dropout > 0,
		Steps: s.epochs(a) * s.perEpoch(a.batch), Seed: seed}, err
}
