package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/signal"
	"graft/training/study"
)

var studyBilevel = studyKind{
	name: "bilevel", short: "learned sparsity-promoting regularisers beside tuned ones, on signals and patches",
	long: `Learns operators W with which argmin 1/2 |x-y|^2 + beta |Wx|_1 denoises best, by the closed-form gradient, and tunes the weight of every
baseline on the same training signals by golden section. What came out of signals that none of them has seen: results.csv,
results.json, report.html, report.png, and a file for each cell in cells/. A cell is never run twice, and a training that was
interrupted goes on.

Signals:
` + signalLines() + `

W is --form free, orthonormal (rows), tight (a frame) or convolution (filters of --filter samples without a mean), and begins as the identity without its mean,
or random: never as a baseline's. Baselines: ` + strings.Join(lineBaselines(), ", ") + `.`,
	examples: []string{
		"graft study bilevel --out study/",
		"graft study bilevel --signals piecewise --length 64 --sigma 0.1 --seeds 5 --jobs 2 --out study/",
		"graft study bilevel --signals dct-sparse --methods learned,dct --form orthonormal --out study/",
	},
	flags: []cli.Flag{
		list("signals", "KINDS", "what is denoised; piecewise,dct-sparse without it").under("Signals"),
		integer("length", "N", 2, 1<<16, 64, "samples of a signal; a square with constant-patch").under("Signals"),
		number("rate", "X", span{lo: 0, hi: 1, openLo: true}, 0.1, "jumps by sample, or part of the coefficients that are not 0").under("Signals"),
		number("sigma", "X", above(0, 1e6), 0.1, "standard deviation of the noise").under("Signals"),
		integer("train", "N", 1, 1<<24, 2000, "signals that operators and weights are learned on").under("Signals"),
		integer("test", "N", 1, 1<<24, 1000, "signals that errors are of").under("Signals"),
		list("methods", "NAMES", "what is compared; learned and all baselines without it").under("Methods"),
		choice("form", "free", "what W is made of", bilevelForms...).under("Methods"),
		integer("rows", "N", 1, 1<<16, 0, "rows of W; as many as samples without it").under("Methods"),
		integer("filters", "N", 1, 1<<16, 2, "filters of a convolution").under("Methods"),
		integer("filter", "N", 3, 11, 5, "samples of a filter").under("Methods"),
		choice("start", "identity", "what W begins as: the identity without its mean, or random rows", "identity", "random").under("Methods"),
		choice("rule", "adam", "how W follows the gradient", "sgd", "heavy-ball", "adam").under("Methods"),
		number("lr", "X", above(0, 1e6), 3e-3, "learning rate of the first step; it falls to a hundredth").under("Methods"),
		integer("batch", "N", 1, 1<<20, 32, "signals of a step").under("Methods"),
		integer("steps", "N", 1, 1<<40, 6000, "steps").under("Methods"),
		integer("seeds", "N", 1, 1000, 3, "seeds, from --seed on: of signals, noise, start and batches").under("Methods"),
		toggle("quick", "a taste: a thirtieth of the steps, a tenth of the signals, one seed").under("Methods"),
		toggle("expect", "exit code 1 where learned is not a tenth better than the best baseline on piecewise, or worse than dct on dct-sparse").under("Results"),
	},
	plan: planBilevel,
}

const bilevelLearned = "learned"

var bilevelForms = []string{"free", "orthonormal", "tight", "convolution"}

// lineBaselines are the baselines for signals.
func lineBaselines() []string {
	var names []string
	for _, b := range denoiser.Baselines {
		if b.Lines != nil {
			names = append(names, b.Name)
		}
	}
	return names
}

func signalLines() string {
	var lines []string
	for _, k := range signal.Kinds {
		lines = append(lines, fmt.Sprintf("  %-14s %s", k.Name, k.Doc))
	}
	return strings.Join(lines, "\n")
}

// bilevelStudy compares on kinds of signals.
type bilevelStudy struct {
	*call
	kinds       []signal.Kind
	methods     []string
	seeds       []uint64
	form        bilevel.Form
	start       bilevel.Start
	rule        bilevel.Rule
	train, test int
	steps       int
}

