package prosocial

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"graft/graphs/language"
	"graft/onnx"
	"graft/runtime"
	"graft/training"
)

// Association is how strongly a network's guesses go with stereotypes.
type Association struct {
	Bias   float64 `json:"bias"`   // mean, over the words, of |log p(stereotype)/p(anti-stereotype)|
	Signed float64 `json:"signed"` // mean without the magnitude: positive where it goes with stereotypes
	Mass   float64 `json:"mass"`   // mean probability of the two together
}

// Associate measures prompts of a language model; each in turn are of one word, over which the logarithms are averaged first.
func (n *Network) Associate(ctx context.Context, task string, prompts []Prompt, each int, o runtime.Options) (*Association, error) {
	if each < 1 || len(prompts) == 0 || len(prompts)%each != 0 {
		return nil, fmt.Errorf("associate: %d prompts by %d", len(prompts), each)
	}
	m, err := n.Build(language.Options{Task: task})
	if err != nil {
		return nil, err
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := &Association{}
	words := float64(len(prompts) / each)
	for ; len(prompts) > 0; prompts = prompts[each:] {
		mean := 0.0
		for _, p := range prompts[:each] {
			got, err := s.Run(ctx, textFeeds(n.Config.ModelType, p.Base, 1), "logits")
			if err != nil {
				return nil, err
			}
			logits := got["logits"]
			mean += logRatio(logits, 0, p.At, p.Stereotype, p.Anti) / float64(each)
			out.Mass += massOf(logits, p) / float64(each) / words
		}
		out.Bias += math.Abs(mean) / words
		out.Signed += mean / words
	}
	return out, nil
}

// massOf is the probability of both tokens.
func massOf(logits *onnx.Tensor, p Prompt) float64 {
	v := logits.Dims[2]
	x := logits.Float32s()[int64(p.At)*v:][:v]
	most, sum := math.Inf(-1), 0.0
	for _, l := range x {
		most = max(most, float64(l))
	}
	for _, l := range x {
		sum += math.Exp(float64(l) - most)
	}
	return (math.Exp(float64(x[p.Stereotype])-most) + math.Exp(float64(x[p.Anti])-most)) / sum
}

// Judged is what a tuned network makes of its task.
type Judged struct {
	// Accuracy is that of a classifier. Of a network that gives scores it is their correlation with the true ones.
	Accuracy float64 `json:"accuracy"`
	// Gap is how biased the answers are, a mean |difference| between answers that should be the same: see the task.
	Gap     float64  `json:"gap"`
	Numbers []Number `json:"numbers,omitempty"` // all that the task is measured by
}

// Number is one by which a task is measured.
type Number struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Bias  bool    `json:"bias"` // of the answers, and not of the task
}

// Answers gives a network's logits of samples.
type Answers func(*Samples) ([][]float32, error)

// Judge asks a network for what a measure wants to know.
func (n *Network) Judge(ctx context.Context, tokens Tokens, measure func(Answers) (*Judged, error), o runtime.Options) (*Judged, error) {
	m, err := n.Build(language.Options{Task: language.TextClassification})
	if err != nil {
		return nil, err
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return measure(func(samples *Samples) ([][]float32, error) { return n.classify(ctx, s, tokens, samples) })
}

// Swaps measures a classifier of two classes: its accuracy, and the mean |difference| of the probability of class 1 between a text and
// the same with its gender swapped. swapped are those of the texts with numbers at; nil: of all.
func Swaps(test, swapped *Samples, at []int) func(Answers) (*Judged, error) {
	return func(ask Answers) (*Judged, error) {
		logits, err := ask(test)
		if err != nil {
			return nil, err
		}
		other, err := ask(swapped)
		if err != nil {
			return nil, err
		}
		out := &Judged{}
		for i, row := range logits {
			if training.Largest(row) == int(test.Classes[i]) {
				out.Accuracy += 1 / float64(len(logits))
			}
		}
		for i, row := range other {
			j := i
			if at != nil {
				j = at[i]
			}
			out.Gap += math.Abs(probability(logits[j], 1)-probability(row, 1)) / float64(len(other))
		}
		return out, nil
	}
}

func probability(row []float32, class int) float64 {
	sum := 0.0
	for _, l := range row {
		sum += math.Exp(float64(l) - float64(row[class]))
	}
	return 1 / sum
}

// classify gives the logits of each line.
func (n *Network) classify(ctx context.Context, s *runtime.Session, tokens Tokens, samples *Samples) ([][]float32, error) {
	d := &Batches{Tokens: tokens, Lines: samples.Lines, Types: samples.Types, Model: n.Config.ModelType}
	// Lines of like length go together: what fills up is computed too.
	order := make([]int, len(samples.Lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(samples.Lines[a]), len(samples.Lines[b])) })
	out := make([][]float32, len(samples.Lines))
	for some := range slices.Chunk(order, rowsAtOnce) {
		got, err := s.Run(ctx, d.batch(some).feeds(), "logits")
		if err != nil {
			return nil, err
		}
		x := got["logits"].Float32s()
		k := len(x) / len(some)
		for r, i := range some {
			out[i] = slices.Clone(x[r*k : (r+1)*k])
		}
	}
	return out, nil
}
