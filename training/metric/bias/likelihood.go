package bias

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// likelihood is the log-probabilities of a text's tokens.
type likelihood []float64

func (l likelihood) sum() float64  { return floats.Sum(l) }
func (l likelihood) mean() float64 { return floats.Sum(l) / float64(len(l)) }

// likelihoods gives the log-probabilities of each text's tokens under a causal model, and why a text has none. The first
// token is judged behind the start token alone, the others without the start token, as the published evaluations of StereoSet
// and CrowS-Pairs do; a tokenizer that writes a token at the beginning of its own accord, or has none for it, leaves the first
// token out.
func (m *Model) likelihoods(ctx context.Context, texts []string, told func(int)) ([]likelihood, []string, error) {
	bad := make([]string, len(texts))
	var sequences [][]int64
	var of []int
	first := map[int64]float64{}
	start, starts := m.Tokenizer.Start()
	for i, text := range texts {
		ids, err := m.encode(text)
		if err != nil {
			bad[i] = err.Error()
			continue
		}
		if len(ids) < 2 && (!starts || ids[0] == start) {
			bad[i] = "the text has one token, and there is nothing before it"
			continue
		}
		sequences, of = append(sequences, ids), append(of, i)
		if starts && ids[0] != start {
			first[ids[0]] = 0
		}
	}
	if len(first) > 0 {
		// The model takes the start token and each first token in turn: the likelihood of the second is what is wanted.
		list := make([][]int64, 0, len(first))
		for _, id := range slices.Sorted(maps.Keys(first)) {
			list = append(list, []int64{start, id})
		}
		p, err := m.Causal.LogLikelihoods(ctx, list, nil)
		if err != nil {
			return nil, nil, err
		}
		for i, s := range list {
			first[s[1]] = p[i][0]
		}
	}
	answers, err := m.Causal.LogLikelihoods(ctx, sequences, told)
	if err != nil {
		return nil, nil, err
	}
	if len(answers) != len(sequences) {
		return nil, nil, fmt.Errorf("%d likelihoods of %d sequences", len(answers), len(sequences))
	}
	out := make([]likelihood, len(texts))
	for k, i := range of {
		l := likelihood{}
		if ids := sequences[k]; starts && ids[0] != start {
			l = append(l, first[ids[0]])
		}
		out[i] = append(l, answers[k]...)
	}
	return out, bad, nil
}
