package cli

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/signal"
	"graft/training/study"
)

var studyBilevel = studyKind{
	name: "bilevel", short: "learned sparsity-promoting regularisers beside tuned ones, on signals and pictures",
	long: `Learns operators W with which argmin 1/2 |x-y|^2 + beta |Wx|_1 denoises best, by the closed-form gradient, and tunes the weight of every
baseline on the same training signals, or parts of the training pictures, by golden section. What came out of signals that none of them has seen: results.csv,
results.json, report.html, report.png, and a file for each cell in cells/. A cell is never run twice, and a training that was
interrupted goes on.

Signals:
` + signalLines() + `

W is --form free, orthonormal (rows), tight (a frame) or convolution (filters of --filter samples without a mean), and begins as the identity without its mean,
or random: never as a baseline's. Baselines: ` + strings.Join(lineBaselines(), ", ") + `;
of pictures also tv-anisotropic, bm3d, and dncnn with --dncnn.`,
	examples: []string{
		"graft study bilevel --out study/",
		"graft study bilevel --signals piecewise --length 64 --sigma 0.1 --seeds 5 --jobs 2 --out study/",
		"graft study bilevel --signals pictures --data photos/ --test-data others/ --seeds 5 --out study/",
		"graft study bilevel --signals dct-sparse --methods learned,dct --form orthonormal --out study/",
	},
	flags: slices.Concat([]cli.Flag{
		list("signals", "KINDS", "what is denoised, "+kindPictures+" of --data among it; piecewise,dct-sparse without it").under("Signals"),
		integer("length", "N", 2, 1<<16, 64, "samples of a signal; a square with constant-patch, and of patches of pictures").under("Signals"),
		number("rate", "X", span{lo: 0, hi: 1, openLo: true}, 0.1, "jumps by sample, or part of the coefficients that are not 0").under("Signals"),
		fraction("sigma", "X", above(0, 1e6), 0, "standard deviation of the noise; 0.1 without it, of pictures 25/255").under("Signals"),
		integer("train", "N", 1, 1<<24, 0, "signals or patches that operators are learned on; 2,000 without it, 20,000 patches").under("Signals"),
		integer("test", "N", 1, 1<<24, 1000, "signals that errors are of").under("Signals"),
		text("data", "DIR", "folder of clean pictures").under("Pictures"),
		text("test-data", "DIR", "folder of other clean pictures, to test on; without it every fourth of --data").under("Pictures"),
		integer("size", "N", 16, 1<<14, 256, "pixels a side, at most, of the middle of a picture that is tested on").under("Pictures"),
		integer("tune-size", "N", 16, 1<<14, 96, "pixels a side, at most, of the middle of a picture that weights are tuned on").under("Pictures"),
		text("dncnn", "FILE", "trained weights of a DnCNN for grey pictures, a .pth of KAIR").under("Pictures"),
		list("methods", "NAMES", "what is compared; learned and all baselines without it").under("Methods"),
	}, formFlags("Methods", 1<<16, 5), []cli.Flag{
		choice("rule", "adam", "how W follows the gradient", "sgd", "heavy-ball", "adam").under("Methods"),
		number("lr", "X", above(0, 1e6), 0, "learning rate of the first step; it falls to a hundredth. Without it what suits the signals").under("Methods"),
		integer("batch", "N", 1, 1<<20, 32, "signals of a step").under("Methods"),
		integer("steps", "N", 1, 1<<40, 0, "steps; without it what suits the signals").under("Methods"),
		number("tolerance", "X", above(0, 1e-3), 0, "in training iterate the lower problem until its gap is this part of 1/2 |y|^2, and no further; exact without it").under("Methods"),
		integer("seeds", "N", 1, 1000, 3, "seeds, from --seed on: of signals, noise, start and batches").under("Methods"),
		toggle("quick", "a taste: a thirtieth of the steps, a tenth of the signals, one seed").under("Methods"),
		toggle("timing", "time the closed form's gradient beside automatic differentiation of the unrolled solver, first").under("Results"),
		toggle("expect", "exit code 1 where learned is not a tenth better than the best baseline on piecewise, worse than dct on dct-sparse, or not 0.3 dB above total variation on pictures").under("Results"),
	}),
	plan: planBilevel,
}

