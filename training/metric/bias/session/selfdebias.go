package session

import (
	"context"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/generate"
	"graft/training/metric/bias"
)

// SelfDebiased answers by the probabilities that Self-Debias makes of the model's own, as a causal or as a masked model. Prefixes stand
// before each sequence, behind the token begin where it begins with that; -1: there is none. It is nil where the model has no logits.
func (m *Model) SelfDebiased(d generate.SelfDebias, begin int64) *SelfDebiased {
	if m.out[roleLogits] == nil {
		return nil
	}
	s := &SelfDebiased{model: m, debias: d, begin: begin}
	for _, p := range d.Prefixes {
		s.longest = max(s.longest, len(p))
	}
	return s
}

// SelfDebiased is a model whose probabilities are changed.
type SelfDebiased struct {
	model   *Model
	debias  generate.SelfDebias
	begin   int64
	longest int // tokens of a prefix
}

// ask begins a list of questions that are made of sequences.
func (m *SelfDebiased) ask(kind string, n int, sequences func(int) [][]int64, width func(int) int, told func(int)) (*asking, []int, error) {
	for i := range n {
		for _, s := range append(sequences(i)[:1:1], m.debias.Prefixes...) {
			if err := m.model.known(s); err != nil {
				return nil, nil, err
			}
		}
		if len(sequences(i)[0]) == 0 {
			return nil, nil, errNoTokens
		}
	}
	kind = fmt.Sprintf("%s %g %g", kind, m.debias.Decay, m.debias.Least)
	a, left := m.model.ask(n, func(i int) bias.Question {
		return bias.QuestionOf(kind, slices.Concat(sequences(i), [][]int64{{m.begin}}, m.debias.Prefixes)...)
	}, width, told)
	return a, left, nil
}

// each has take answer the questions of a batch that are left, of the logits of their sequences behind nothing and behind each prefix.
func (m *SelfDebiased) each(ctx context.Context, a *asking, left []int, ids, types func(int) []int64, take func(b batch, logits []rowsOfLogits)) error {
	if len(left) == 0 {
		return nil
	}
	o, err := m.model.form("all logits", func() (*onnx.Model, bool, error) {
		kept, err := keeping(m.model.model, m.model.out[roleLogits].Name)
		return kept, false, err
	})
	if err != nil {
		return err
	}
	all, err := batches(left, func(i int) int { return len(ids(i)) + m.longest }, max(1, m.model.tokens(true)/(1+len(m.debias.Prefixes))))
	if err != nil {
		return err
	}
	return each(ctx, a, all, batch.indexes, func(b batch) error {
		b.length -= m.longest
		logits := make([]rowsOfLogits, 1+len(m.debias.Prefixes))
		for k := range logits {
			var prefix []int64
			if k > 0 {
				prefix = m.debias.Prefixes[k-1]
			}
			longer, of := map[int][]int64{}, map[int][]int64{}
			for _, i := range b.index {
				longer[i], of[i] = m.behind(prefix, ids(i)), typesBehind(prefix, types(i))
			}
			if logits[k], err = m.logits(ctx, o, batch{b.index, b.length + len(prefix)}, func(i int) []int64 { return longer[i] },
				func(i int) []int64 { return of[i] }); err != nil {
				return err
			}
		}
		take(b, logits)
		return nil
	})
}

// debiased are the changed log-probabilities behind a token of a sequence.
func (m *SelfDebiased) debiased(logits []rowsOfLogits, row, column int) []float64 {
	biased := make([][]float32, len(m.debias.Prefixes))
	for k, p := range m.debias.Prefixes {
		biased[k] = logits[k+1](row, column+len(p))
	}
	return m.debias.Debias(logits[0](row, column), biased)
}

// LogLikelihoods implements bias.Causal. The model is asked for all logits of each sequence, and of it behind each prefix.
func (m *SelfDebiased) LogLikelihoods(ctx context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	a, left, err := m.ask("self-debias", len(sequences), func(i int) [][]int64 { return sequences[i : i+1] }, func(i int) int { return len(sequences[i]) - 1 }, told)
	if err != nil {
		return nil, err
	}
	err = m.each(ctx, a, left, func(i int) []int64 { return sequences[i] }, none, func(b batch, logits []rowsOfLogits) {
		for row, i := range b.index {
			for column, id := range sequences[i][1:] {
				a.out[i] = append(a.out[i], m.debiased(logits, row, column)[id])
			}
		}
	})
	return a.out, err
}

// LogProbs implements bias.Masked, in the same way.
func (m *SelfDebiased) LogProbs(ctx context.Context, questions []bias.Hidden, told func(int)) ([][]float64, error) {
	for i := range questions {
		if err := m.model.answerable(&questions[i]); err != nil {
			return nil, err
		}
	}
	a, left, err := m.ask("self-debias masked", len(questions), func(i int) [][]int64 {
		q := &questions[i]
		return [][]int64{q.IDs, q.Types, {int64(q.At)}, q.Want}
	}, func(i int) int { return len(questions[i].Want) }, told)
	if err != nil {
		return nil, err
	}
	err = m.each(ctx, a, left, func(i int) []int64 { return questions[i].IDs }, func(i int) []int64 { return questions[i].Types }, func(b batch, logits []rowsOfLogits) {
		for row, i := range b.index {
			q := &questions[i]
			p := m.debiased(logits, row, q.At)
			for _, id := range q.Want {
				a.out[i] = append(a.out[i], p[id])
			}
		}
	})
	return a.out, err
}

// behind is a sequence with a prefix before it.
func (m *SelfDebiased) behind(prefix, s []int64) []int64 {
	if n := len(prefix); n > 0 && m.begin >= 0 && s[0] == m.begin {
		return slices.Concat(s[:1], prefix, s[1:])
	}
	return slices.Concat(prefix, s)
}

// typesBehind are those of the tokens: the prefix is of the first text. nil stays nil.
func typesBehind(prefix, types []int64) []int64 {
	if types == nil {
		return nil
	}
	return slices.Concat(make([]int64, len(prefix)), types)
}

// rowsOfLogits gives the logits of a batch, by row and place.
type rowsOfLogits func(row, column int) []float32

// logits runs a batch.
func (m *SelfDebiased) logits(ctx context.Context, o *opened, b batch, ids, types func(int) []int64) (rowsOfLogits, error) {
	feeds, err := m.model.feeds(o, b, ids, types)
	if err != nil {
		return nil, err
	}
	name := m.model.out[roleLogits].Name
	results, err := o.session.Run(ctx, feeds, name)
	if err != nil {
		return nil, err
	}
	t, err := runtime.Floats(results[name], onnx.Float)
	if err != nil {
		return nil, err
	}
	if d := t.Dims; len(d) != 3 || d[0] != int64(len(b.index)) || d[1] != int64(b.length) || d[2] < 1 {
		return nil, fmt.Errorf("logits are of %v, want [%d, %d, vocabulary]", d, len(b.index), b.length)
	}
	v, width := t.Float32s(), int(t.Dims[2])
	for _, x := range v {
		if x-x != 0 {
			return nil, fmt.Errorf("the model gave the logit %v", x)
		}
	}
	return func(row, column int) []float32 { return v[(row*b.length+column)*width:][:width] }, nil
}
