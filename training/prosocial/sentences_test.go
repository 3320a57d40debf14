package prosocial

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// TestSentences sorts lines by the words of groups, and pairs each with the other's.
func TestSentences(t *testing.T) {
	w, err := Gender()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddNames(nil); err != nil {
		t.Fatal(err)
	}
	s, err := w.Sentences([]string{"He sold his boat.", "Her sister sings.", "The king met the queen.", "A boat.", " ", "Ask him."}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]string{{"He sold his boat.", "She sold her boat."}, {"His brother sings.", "Her sister sings."}, {"Ask him.", "Ask her."}}
	if !slices.Equal(s.Pairs, want) || !slices.Equal(s.Neutral, []string{"A boat."}) || s.Mixed != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := w.Sentences([]string{"A boat."}, 0, 1); err == nil || !strings.Contains(err.Error(), "none of 1 lines") {
		t.Error(err)
	}
	lines := w.Templates()
	if s, err = w.Sentences(lines, 100, 1); err != nil || len(s.Pairs) != 100 || len(s.Neutral) != 100 || s.Mixed != 0 {
		t.Errorf("%d templates: %d pairs, %d neutral, %v", len(lines), len(s.Pairs), len(s.Neutral), err)
	}
	again, err := w.Sentences(lines, 100, 1)
	if err != nil || !slices.Equal(again.Pairs, s.Pairs) {
		t.Error("a seed draws others")
	}
}

// saidBy embeds a sentence by its tokens: noise of the sentence, which its pair shares, and a direction of the group for its words.
type saidBy struct{ first, second []float64 }

func (e saidBy) Embed(_ context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	var out [][]float64
	for _, s := range sequences {
		x := normal(uint64(s[0]), 1)[0]
		switch s[1] {
		case LabelFirst:
			floats.AddScaled(x, 1.5, e.first)
		case LabelSecond:
			floats.AddScaled(x, 1.5, e.second)
		}
		out = append(out, x)
	}
	told(len(out))
	return out, nil
}

// TestNullspace: behind INLP a classifier does no better than chance on sentences that nothing was trained on, and SentenceDebias
// finds the direction between the groups.
func TestNullspace(t *testing.T) {
	a, b := unit(40), unit(41)
	w, err := Gender()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i := range 900 {
		lines = append(lines, strings.Repeat("so ", i)+[]string{"he", "she", "it"}[i%3])
	}
	s, err := w.Sentences(lines, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	stages := 0
	r := Representations{Encoder: saidBy{a, b}, Told: func(int, int) { stages++ }, Encode: func(text string) ([]int64, error) {
		n := len(strings.Fields(text))
		if n == 5 {
			return nil, errors.New("too long")
		}
		return []int64{int64(1000 + n), int64(slices.Index([]string{"he", "she", "it"}, text[strings.LastIndex(text, " ")+1:]))}, nil
	}}
	e, err := r.Embed(context.Background(), s)
	if err != nil || r.Skipped != 1 || stages != 2 || len(e.Pairs) != 599 {
		t.Fatalf("%d pairs, %d skipped, %v", len(e.Pairs), r.Skipped, err)
	}
	p, err := SentenceDebias(e.Sets(), 1)
	if err != nil {
		t.Fatal(err)
	}
	between := slices.Clone(a)
	floats.Sub(between, b)
	floats.Scale(1/floats.Norm(between, 2), between)
	if c := floats.Dot(p.Directions[0], between); c*c < 0.9999 {
		t.Errorf("cosine %v with the direction between the groups", c)
	}
	train, held := e.Labelled()
	before, err := Telling(train, held)
	if err != nil {
		t.Fatal(err)
	}
	p, rounds, err := INLP(train.X, train.Labels, INLPConfig{Rounds: 20, Enough: 0.03, Held: held})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []LabelledVectors{train, held} {
		for _, x := range list.X {
			p.Apply(x)
		}
	}
	after, err := Telling(train, held)
	if err != nil {
		t.Fatal(err)
	}
	if chance := Chance(held.Labels); before < 0.65 || after > chance+0.03 || len(rounds) > 4 || len(p.Directions) > 8 {
		t.Errorf("accuracy %v before, %v after, by chance %v; %d rounds, %d directions", before, after, chance, len(rounds), len(p.Directions))
	}
	if _, _, err := INLP(train.X, train.Labels, INLPConfig{Held: LabelledVectors{held.X, held.Labels[1:]}}); err == nil {
		t.Error("labels and embeddings that are held back differ in number")
	}
}
