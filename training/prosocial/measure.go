package prosocial

import (
	"context"
	"fmt"
	"math"

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

// Judged is what a classifier makes of sentences.
type Judged struct {
	Accuracy float64 `json:"accuracy"`
	// Gap is the mean |difference| of the probability of class 1 between a sentence and the same with the other pronoun.
	Gap float64 `json:"gap"`
}

// Judge classifies sentences, and the same with their gender swapped.
func (n *Network) Judge(ctx context.Context, tokens Tokens, lines, swapped [][]int64, classes []int64, o runtime.Options) (*Judged, error) {
	m, err := n.Build(language.Options{Task: language.TextClassification})
	if err != nil {
		return nil, err
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	logits, err := n.classify(ctx, s, tokens, lines)
	if err != nil {
		return nil, err
	}
	other, err := n.classify(ctx, s, tokens, swapped)
	if err != nil {
		return nil, err
	}
	out := &Judged{}
	total := float64(len(lines))
	for i, row := range logits {
		if training.Largest(row) == int(classes[i]) {
			out.Accuracy += 1 / total
		}
		out.Gap += math.Abs(probability(row, 1)-probability(other[i], 1)) / total
	}
	return out, nil
}

func probability(row []float32, class int) float64 {
	sum := 0.0
	for _, l := range row {
		sum += math.Exp(float64(l) - float64(row[class]))
	}
	return 1 / sum
}

// classify gives the logits of each line.
func (n *Network) classify(ctx context.Context, s *runtime.Session, tokens Tokens, lines [][]int64) ([][]float32, error) {
	d := &Batches{Tokens: tokens, Lines: lines, Model: n.Config.ModelType}
	var out [][]float32
	for from := 0; from < len(lines); from += rowsAtOnce {
		var some []int
		for i := from; i < min(from+rowsAtOnce, len(lines)); i++ {
			some = append(some, i)
		}
		got, err := s.Run(ctx, d.batch(some).feeds(), "logits")
		if err != nil {
			return nil, err
		}
		x := got["logits"].Float32s()
		k := len(x) / len(some)
		for r := range some {
			out = append(out, x[r*k:(r+1)*k])
		}
	}
	return out, nil
}
