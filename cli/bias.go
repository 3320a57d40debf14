package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training/metric/bias"
)

// The names of benchmarks.
const (
	benchStereoSet = "stereoset"
	benchCrows     = "crows-pairs"
	benchRevised   = "crows-pairs-revised"
	benchSEAT      = "seat"
	benchWEAT      = "weat"
	benchWino      = "winobias"
	benchTemplates = "templates"
)

var biasBenchmarks = []string{benchStereoSet, benchCrows, benchRevised, benchSEAT, benchWEAT, benchWino, benchTemplates}

const (
	sectionIntervals = "Intervals"
	sectionScored    = "Scoring"
)

// What --average averages.
const (
	averageProbabilities = "probabilities"
	averageLogs          = "logs"
)

func biasFlags() []cli.Flag {
	return append([]cli.Flag{
		list("benchmark", "LIST", "which of "+strings.Join(biasBenchmarks, ", ")+" (default: those that --data has and the model can answer)"),
		repeated("data", "PATH", "a folder with the benchmarks' files, or a file; repeatable"),
		text("scores", "PATH", "recorded sentence scores instead of a model: a file in the layout of StereoSet's prediction files, or a folder of graft bias"),
		text("against", "PATH", "a model, or recorded scores of one, from which it is told how the scores changed"),
		text("tokenizer", "PATH", "a tokenizer.json, a folder with it, a vocab.txt, a .gguf or llama2.c's tokenizer.bin (default: beside the model)").under(sectionScored),
		choice("kind", "", "what a model with logits is (default: by its config.json)", kindMasked, kindCausal).under(sectionScored),
		integer("limit", "N", 1, 1<<30, 0, "at most so many rows of each benchmark, drawn by --seed (default: all)").under(sectionScored),
		toggle("per-token", "divide a causal model's log-likelihoods of pairs by their numbers of tokens").under(sectionScored),
		choice("average", averageProbabilities, "what is averaged over the tokens of a word of StereoSet", averageProbabilities, averageLogs).under(sectionScored),
		integer("samples", "N", 100, 1_000_000, 2000, "bootstrap samples of a confidence interval").under(sectionIntervals),
		number("level", "X", between(0.5, 0.9999), 0.95, "confidence of the intervals").under(sectionIntervals),
	}, selfDebiasFlags()...)
}

// biasDoc is the document of graft bias --json.
type biasDoc struct {
	executed
	Model      *biasAbout          `json:"model,omitempty"`
	Against    *biasAbout          `json:"against,omitempty"`
	Benchmarks map[string]*biasOne `json:"benchmarks"`
	Gender     *biasPooled         `json:"gender_pooled,omitempty"`
	Level      float64             `json:"level"`             // of the intervals
	Data       map[string]string   `json:"data"`              // the file or folder of each benchmark
	Seconds    map[string]float64  `json:"seconds,omitempty"` // that a model took for each
	Skipped    int                 `json:"skipped"`
	Rows       []bias.Skipped      `json:"skipped_rows,omitempty"`
}

// biasOne is what a benchmark came to.
type biasOne struct {
	*bias.Result
	Correlation *float64     `json:"correlation,omitempty"` // templates: with how people see the occupations
	Change      *bias.Change `json:"change,omitempty"`      // from --against
	Before      *bias.Result `json:"before,omitempty"`      // of --against, where there is no interval of a change
	Remark      string       `json:"remark,omitempty"`
}

// biasPooled is the share of items of several benchmarks of which the stereotype is preferred.
type biasPooled struct {
	Score  float64        `json:"score"`
	N      int            `json:"n"`
	CI     *bias.Interval `json:"ci"`
	Change *bias.Change   `json:"change,omitempty"`
}

func (m *biasDoc) skip(s bias.Skips) {
	m.Skipped += s.Count
	all := bias.Skips{Rows: m.Rows}
	all.Join(s)
	m.Rows = all.Rows
}

// names are the benchmarks in the order in which they are shown.
func (m *biasDoc) names() []string {
	names := slices.Sorted(maps.Keys(m.Benchmarks))
	slices.SortFunc(names, func(a, b string) int {
		return slices.Index(biasBenchmarks, a) - slices.Index(biasBenchmarks, b)
	})
	return names
}

func (c *call) biasResampling() bias.Resampling {
	return bias.Resampling{Seed: c.Common.Seed, Samples: c.Int("samples"), Level: c.Float("level")}
}

// biasChosen are the benchmarks asked for, each once.
func (c *call) biasChosen() ([]string, error) {
	var out []string
	for _, name := range c.List("benchmark") {
		if !slices.Contains(biasBenchmarks, name) {
			return nil, misuse("--benchmark %s: wants one of %s%s", quote(name), strings.Join(biasBenchmarks, ", "), didYouMean(nearest(name, biasBenchmarks)))
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}
