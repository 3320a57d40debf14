package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training/prosocial"
	"graft/training/study"
)

var studyProSocial = studyKind{
	name: "prosocial", short: "a language model tuned for a task without its bias coming back, in a made world or your own",
	long: `Pretrains a small BERT on text that graft makes, in which pronouns go with occupations as often as --bias says, takes the bias out by
counterfactual data, finds the heads of attention that mediate it, and tunes the network for a classification whose label goes with
gender: with those heads held where they are in the debiased network (ProSocialTuning), and in the ways that it is compared with.

--model, --task, --data and --test take a pretrained model and a published task in place of the made ones; --text alone pretrains a BERT on
text in which genders go with occupations as often as --bias says.

Bias is the mean over occupations of |log p(he)/p(she)| at a masked pronoun. A seed is a cell: of text, weights, batches and noise.
Results are in results.csv, results.json, report.html and report.png. A cell is never run twice.

Ways to tune: ` + strings.Join(prosocialVariants(), ", ") + `.`,
	examples: []string{
		"graft study prosocial --out study/",
		"graft study prosocial --strength 0.1 --select sets --seeds 5 --jobs 2 --threads 1 --out study/",
		"graft study prosocial --quick --out study/",
		"graft study prosocial --model bert/ --task sst2 --data train.tsv --test dev.tsv --text corpus.txt --out study/",
		"graft study prosocial --text corpus.txt --bias 0.9 --layers 4 --samples 100,400 --out study/",
	},
	flags: slices.Concat([]cli.Flag{
		integer("layers", "N", 1, 64, 2, "layers of the network").under("Network"),
		integer("width", "N", 4, 4096, 64, "its width").under("Network"),
		integer("heads", "N", 1, 256, 4, "heads of a layer").under("Network"),
		number("bias", "X", span{lo: 0, hi: 1}, 0.9, "how often a pronoun is the stereotype's").under("World"),
		integer("sentences", "N", 1, 1<<24, 8000, "sentences to pretrain on").under("World"),
		integer("counterfactual", "N", 1, 1<<24, 4000, "of those, sentences to debias on, each with its counterfactual").under("World"),
		integer("train", "N", 1, 1<<24, 2000, "sentences of the task to tune on; with --task so many by chance, all without it").under("World"),
		text("test", "N|FILE", "sentences of the task that accuracies are of (default: 1000); with --task its test set").under("World"),
		list("methods", "NAMES", "ways to tune; all without it").under("Methods"),
		integer("pretrain-steps", "N", 1, 1<<40, 4000, "steps of pretraining").under("Methods"),
		integer("debias-steps", "N", 1, 1<<40, 1000, "steps of debiasing").under("Methods"),
		integer("tune-steps", "N", 1, 1<<40, 300, "steps of each way to tune").under("Methods"),
		integer("posterior-steps", "N", 1, 1<<40, 300, "steps by which the posterior's widths are learned").under("Methods"),
		integer("batch", "N", 1, 1<<20, 32, "sentences of a step").under("Methods"),
		number("lr", "X", above(0, 1e3), 1e-3, "rate of AdamW in debiasing and tuning; pretraining has twice as much").under("Methods"),
		number("gamma", "X", above(0, 1e6), 10, "gamma of the bound").under("Methods"),
		choice("intervention", string(prosocial.OtherOccupation), "what stands in the place of an occupation: another one, or a man or woman", string(prosocial.OtherOccupation), string(prosocial.OtherGender)).under("Methods"),
		choice("select", string(prosocial.ByChange), "heads that are held: whose effect fell most, or those in the set before and not in that after", string(prosocial.ByChange), string(prosocial.BySets)).under("Methods"),
		integer("top", "N", 0, 1<<16, 0, "how many heads; a quarter of all with change, and those above --threshold with sets, without it").under("Methods"),
		number("threshold", "X", span{lo: 0, hi: 1, openLo: true}, 0.05, "part of the total effect that a head of the sets mediates").under("Methods"),
		toggle("ratio", "effects as ratios, and not as logarithms of ratios").under("Methods"),
		number("strength", "X", above(0, 1e9), 1, "of the penalty, the mean over heads").under("Methods"),
		toggle("tune-words", "tables of embeddings are tuned too").under("Methods"),
		integer("seeds", "N", 1, 1000, 5, "seeds, from --seed on").under("Methods"),
		list("samples", "LIST", "numbers of samples, on the first of which vanilla, debiased-tuning and prosocial are tuned besides").under("Methods"),
		toggle("same-steps", "with --samples: as many steps for each number, in place of as many epochs").under("Methods"),
		toggle("quick", "a taste: a tenth of the steps, one seed").under("Methods"),
		toggle("expect", "exit code 1 where bias or accuracy are not in the order that is expected").under("Results"),
	}, prosocialSubjectFlags()),
	plan: planProSocial,
}

