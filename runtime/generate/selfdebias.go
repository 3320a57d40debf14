package generate

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// SelfDebias makes tokens less likely that become likelier behind a text which asks for bias (Schick et al. 2021). With p the
// probabilities behind the text x and p_y those behind a prefix y and x,
//
//	Delta(w) = p(w) - p_y(w)                                     (2)
//	p'(w) ~ alpha(Delta(w)) p(w)                                 (3)
//	alpha(d) = 1 for d >= 0, else max(exp(Decay d), Least)       (4, 5)
//
// Of several prefixes the largest p_y(w) counts. Least, which the authors' program has so that no probability becomes zero, is
// 0.01 there, and Decay 50.
type SelfDebias struct {
	Prefixes [][]int64 // what stands before the text: whole, with the token that begins a text if the model wants one
	Begin    int       // tokens of the prompt that a prefix takes the place of: its own such token
	Decay    float64
	Least    float64
}

// check refuses what is no way of debiasing.
func (d *SelfDebias) check(prompt []int64) error {
	switch {
	case len(d.Prefixes) == 0:
		return fmt.Errorf("self-debiasing wants a prefix")
	case d.Begin < 0 || d.Begin >= max(len(prompt), 1):
		return fmt.Errorf("self-debiasing: %d tokens of a prompt of %d are to be left out", d.Begin, len(prompt))
	case !(d.Decay >= 0) || math.IsInf(d.Decay, 0) || !(d.Least >= 0 && d.Least <= 1):
		return fmt.Errorf("self-debiasing: decay %g and least factor %g", d.Decay, d.Least)
	}
	return nil
}

// Debias gives the logarithms of p' from logits behind the text and behind each prefix and the text.
func (d *SelfDebias) Debias(plain []float32, biased [][]float32) []float64 {
	out := logSoftmax(plain)
	most := make([]float64, len(out))
	for i := range most {
		most[i] = math.Inf(-1)
	}
	for _, logits := range biased {
		for i, v := range logSoftmax(logits) {
			most[i] = max(most[i], v)
		}
	}
	sum := 0.
	for i, v := range out {
		if delta := math.Exp(v) - math.Exp(most[i]); delta < 0 {
			out[i] += math.Log(max(math.Exp(d.Decay*delta), d.Least))
		}
		sum += math.Exp(out[i])
	}
	for i := range out {
		out[i] -= math.Log(sum)
	}
	return out
}

// logSoftmax are the logarithms of probabilities.
func logSoftmax(logits []float32) []float64 {
	top := float64(slices.Max(logits))
	sum := 0.
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	out := make([]float64, len(logits))
	for i, v := range logits {
		out[i] = float64(v) - top - math.Log(sum)
	}
	return out
}

// texts are what is written on together: the text itself, and it behind each prefix.
type texts struct {
	plain  *text
	biased []*text
	debias *SelfDebias
}

func (m *Model) startAll(prompt []int64, d *SelfDebias) (*texts, error) {
	plain, err := m.start(slices.Clone(prompt))
	if err != nil {
		return nil, err
	}
	t := &texts{plain: plain, debias: d}
	if d != nil && d.Decay > 0 {
		for _, prefix := range d.Prefixes {
			b, err := m.start(slices.Concat(prefix, prompt[d.Begin:]))
			if err != nil {
				t.close()
				return nil, err
			}
			t.biased = append(t.biased, b)
		}
	}
	return t, nil
}

// close frees the caches.
func (t *texts) close() {
	t.plain.state.Close()
	for _, b := range t.biased {
		b.state.Close()
	}
}

// longest is the length of the longest.
func (t *texts) longest() int {
	n := len(t.plain.ids)
	for _, b := range t.biased {
		n = max(n, len(b.ids))
	}
	return n
}

func (t *texts) add(id int64) {
	t.plain.ids = append(t.plain.ids, id)
	for _, b := range t.biased {
		b.ids = append(b.ids, id)
	}
}

// logits are those of the token behind the text; with debiasing the logarithms of its probabilities.
func (t *texts) logits(ctx context.Context) ([]float32, error) {
	plain, err := t.plain.logits(ctx)
	if err != nil || len(t.biased) == 0 {
		return plain, err
	}
	if err := wrongLogit(plain); err != nil {
		return nil, err
	}
	biased := make([][]float32, len(t.biased))
	for i, b := range t.biased {
		if biased[i], err = b.logits(ctx); err != nil {
			return nil, err
		}
		if err := wrongLogit(biased[i]); err != nil {
			return nil, err
		}
	}
	out := make([]float32, len(plain))
	for i, v := range t.debias.Debias(plain, biased) {
		out[i] = float32(v)
	}
	return out, nil
}
