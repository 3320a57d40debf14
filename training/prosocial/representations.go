package prosocial

import (
	"context"
	"fmt"

	"graft/training/metric/bias"
)

// Representations has a model embed sentences.
type Representations struct {
	Encoder bias.Encoder
	Encode  func(text string) ([]int64, error) // the tokens of a text; a sentence that fails is left out
	Told    func(done, total int)              // nil: nobody
	Skipped int                                // sentences that had no tokens
}

// Embedded are sentences as vectors.
type Embedded struct {
	Pairs   [][2][]float64
	Neutral [][]float64
}

// Embed gives the vectors of sentences.
func (r *Representations) Embed(ctx context.Context, s *Sentences) (*Embedded, error) {
	var ids [][]int64
	tokens := func(text string) ([]int64, bool) {
		t, err := r.Encode(text)
		if err != nil || len(t) == 0 {
			r.Skipped++
			return nil, false
		}
		return t, true
	}
	pairs := 0
	for _, p := range s.Pairs {
		a, ok := tokens(p[0])
		if !ok {
			continue
		}
		if b, ok := tokens(p[1]); ok {
			ids, pairs = append(ids, a, b), pairs+1
		}
	}
	for _, line := range s.Neutral {
		if t, ok := tokens(line); ok {
			ids = append(ids, t)
		}
	}
	if pairs == 0 {
		return nil, fmt.Errorf("none of %d pairs of sentences has tokens", len(s.Pairs))
	}
	told := func(done int) {
		if r.Told != nil {
			r.Told(done, len(ids))
		}
	}
	told(0)
	rows, err := r.Encoder.Embed(ctx, ids, told)
	if err != nil {
		return nil, err
	}
	e := &Embedded{Neutral: rows[2*pairs:]}
	for i := range pairs {
		e.Pairs = append(e.Pairs, [2][]float64{rows[2*i], rows[2*i+1]})
	}
	return e, nil
}

// Sets are the pairs as SentenceDebias takes them.
func (e *Embedded) Sets() [][][]float64 {
	sets := make([][][]float64, len(e.Pairs))
	for i := range e.Pairs {
		sets[i] = e.Pairs[i][:]
	}
	return sets
}

// Labelled are all vectors with their labels, as INLP takes them. Of five pairs, and of five neutral sentences, the last is held
// back.
func (e *Embedded) Labelled() (train, held LabelledVectors) {
	add := func(i int, x []float64, label int) {
		to := &train
		if i%5 == 4 {
			to = &held
		}
		to.X, to.Labels = append(to.X, x), append(to.Labels, label)
	}
	for i, p := range e.Pairs {
		add(i, p[0], LabelFirst)
		add(i, p[1], LabelSecond)
	}
	for i, x := range e.Neutral {
		add(i, x, LabelNeither)
	}
	return train, held
}

// LabelledVectors are vectors and their classes.
type LabelledVectors struct {
	X      [][]float64
	Labels []int
}
