package bias

import (
	"context"
	"fmt"
)

// Run has a model score all pairs. A masked model's score of a sentence is its pseudo-log-likelihood over the tokens that
// both sentences share, the sum of their log-probabilities with one of them masked at a time; the first and the last shared
// token, which begin and end a sequence, are left out. A causal model's is the log-likelihood of the sentence.
func (set *CrowsPairs) Run(ctx context.Context, m *Model, how Measuring) ([]PairOutcome, Skips, error) {
	out := make([]PairOutcome, len(set.Pairs))
	texts := make([][2]string, len(set.Pairs))
	for i, p := range set.Pairs {
		out[i] = p.outcome()
		texts[i] = [2]string{p.More, p.Less}
	}
	bad, err := m.pairs(ctx, texts, out, "CrowS-Pairs", how)
	if err != nil {
		return nil, Skips{}, err
	}
	return scored(out, bad, set.Path, func(i int) int { return set.Pairs[i].Line })
}

// scored leaves out what has no score.
func scored(all []PairOutcome, bad []string, path string, line func(int) int) (out []PairOutcome, skips Skips, err error) {
	for i, o := range all {
		if bad[i] != "" {
			skips.add(Skipped{File: path, Line: line(i), Reason: bad[i]})
			continue
		}
		out = append(out, o)
	}
	return out, skips, nil
}

// pairs scores pairs of texts into out and says why a pair has no score.
func (m *Model) pairs(ctx context.Context, texts [][2]string, out []PairOutcome, name string, how Measuring) ([]string, error) {
	switch {
	case m.Masked != nil:
		return m.maskedPairs(ctx, texts, out, name, how)
	case m.Causal != nil:
		return m.causalPairs(ctx, texts, out, name, how)
	}
	return nil, fmt.Errorf("%s wants a masked or a causal language model", name)
}

func (m *Model) maskedPairs(ctx context.Context, texts [][2]string, out []PairOutcome, name string, how Measuring) ([]string, error) {
	_, mask, ok := m.Tokenizer.Mask()
	if !ok {
		return nil, fmt.Errorf("the tokenizer has no mask token, which a masked language model wants")
	}
	bad := make([]string, len(texts))
	var asked []Hidden
	var into []*float64
	for i, pair := range texts {
		more, err := m.encode(pair[0])
		if err == nil {
			var less []int64
			if less, err = m.encode(pair[1]); err == nil {
				inMore, inLess := unchanged(more, less)
				if len(inMore) < 3 {
					bad[i] = "the sentences share no token"
					continue
				}
				for _, side := range []struct {
					ids  []int64
					at   []int
					into *float64
				}{{more, inMore, &out[i].More}, {less, inLess, &out[i].Less}} {
					for _, at := range side.at[1 : len(side.at)-1] {
						asked, into = append(asked, hide(side.ids, at, mask)), append(into, side.into)
					}
				}
			}
		}
		if err != nil {
			bad[i] = err.Error()
		}
	}
	answers, err := m.Masked.LogProbs(ctx, asked, how.stage(name, len(asked)))
	if err != nil {
		return nil, err
	}
	for i, a := range answers {
		*into[i] += a[0]
	}
	return bad, nil
}

// hide asks for the token at an index with a mask in its place.
func hide(ids []int64, at int, mask int64) Hidden {
	hidden := append([]int64{}, ids...)
	hidden[at] = mask
	return Hidden{IDs: hidden, At: at, Want: []int64{ids[at]}}
}

func (m *Model) causalPairs(ctx context.Context, texts [][2]string, out []PairOutcome, name string, how Measuring) ([]string, error) {
	flat := make([]string, 0, 2*len(texts))
	for _, pair := range texts {
		flat = append(flat, pair[0], pair[1])
	}
	l, wrong, err := m.likelihoods(ctx, flat, how.stage(name, len(flat)))
	if err != nil {
		return nil, err
	}
	bad := make([]string, len(texts))
	for i := range texts {
		if bad[i] = wrong[2*i] + wrong[2*i+1]; bad[i] != "" {
			continue
		}
		if out[i].More, out[i].Less = l[2*i].sum(), l[2*i+1].sum(); how.PerToken {
			out[i].More, out[i].Less = l[2*i].mean(), l[2*i+1].mean()
		}
	}
	return bad, nil
}

// Run has a model score all pairs: a masked model by the log-probabilities of the two pronouns at the pronoun's place, a
// causal model by the log-likelihoods of the two sentences. No coreference is resolved: this is what a language model says of
// WinoBias's sentences, and not the accuracy of a coreference system that the data set was made for.
func (set *WinoBias) Run(ctx context.Context, m *Model, how Measuring) ([]PairOutcome, Skips, error) {
	out := make([]PairOutcome, len(set.Pairs))
	for i := range set.Pairs {
		out[i] = set.Pairs[i].outcome()
	}
	var bad []string
	var err error
	if m.Masked != nil {
		asked := make([]choice, len(set.Pairs))
		for i, p := range set.Pairs {
			asked[i] = choice{p.Before, p.After, [2]string{p.Pro, p.Anti}}
		}
		bad, err = m.choose(ctx, asked, "WinoBias", how, func(i int, p [2]float64) { out[i].More, out[i].Less = p[0], p[1] })
	} else {
		texts := make([][2]string, len(set.Pairs))
		for i, p := range set.Pairs {
			texts[i] = [2]string{p.Before + p.Pro + p.After, p.Before + p.Anti + p.After}
		}
		bad, err = m.pairs(ctx, texts, out, "WinoBias", how)
	}
	if err != nil {
		return nil, Skips{}, err
	}
	return scored(out, bad, "WinoBias", func(i int) int { return set.Pairs[i].Line })
}

// choice is a text with a place for one of two words.
type choice struct {
	before, after string
	words         [2]string
}

// choose gives the log-probabilities of the two words of each choice at the place, and why a choice has none.
func (m *Model) choose(ctx context.Context, of []choice, name string, how Measuring, take func(i int, p [2]float64)) ([]string, error) {
	mask, maskID, ok := m.Tokenizer.Mask()
	if !ok {
		return nil, fmt.Errorf("the tokenizer has no mask token, which a masked language model wants")
	}
	bad := make([]string, len(of))
	var asked []Hidden
	var at []int
	for i, c := range of {
		q, err := m.question(c, mask, maskID)
		if err != nil {
			bad[i] = err.Error()
			continue
		}
		asked, at = append(asked, q), append(at, i)
	}
	answers, err := m.Masked.LogProbs(ctx, asked, how.stage(name, len(asked)))
	if err != nil {
		return nil, err
	}
	for k, a := range answers {
		take(at[k], [2]float64{a[0], a[1]})
	}
	return bad, nil
}

func (m *Model) question(c choice, mask string, maskID int64) (Hidden, error) {
	ids, err := m.encode(c.before + mask + c.after)
	if err != nil {
		return Hidden{}, err
	}
	q := Hidden{IDs: ids, At: -1}
	for i, id := range ids {
		if id == maskID {
			q.At = i
			break
		}
	}
	if q.At < 0 {
		return Hidden{}, fmt.Errorf("the mask is lost when the sentence is made into tokens")
	}
	for _, word := range c.words {
		if n := len(c.before); n > 0 && c.before[n-1] == ' ' {
			word = " " + word
		}
		token, err := m.Tokenizer.Encode(word, false)
		if err != nil {
			return Hidden{}, err
		}
		if len(token) != 1 {
			return Hidden{}, fmt.Errorf("the word%s is %d tokens, want one", " "+word, len(token))
		}
		q.Want = append(q.Want, token[0])
	}
	return q, nil
}
