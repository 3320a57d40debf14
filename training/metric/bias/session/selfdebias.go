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

// SelfDebiased is Causal by the probabilities that Self-Debias makes of the model's own. Prefixes stand before each sequence, behind
// the token begin where it begins with that; -1: there is none. It is nil where the model has no logits.
func (m *Model) SelfDebiased(d generate.SelfDebias, begin int64) bias.Causal {
	if m.out[roleLogits] == nil {
		return nil
	}
	return selfDebiased{m, d, begin}
}

type selfDebiased struct {
	*Model
	debias generate.SelfDebias
	begin  int64
}

// LogLikelihoods implements bias.Causal. The model is asked for all logits of each sequence, and of it behind each prefix.
func (m selfDebiased) LogLikelihoods(ctx context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	longest := 0
	for _, p := range m.debias.Prefixes {
		longest = max(longest, len(p))
	}
	for _, s := range slices.Concat(sequences, m.debias.Prefixes) {
		if err := m.known(s); err != nil {
			return nil, err
		}
	}
	kind := fmt.Sprintf("self-debias %g %g", m.debias.Decay, m.debias.Least)
	a, left := m.ask(len(sequences), func(i int) bias.Question {
		return bias.QuestionOf(kind, slices.Concat([][]int64{sequences[i], {m.begin}}, m.debias.Prefixes)...)
	}, func(i int) int { return len(sequences[i]) - 1 }, told)
	for _, i := range left {
		if len(sequences[i]) == 0 {
			return nil, errNoTokens
		}
	}
	if len(left) == 0 {
		return a.out, nil
	}
	name := m.out[roleLogits].Name
	o, err := m.form("all logits", func() (*onnx.Model, bool, error) {
		kept, err := keeping(m.model, name)
		return kept, false, err
	})
	if err != nil {
		return nil, err
	}
	all, err := batches(left, func(i int) int { return len(sequences[i]) + longest }, max(1, m.tokens(true)/(1+len(m.debias.Prefixes))))
	if err != nil {
		return nil, err
	}
	err = each(ctx, a, all, batch.indexes, func(b batch) error {
		b.length -= longest
		logits := make([]func(row, column int) []float32, 1+len(m.debias.Prefixes))
		for k := range logits {
			var prefix []int64
			if k > 0 {
				prefix = m.debias.Prefixes[k-1]
			}
			if logits[k], err = m.logits(ctx, o, batch{b.index, b.length + len(prefix)}, func(i int) []int64 { return m.behind(prefix, sequences[i]) }); err != nil {
				return err
			}
		}
		biased := make([][]float32, len(m.debias.Prefixes))
		for row, i := range b.index {
			for column, id := range sequences[i][1:] {
				for k, p := range m.debias.Prefixes {
					biased[k] = logits[k+1](row, column+len(p))
				}
				a.out[i] = append(a.out[i], m.debias.Debias(logits[0](row, column), biased)[id])
			}
		}
		return nil
	})
	return a.out, err
}

// behind is a sequence with a prefix before it.
func (m selfDebiased) behind(prefix, s []int64) []int64 {
	if n := len(prefix); n > 0 && m.begin >= 0 && s[0] == m.begin {
		return slices.Concat(s[:1], prefix, s[1:])
	}
	return slices.Concat(prefix, s)
}

// logits runs a batch, and gives the logits behind a token.
func (m selfDebiased) logits(ctx context.Context, o *opened, b batch, ids func(int) []int64) (func(row, column int) []float32, error) {
	feeds, err := m.feeds(o, b, ids, none)
	if err != nil {
		return nil, err
	}
	name := m.out[roleLogits].Name
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