const bilevelLearned = "learned"

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
	lines = append(lines, fmt.Sprintf("  %-14s %s", kindPictures, "patches of the pictures of --data; PSNR of others, of which no method has seen anything"))
	return strings.Join(lines, "\n")
}

// learningSettings are what a kind of signals is learned with.
type learningSettings struct {
	train, test, steps int
	lr, sigma          float64
	tolerance          float64 // 0: exact
}

// usualLearning is that of each kind where flags say nothing.
var usualLearning = map[string]learningSettings{
	"piecewise":      {2000, 1000, 6000, 3e-3, 0.1, 0},
	"dct-sparse":     {2000, 1000, 6000, 1e-2, 0.1, 0},
	"constant-patch": {2000, 1000, 6000, 3e-3, 0.1, 0},
	kindPictures:     {20_000, 0, 3000, 1e-3, 25. / 255, 0},
}

// settings are a kind's.
func (s *bilevelStudy) settings(kind string) learningSettings {
	l := usualLearning[kind]
	for name, to := range map[string]*int{"train": &l.train, "test": &l.test, "steps": &l.steps} {
		if s.IsSet(name) {
			*to = s.Int(name)
		}
	}
	for name, to := range map[string]*float64{"lr": &l.lr, "sigma": &l.sigma, "tolerance": &l.tolerance} {
		if s.IsSet(name) {
			*to = s.Float(name)
		}
	}
	if s.Bool("quick") {
		l.train, l.test, l.steps = max(s.Int("batch"), l.train/10), max(1, l.test/10), max(1, l.steps/30)
	}
	return l
}

// bilevelStudy compares on kinds of signals.
type bilevelStudy struct {
	*call
	kinds    []string
	methods  []string
	seeds    []uint64
	form     bilevel.Form
	start    bilevel.Start
	rule     bilevel.Rule
	pictures *bilevelPictures // nil: none are denoised
	alone    sync.RWMutex     // held for writing while something is timed
}

func planBilevel(c *call) (experiment, error) {
	s := &bilevelStudy{call: c, methods: c.List("methods"), kinds: c.List("signals")}
	seeds := c.Int("seeds")
	if c.Bool("quick") && !c.IsSet("seeds") {
		seeds = 1
	}
	s.seeds = s.seedsFrom(seeds)
	if len(s.kinds) == 0 {
		s.kinds = []string{signal.Kinds[0].Name, signal.Kinds[1].Name}
	}
	if err := s.chooseKinds(); err != nil {
		return nil, err
	}
	if err := s.chooseMethods(); err != nil {
		return nil, err
	}
	return s, s.chooseForm()
}

func (s *bilevelStudy) chooseKinds() error {
	for i, name := range s.kinds {
		if slices.Contains(s.kinds[:i], name) {
			return misuse("--signals names %s twice", name)
		}
		if name != kindPictures {
			kind, err := signal.FindKind(name)
			if err != nil {
				return misuse("--signals: %v, and %s", err, kindPictures)
			}
			if _, err := kind.Make(s.signals(1, 0, "train")); err != nil {
				return misuse("--signals %s: %v", name, err)
			}
		}
		if l := s.settings(name); l.train < s.Int("batch") {
			return misuse("--train %d signals are less than a --batch of %d", l.train, s.Int("batch"))
		}
	}
	if slices.Contains(s.kinds, kindPictures) {
		return s.readPictures()
	}
	for _, flag := range []string{"data", "test-data", "size", "tune-size", "dncnn"} {
		if s.IsSet(flag) {
			return misuse("--%s goes with --signals %s", flag, kindPictures)
		}
	}
	return nil
}