func prosocialVariants() []string {
	var names []string
	for _, v := range prosocial.Variants {
		names = append(names, string(v))
	}
	return names
}

// prosocialStudy goes through the chain from several seeds.
type prosocialStudy struct {
	*call
	seeds    []uint64
	variants []prosocial.Variant
	scale    int64 // that steps are divided by
	samples  []int // that are tuned on besides
	own      *prosocialSubject
}

func planProSocial(c *call) (experiment, error) {
	s := &prosocialStudy{call: c, scale: 1}
	seeds := c.Int("seeds")
	if c.Bool("quick") {
		s.scale = 10
		if !c.IsSet("seeds") {
			seeds = 1
		}
	}
	s.seeds = c.seedsFrom(seeds)
	if c.Int("width")%c.Int("heads") != 0 {
		return nil, misuse("--width %d is no multiple of %d --heads", c.Int("width"), c.Int("heads"))
	}
	names := c.List("methods")
	if len(names) == 0 {
		names = prosocialVariants()
	}
	for i, name := range names {
		if !slices.Contains(prosocialVariants(), name) {
			return nil, misuse("--methods: no such way to tune: %s (%s)%s", quote(name), strings.Join(prosocialVariants(), ", "), didYouMean(nearest(name, prosocialVariants())))
		}
		if slices.Contains(names[:i], name) {
			return nil, misuse("--methods names %s twice", name)
		}
		s.variants = append(s.variants, prosocial.Variant(name))
	}
	if c.IsSet("threshold") && (c.Text("select") != string(prosocial.BySets) || c.Int("top") > 0) {
		return nil, misuse("--threshold goes with --select sets, and not with --top")
	}
	var err error
	if s.own, err = s.subject(); err != nil {
		return nil, err
	}
	whole := s.trained()
	if s.own != nil && s.own.train == nil {
		whole = 0
	}
	s.samples, err = boundSizes(c, whole)
	return s, err
}

// steps are those of a phase.
func (s *prosocialStudy) steps(phase string) int64 {
	return max(1, int64(s.Int(phase+"-steps"))/s.scale)
}

// config is what a cell does.
func (s *prosocialStudy) config(seed uint64) prosocial.WorldConfig {
	batch, rate := s.Int("batch"), s.rate()
	return prosocial.WorldConfig{
		Layers: int64(s.Int("layers")), Width: int64(s.Int("width")), Heads: int64(s.Int("heads")), Bias: s.Float("bias"),
		Sentences: s.Int("sentences"), Counterfactual: s.Int("counterfactual"), Train: s.Int("train"), Test: s.tested(),
		Intervention: prosocial.Intervention(s.Text("intervention")),
		Pretrain:     prosocial.Course{Steps: s.steps("pretrain"), Batch: batch, Rate: 2 * rate},
		ChainConfig: prosocial.ChainConfig{
			Debias:    prosocial.Course{Steps: s.steps("debias"), Batch: batch, Rate: rate},
			Tune:      prosocial.Course{Steps: s.steps("tune"), Batch: batch, Rate: rate},
			Posterior: prosocial.Course{Steps: s.steps("posterior"), Batch: batch},
			Gamma:     s.Float("gamma"), Strength: s.Float("strength"), FreezeWords: !s.Bool("tune-words"), Variants: s.variants, Seed: seed,
			Samples: s.samples, SameSteps: s.Bool("same-steps"),
			Selection: prosocial.Selection{By: prosocial.Rule(s.Text("select")), Top: s.Int("top"), Threshold: s.Float("threshold"), Ratio: s.Bool("ratio")},
			Session:   s.runtimeOptions(),
		},
	}
}

