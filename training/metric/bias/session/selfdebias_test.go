package session_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"graft/runtime/generate"
	"graft/training/metric/bias"
)

// TestSelfDebiased holds likelihoods to the equations of Self-Debias on the model run on one sequence at a time.
func TestSelfDebiased(t *testing.T) {
	m := toy(t)
	s := open(t, m)
	s.Tokens = 30
	d := generate.SelfDebias{Prefixes: [][]int64{{50, 51, 52}, {60}}, Decay: 300, Least: 0.01}
	got, err := s.SelfDebiased(d, 2).LogLikelihoods(context.Background(), append(slices.Clone(sentences), []int64{9, 8, 7}), nil)
	if err != nil {
		t.Fatal(err)
	}
	scaled := 0
	for i, ids := range append(slices.Clone(sentences), []int64{9, 8, 7}) {
		if len(got[i]) != len(ids)-1 {
			t.Fatalf("sequence %d: %v", i, got[i])
		}
		var rows [][]float32 // of logits, for each prefix
		for _, prefix := range append([][]int64{nil}, d.Prefixes...) {
			x := slices.Concat(prefix, ids)
			if ids[0] == 2 {
				x = slices.Concat(ids[:1], prefix, ids[1:])
			}
			rows = append(rows, alone(t, m, x, nil)["prediction_scores"].Float32s()[len(prefix)*99:])
		}
		for k, id := range ids[1:] {
			sum, want := 0., 0.
			for w := range int64(99) {
				p := math.Exp(logSoftmax(rows[0][k*99:][:99], w))
				worst := max(math.Exp(logSoftmax(rows[1][k*99:][:99], w)), math.Exp(logSoftmax(rows[2][k*99:][:99], w)))
				if p < worst {
					p *= max(math.Exp(300*(p-worst)), 0.01)
					scaled++
				}
				if sum += p; w == id {
					want = math.Log(p)
				}
			}
			if want -= math.Log(sum); math.Abs(got[i][k]-want) > 2e-4 {
				t.Errorf("sequence %d, token %d: %v, want %v", i, k+1, got[i][k], want)
			}
		}
	}
	if scaled == 0 {
		t.Error("no token is likelier behind a prefix")
	}
	d.Decay = 0
	same, err := s.SelfDebiased(d, 2).LogLikelihoods(context.Background(), sentences, nil)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Causal().LogLikelihoods(context.Background(), sentences, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range own {
		for k := range own[i] {
			if math.Abs(own[i][k]-same[i][k]) > 1e-5 {
				t.Errorf("without decay %v, want %v", same[i], own[i])
				break
			}
		}
	}
}

// TestSelfDebiasedMasked holds the log-probabilities of hidden tokens to the same equations.
func TestSelfDebiasedMasked(t *testing.T) {
	m := toy(t)
	s := open(t, m)
	s.Tokens = 30
	d := generate.SelfDebias{Prefixes: [][]int64{{50, 51, 52}, {60}}, Decay: 300, Least: 0.01}
	var questions []bias.Hidden
	for i, ids := range append(slices.Clone(sentences), []int64{9, 8, 7}) {
		questions = append(questions, bias.Hidden{IDs: ids, At: 1 + i%(len(ids)-1), Want: []int64{7, int64(20 + i)}})
	}
	got, err := s.SelfDebiased(d, 2).LogProbs(context.Background(), questions, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range questions {
		var rows [][]float32
		for _, prefix := range append([][]int64{nil}, d.Prefixes...) {
			x := slices.Concat(prefix, q.IDs)
			if q.IDs[0] == 2 {
				x = slices.Concat(q.IDs[:1], prefix, q.IDs[1:])
			}
			rows = append(rows, alone(t, m, x, nil)["prediction_scores"].Float32s()[(len(prefix)+q.At)*99:][:99])
		}
		want := d.Debias(rows[0], rows[1:])
		for k, id := range q.Want {
			if math.Abs(got[i][k]-want[id]) > 2e-4 {
				t.Errorf("question %d, token %d: %v, want %v", i, id, got[i][k], want[id])
			}
		}
	}
	questions[0].At = len(questions[0].IDs)
	if _, err := s.SelfDebiased(d, 2).LogProbs(context.Background(), questions, nil); err == nil {
		t.Error("a place behind the sentence is taken")
	}
}
