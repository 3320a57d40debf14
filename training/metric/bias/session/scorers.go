package session

import (
	"context"
	"fmt"
	"math"

	"graft/onnx"
	"graft/training/metric/bias"
)

type masked struct{ *Model }

// LogProbs implements bias.Masked. Questions of a batch may want different numbers of tokens.
func (m masked) LogProbs(ctx context.Context, questions []bias.Hidden, told func(int)) ([][]float64, error) {
	o, err := m.answers()
	if err != nil {
		return nil, err
	}
	for i := range questions {
		if err := m.answerable(&questions[i]); err != nil {
			return nil, err
		}
	}
	a, left := m.ask(len(questions), func(i int) bias.Question {
		q := &questions[i]
		return bias.QuestionOf("masked", q.IDs, q.Types, []int64{int64(q.At)}, q.Want)
	}, func(i int) int { return len(questions[i].Want) }, told)
	all, err := batches(left, func(i int) int { return len(questions[i].IDs) }, m.tokens(false))
	if err != nil {
		return nil, err
	}
	err = each(ctx, a, all, batch.indexes, func(b batch) error {
		feeds, err := m.feeds(o, b, func(i int) []int64 { return questions[i].IDs }, func(i int) []int64 { return questions[i].Types })
		if err != nil {
			return err
		}
		width := 0
		for _, i := range b.index {
			width = max(width, len(questions[i].Want))
		}
		at, wanted := make([]int64, len(b.index)), make([]int64, len(b.index)*width)
		for row, i := range b.index {
			at[row] = int64(row*b.length + questions[i].At)
			copy(wanted[row*width:], questions[i].Want)
		}
		feeds[inputAt] = onnx.FromSlice(at, int64(len(at)))
		feeds[inputWanted] = onnx.FromSlice(wanted, int64(len(at)), int64(width))
		found, err := m.found(ctx, o, feeds, len(wanted))
		if err != nil {
			return err
		}
		for row, i := range b.index {
			a.out[i] = doubles(found[row*width : row*width+len(questions[i].Want)])
		}
		return nil
	})
	return a.out, err
}

// answerable refuses a question that has no answer.
func (m *Model) answerable(q *bias.Hidden) error {
	if err := m.known(append(q.IDs[:len(q.IDs):len(q.IDs)], q.Want...)); err != nil {
		return err
	}
	if q.At < 0 || q.At >= len(q.IDs) || len(q.Want) == 0 {
		return fmt.Errorf("a question asks for %d tokens at place %d of %d", len(q.Want), q.At, len(q.IDs))
	}
	return nil
}

// answers opens the form that gives log-probabilities.
func (m *Model) answers() (*opened, error) {
	return m.form(roleLogits, func() (*onnx.Model, bool, error) { return m.answering(false) })
}

type causal struct{ *Model }

// LogLikelihoods implements bias.Causal.
func (m causal) LogLikelihoods(ctx context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	for _, s := range sequences {
		if err := m.known(s); err != nil {
			return nil, err
		}
	}
	a, left := m.ask(len(sequences), func(i int) bias.Question { return bias.QuestionOf("causal", sequences[i]) },
		func(i int) int { return len(sequences[i]) - 1 }, told)
	ids := func(i int) []int64 { return sequences[i] }
	var longest []int64
	for _, i := range left {
		if s := sequences[i]; len(s) == 0 {
			return nil, errNoTokens
		} else if len(s) > len(longest) {
			longest = s
		}
	}
	if len(left) == 0 {
		return a.out, nil
	}
	f, err := m.forest(ctx, len(longest), longest)
	if err != nil {
		return nil, err
	}
	if f != nil {
		all := groves(rowsOf(trees(left, ids, mostPlaces), mostPlaces), m.tokens(true))
		err := each(ctx, a, all, grove.indexes, func(g grove) error { return m.score(ctx, f, g, a.out) })
		return a.out, err
	}
	o, err := m.answers()
	if err != nil {
		return nil, err
	}
	all, err := batches(left, func(i int) int { return len(sequences[i]) }, m.tokens(true))
	if err != nil {
		return nil, err
	}
	err = each(ctx, a, all, batch.indexes, func(b batch) error {
		feeds, err := m.feeds(o, b, ids, none)
		if err != nil {
			return err
		}
		// Nothing is asked of the last place of a sequence.
		n := b.length - 1
		if n == 0 {
			return nil
		}
		at, wanted := make([]int64, 0, len(b.index)*n), make([]int64, 0, len(b.index)*n)
		for row, i := range b.index {
			for column := range n {
				at = append(at, int64(row*b.length+column))
			}
			wanted = append(wanted, sequences[i][1:]...)
		}
		feeds[inputAt] = onnx.FromSlice(at, int64(len(at)))
		feeds[inputWanted] = onnx.FromSlice(wanted, int64(len(wanted)), 1)
		found, err := m.found(ctx, o, feeds, len(wanted))
		if err != nil {
			return err
		}
		for row, i := range b.index {
			a.out[i] = doubles(found[row*n:][:n])
		}
		return nil
	})
	return a.out, err
}

