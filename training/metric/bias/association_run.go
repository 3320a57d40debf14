package bias

import (
	"context"
	"fmt"
)

// Run embeds all words and sentences of the tests, each once, and scores the tests.
func (set *AssociationTests) Run(ctx context.Context, m *Model, name string, how Measuring) (*Result, Skips, error) {
	if m.Encoder == nil {
		return nil, Skips{}, fmt.Errorf("%s wants a model that gives embeddings", name)
	}
	var skips Skips
	numbers := map[string]int{}
	var sequences [][]int64
	fails := map[string]string{}
	for i := range set.Tests {
		for _, words := range set.Tests[i].sets() {
			for _, e := range words.Examples {
				if _, ok := numbers[e]; ok || fails[e] != "" {
					continue
				}
				ids, err := m.encode(e)
				if err != nil {
					fails[e] = err.Error()
					continue
				}
				numbers[e] = len(sequences)
				sequences = append(sequences, ids)
			}
		}
	}
	embedded, err := m.Encoder.Embed(ctx, sequences, how.stage(name, len(sequences)))
	if err != nil {
		return nil, skips, err
	}
	results := map[string]*Result{}
	for i := range set.Tests {
		t := &set.Tests[i]
		var of [4][][]float64
		for k, words := range t.sets() {
			for _, e := range words.Examples {
				n, ok := numbers[e]
				if !ok {
					skips.add(Skipped{File: t.Name, Reason: fails[e]})
					continue
				}
				of[k] = append(of[k], append([]float64{}, embedded[n]...))
			}
		}
		r, err := Association(of[0], of[1], of[2], of[3], how.Resampling)
		if err != nil {
			skips.add(Skipped{File: t.Name, Reason: err.Error()})
			continue
		}
		results[t.Name] = r
	}
	return AssociationResult(results), skips, nil
}

func (t *AssociationTest) sets() [4]*WordSet { return [4]*WordSet{&t.X, &t.Y, &t.A, &t.B} }