func planBilevel(c *call) (experiment, error) {
	s := &bilevelStudy{call: c, train: c.Int("train"), test: c.Int("test"), steps: c.Int("steps"), methods: c.List("methods")}
	seeds := c.Int("seeds")
	if c.Bool("quick") {
		s.train, s.test, s.steps = max(c.Int("batch"), s.train/10), max(1, s.test/10), max(1, s.steps/30)
		if !c.IsSet("seeds") {
			seeds = 1
		}
	}
	s.seeds = c.seedsFrom(seeds)
	if s.train < c.Int("batch") {
		return nil, misuse("--train %d signals are less than a --batch of %d", s.train, c.Int("batch"))
	}
	names := c.List("signals")
	if len(names) == 0 {
		names = []string{signal.Kinds[0].Name, signal.Kinds[1].Name}
	}
	for _, name := range names {
		kind, err := signal.FindKind(name)
		if err != nil {
			return nil, misuse("--signals: %v", err)
		}
		if _, err := kind.Make(s.signals(1, 0, "train")); err != nil {
			return nil, misuse("--signals %s: %v", name, err)
		}
		s.kinds = append(s.kinds, kind)
	}
	if len(s.methods) == 0 {
		s.methods = append([]string{bilevelLearned}, lineBaselines()...)
	}
	for i, name := range s.methods {
		known := append([]string{bilevelLearned}, lineBaselines()...)
		if !slices.Contains(known, name) {
			return nil, misuse("--methods: no such method of signals: %s (%s)%s", quote(name), strings.Join(known, ", "), didYouMean(nearest(name, known)))
		}
		if slices.Contains(s.methods[:i], name) {
			return nil, misuse("--methods names %s twice", name)
		}
	}
	return s, s.chooseForm()
}

// signals says which signals are made.
func (s *bilevelStudy) signals(count int, seed uint64, stream string) signal.Config {
	return signal.Config{Count: count, Length: s.Int("length"), Seed: seed, Stream: stream, Rate: s.Float("rate")}
}

func (s *bilevelStudy) chooseForm() error {
	n := s.Int("length")
	rows := s.Int("rows")
	if rows == 0 {
		rows = n
	}
	switch s.Text("form") {
	case "free":
		s.form = bilevel.Free{Rows: rows, Cols: n}
	case "orthonormal":
		s.form = bilevel.Orthonormal{Rows: rows, Cols: n}
	case "tight":
		s.form = bilevel.TightFrame{Rows: rows, Cols: n}
	case "convolution":
		if s.IsSet("rows") {
			return misuse("--rows: a convolution has as many as its filters have places: --filters and --filter")
		}
		s.form = bilevel.Convolution{Filters: s.Int("filters"), Width: s.Int("filter"), Signal: []int{n}, Extended: true, Centred: true}
	}
	for _, flag := range []string{"filters", "filter"} {
		if s.IsSet(flag) && s.Text("form") != "convolution" {
			return misuse("--%s goes with --form convolution", flag)
		}
	}
	if s.Text("start") == "identity" {
		s.start = bilevel.CentredIdentity
	}
	var err error
	if s.rule, err = bilevel.ParseRule(s.Text("rule")); err != nil {
		return misuse("--rule: %v", err)
	}
	if _, err := s.form.Begin(s.start, 1, 0); err != nil {
		return misuse("--form %s: %v", s.Text("form"), err)
	}
	return nil
}

// Cells are all methods on all kinds of signals for a seed, then for the next.
func (s *bilevelStudy) Cells() []study.Cell {
	var cells []study.Cell
	for _, seed := range s.seeds {
		for _, kind := range s.kinds {
			for _, method := range s.methods {
				c := study.Cell{{Name: "signals", Value: kind.Name}, {Name: "length", Value: s.Int("length")}, {Name: "rate", Value: s.Float("rate")}, {Name: "sigma", Value: s.Float("sigma")},
					{Name: "train", Value: s.train}, {Name: "test", Value: s.test}, {Name: "seed", Value: seed}, {Name: "method", Value: method}}
				if method == bilevelLearned {
					rows, _ := s.form.Size()
					c = c.With("form", s.Text("form")).With("rows", rows).With("start", s.Text("start")).With("rule", s.Text("rule")).
						With("lr", s.Float("lr")).With("batch", s.Int("batch")).With("steps", s.steps)
					if s.Text("form") == "convolution" {
						c = c.With("filters", s.Int("filters")).With("filter", s.Int("filter"))
					}
				}
				cells = append(cells, c)
			}
		}
	}
	return study.Unique(cells)
}