// found runs a form that answers, and wants so many finite numbers.
func (m *Model) found(ctx context.Context, o *opened, feeds map[string]*onnx.Tensor, want int) ([]float32, error) {
	results, err := o.session.Run(ctx, feeds)
	if err != nil {
		return nil, err
	}
	found := results[outputFound].Float32s()
	if len(found) != want {
		return nil, fmt.Errorf("the model gave %d log-probabilities, want %d", len(found), want)
	}
	for _, v := range found {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("the model gave the log-probability %v", v)
		}
	}
	return found, nil
}

type next struct{ *Model }

// Follows implements bias.NextSentence.
func (m next) Follows(ctx context.Context, pairs []bias.Pair, told func(int)) ([]float64, error) {
	answers, err := m.plain(ctx, roleNext, "next", len(pairs), func(i int) []int64 { return pairs[i].IDs }, func(i int) []int64 { return pairs[i].Types }, told,
		func(b batch, t *onnx.Tensor, out [][]float64) error {
			if len(t.Dims) != 2 || t.Dims[1] != 2 {
				return fmt.Errorf("scores of next sentences are of %v, want [batch, 2]", t.Dims)
			}
			v := t.Float32s()
			for row, i := range b.index {
				out[i] = []float64{1 / (1 + math.Exp(float64(v[2*row+1])-float64(v[2*row])))}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(pairs))
	for i, a := range answers {
		if len(a) == 1 {
			out[i] = a[0]
		}
	}
	return out, nil
}

type encoder struct{ *Model }

// Embed implements bias.Encoder.
func (m encoder) Embed(ctx context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	return m.plain(ctx, roleHidden, "mean", len(sequences), func(i int) []int64 { return sequences[i] }, none, told,
		func(b batch, t *onnx.Tensor, out [][]float64) error {
			if len(t.Dims) != 3 || t.Dims[1] != int64(b.length) {
				return fmt.Errorf("hidden states are of %v, want [batch, sequence, width]", t.Dims)
			}
			v, width := t.Float32s(), int(t.Dims[2])
			for row, i := range b.index {
				mean := make([]float64, width)
				for column := range b.length {
					for k, x := range v[(row*b.length+column)*width:][:width] {
						mean[k] += float64(x) / float64(b.length)
					}
				}
				out[i] = mean
			}
			return nil
		})
}

// plain runs the model for one of its outputs, of which take makes answers; kind says of which kind these are.
func (m *Model) plain(ctx context.Context, role, kind string, n int, ids, types func(int) []int64, told func(int),
	take func(batch, *onnx.Tensor, [][]float64) error) ([][]float64, error) {
	name := m.out[role].Name
	o, err := m.form(role, func() (*onnx.Model, bool, error) {
		kept, err := keeping(m.model, name)
		return kept, false, err
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		if err := m.known(ids(i)); err != nil {
			return nil, err
		}
	}
	a, left := m.ask(n, func(i int) bias.Question { return bias.QuestionOf(kind, ids(i), types(i)) }, func(int) int { return -1 }, told)
	all, err := batches(left, func(i int) int { return len(ids(i)) }, m.tokens(false))
	if err != nil {
		return nil, err
	}
	err = each(ctx, a, all, batch.indexes, func(b batch) error {
		feeds, err := m.feeds(o, b, ids, types)
		if err != nil {
			return err
		}
		results, err := o.session.Run(ctx, feeds, name)
		if err != nil {
			return err
		}
		t := results[name]
		if t.DType != onnx.Float || len(t.Dims) == 0 || t.Dims[0] != int64(len(b.index)) {
			return fmt.Errorf("output %s is %s of %v, want float32 of a batch of %d", name, t.DType, t.Dims, len(b.index))
		}
		return take(b, t, a.out)
	})
	return a.out, err
}

func doubles(from []float32) []float64 {
	out := make([]float64, len(from))
	for i, v := range from {
		out[i] = float64(v)
	}
	return out
}