// Cells are the seeds.
func (s *prosocialStudy) Cells() []study.Cell {
	var names []string
	for _, v := range s.variants {
		names = append(names, string(v))
	}
	var cells []study.Cell
	for _, seed := range s.seeds {
		c := study.Cell{{Name: "seed", Value: seed}}
		for _, flag := range []string{"layers", "width", "heads", "sentences", "counterfactual", "train", "test", "batch", "top"} {
			switch {
			case !s.takes(flag):
			case flag == "test":
				c = c.With(flag, s.tested())
			default:
				c = c.With(flag, s.Int(flag))
			}
		}
		for _, flag := range []string{"bias", "lr", "gamma", "strength"} {
			if s.takes(flag) {
				c = c.With(flag, s.Float(flag))
			}
		}
		for _, phase := range []string{"pretrain", "debias", "tune", "posterior"} {
			if phase != "pretrain" || s.made() {
				c = c.With(phase+"_steps", s.steps(phase))
			}
		}
		c = c.With("intervention", s.Text("intervention")).With("select", s.Text("select"))
		if s.Text("select") == string(prosocial.BySets) && s.Int("top") == 0 {
			c = c.With("threshold", s.Float("threshold"))
		}
		c = c.With("ratio", s.Bool("ratio")).With("tune_words", s.Bool("tune-words")).With("methods", strings.Join(names, ","))
		if len(s.samples) > 0 {
			c = c.With("samples", strings.Trim(fmt.Sprint(s.samples), "[]")).With("same_steps", s.Bool("same-steps"))
		}
		if s.own != nil {
			c = s.ownCell(c)
		}
		cells = append(cells, c)
	}
	return cells
}

// prosocialStepTime is what a sentence of a step takes a layer on one core, at a width of 64, in seconds.
const prosocialStepTime = 1.2e-4

// Cost goes by the size of the network alone: a cell takes a minute or so.
func (s *prosocialStudy) Cost(_ context.Context, todo []study.Cell) (studyCost, error) {
	return costOf(s.call, todo, func(study.Cell) (int64, float64, error) {
		tunings := int64(len(s.variants))
		if !slices.Contains(s.variants, prosocial.DebiasedTuning) {
			tunings++
		}
		steps := s.steps("pretrain") + s.steps("debias") + s.steps("posterior") + tunings*s.steps("tune")
		for _, n := range s.samples {
			if k := int64(len(prosocial.Bounded)); s.Bool("same-steps") {
				steps += k * s.steps("tune")
			} else {
				steps += k * s.steps("tune") * int64(n) / int64(s.trained())
			}
		}
		if s.own != nil && s.own.source != nil {
			steps -= s.steps("pretrain")
			return steps, float64(steps) * s.own.stepTime(s.call), nil
		}
		wide := float64(s.Int("width")) / 64
		return steps, float64(steps) * prosocialStepTime * float64(s.Int("batch")*s.Int("layers")) * wide * max(1, wide), nil
	})
}

// Run does a cell.
func (s *prosocialStudy) Run(ctx context.Context, c study.Cell, work string, _ *study.Folder) (any, error) {
	seed, err := seedOfCell(c)
	if err != nil {
		return nil, err
	}
	if s.own != nil {
		return s.runOwn(ctx, seed, work)
	}
	return prosocial.RunWorld(ctx, s.config(seed))
}

// Line is a finished cell.
func (s *prosocialStudy) Line(r *study.Record) string {
	x, err := resultOf[prosocial.Chain](r)
	if err != nil {
		return r.Cell.String()
	}
	line := fmt.Sprintf("seed %s: bias %.3g, debiased %.3g", r.Cell.Get("seed"), x.Pretrained.Bias, x.Debiased.Bias)
	for _, t := range x.Tuned {
		line += fmt.Sprintf(", %s %.3g", t.Variant, t.Bias)
	}
	return fmt.Sprintf("%s (%.1f s)", line, r.Seconds)
}