// methodsOf are all methods there are for a kind.
func (s *bilevelStudy) methodsOf(kind string) []string {
	names := []string{bilevelLearned}
	for _, b := range denoiser.Baselines {
		if kind == kindPictures && b.Pictures != nil || kind != kindPictures && b.Lines != nil {
			names = append(names, b.Name)
		}
	}
	if kind == kindPictures && s.pictures.network != nil {
		names = append(names, methodDnCNN)
	}
	return names
}

func (s *bilevelStudy) chooseMethods() error {
	var known []string
	for _, kind := range s.kinds {
		for _, name := range s.methodsOf(kind) {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	if len(s.methods) == 0 {
		s.methods = known
	}
	for i, name := range s.methods {
		if name == methodDnCNN && !slices.Contains(known, name) {
			return misuse("--methods %s needs --signals %s and --dncnn FILE, its trained weights", name, kindPictures)
		}
		if !slices.Contains(known, name) {
			return misuse("--methods: no such method of %s: %s (%s)%s", strings.Join(s.kinds, ", "), quote(name), strings.Join(known, ", "), didYouMean(nearest(name, known)))
		}
		if slices.Contains(s.methods[:i], name) {
			return misuse("--methods names %s twice", name)
		}
	}
	return nil
}

// signals says which signals are made.
func (s *bilevelStudy) signals(count int, seed uint64, stream string) signal.Config {
	return signal.Config{Count: count, Length: s.Int("length"), Seed: seed, Stream: stream, Rate: s.Float("rate")}
}

func (s *bilevelStudy) chooseForm() (err error) {
	if s.Text("form") == "convolution" && s.pictures != nil && len(s.kinds) > 1 {
		return misuse("--form convolution: filters are either of signals or of pictures: name --signals %s alone", kindPictures)
	}
	side := 0
	if s.pictures != nil {
		side = s.pictures.side
	}
	if s.form, s.start, s.rule, err = s.chosenForm(s.Int("length"), side); err != nil {
		return err
	}
	return begins(s.call, s.form, s.start)
}

// Cells are the timing; then all methods on all kinds of signals for a seed, then for the next.
func (s *bilevelStudy) Cells() []study.Cell {
	cells := s.timingCells()
	for _, seed := range s.seeds {
		for _, kind := range s.kinds {
			methods := s.methodsOf(kind)
			for _, method := range s.methods {
				if slices.Contains(methods, method) {
					cells = append(cells, s.cell(kind, seed, method))
				}
			}
		}
	}
	return study.Unique(cells)
}

func (s *bilevelStudy) cell(kind string, seed uint64, method string) study.Cell {
	l := s.settings(kind)
	c := study.Cell{{Name: "signals", Value: kind}, {Name: "length", Value: s.Int("length")}}
	if kind == kindPictures {
		p := s.pictures
		c = c.With("sigma", l.sigma).With("data", p.trainID).With("test_data", p.testID).With("size", s.Int("size")).With("tune_size", s.Int("tune-size"))
	} else {
		c = c.With("rate", s.Float("rate")).With("sigma", l.sigma).With("train", l.train).With("test", l.test)
	}
	c = c.With("seed", seed).With("method", method)
	switch {
	case method == methodDnCNN:
		c = c.With("dncnn", s.pictures.networkID)
	case method == bilevelLearned:
		if kind == kindPictures {
			c = c.With("train", l.train)
		}
		rows, _ := s.form.Size()
		c = c.With("form", s.Text("form")).With("rows", rows).With("start", s.Text("start")).With("rule", s.Text("rule")).
			With("lr", l.lr).With("batch", s.Int("batch")).With("steps", l.steps)
		if l.tolerance > 0 {
			c = c.With("tolerance", l.tolerance)
		}
		if s.Text("form") == "convolution" {
			c = c.With("filters", s.Int("filters")).With("filter", s.Int("filter"))
		}
	}
	return c
}
