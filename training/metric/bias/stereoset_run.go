package bias

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Run has a model score all candidates. Of intrasentence examples,
//
//   - a masked model scores the candidate's word: its tokens from the left, each with a mask in its place, those before it
//     written out and nothing after it; Average of their probabilities;
//   - a causal model scores the sentence: 2 to the mean over tokens of log2 p. As in the published evaluation the first token
//     is judged behind the start token alone, and the others without it.
//
// Of intersentence examples, a model with a head for it scores by the probability that the candidate follows the context;
// a causal model without by the mean over the candidate's tokens of their log-probabilities behind the context (the
// published evaluation trains such a head for causal models instead); a masked model without one scores none.
func (set *StereoSet) Run(ctx context.Context, m *Model, how Measuring) (*StereoOutcomes, *Recorded, error) {
	run := &stereoRun{set: set, m: m, how: how, scores: make([][3]float64, len(set.Examples)), bad: make([]string, len(set.Examples))}
	var intra, inter []int
	for i := range set.Examples {
		if set.Examples[i].Inter {
			inter = append(inter, i)
		} else {
			intra = append(intra, i)
		}
	}
	var err error
	switch {
	case m.Masked != nil:
		err = run.words(ctx, intra)
	case m.Causal != nil:
		err = run.sentences(ctx, intra)
	default:
		return nil, nil, fmt.Errorf("StereoSet wants a masked or a causal language model")
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case m.Next != nil:
		err = run.follow(ctx, inter)
	case m.Causal != nil:
		err = run.behind(ctx, inter)
	default:
		for _, i := range inter {
			run.bad[i] = "the model has no head that tells whether a sentence follows another"
		}
	}
	if err != nil {
		return nil, nil, err
	}
	out, recorded := &StereoOutcomes{}, &Recorded{Intrasentence: []RecordedScore{}, Intersentence: []RecordedScore{}}
	for i := range set.Examples {
		e := &set.Examples[i]
		if run.bad[i] != "" {
			out.Unscored.add(Skipped{File: set.Path, Line: e.Line, Row: e.ID, Reason: run.bad[i]})
			continue
		}
		out.Of = append(out.Of, compared(e, run.scores[i]))
		for label, score := range run.scores[i] {
			row := RecordedScore{e.name(Label(label)), score}
			if e.Inter {
				recorded.Intersentence = append(recorded.Intersentence, row)
			} else {
				recorded.Intrasentence = append(recorded.Intrasentence, row)
			}
		}
	}
	return out, recorded, nil
}

// stereoRun is a set being scored.
type stereoRun struct {
	set    *StereoSet
	m      *Model
	how    Measuring
	scores [][3]float64
	bad    []string // why an example has no score
}

// candidate names one candidate of an example.
type candidate struct {
	example int
	label   Label
}

func (r *stereoRun) fail(c candidate, format string, a ...any) {
	if r.bad[c.example] == "" {
		r.bad[c.example] = fmt.Sprintf(format, a...)
	}
}

// each calls do for every candidate; an error is why its example has no score.
func (r *stereoRun) each(examples []int, do func(e *StereoExample, c candidate) error) {
	for _, i := range examples {
		for label := range Unrelated + 1 {
			c := candidate{i, label}
			if err := do(&r.set.Examples[i], c); err != nil {
				r.fail(c, "%v", err)
			}
		}
	}
}

func (r *stereoRun) words(ctx context.Context, examples []int) error {
	mask, maskID, ok := r.m.Tokenizer.Mask()
	if !ok {
		return fmt.Errorf("the tokenizer has no mask token, which a masked language model wants")
	}
	var asked []Hidden
	var of []candidate
	r.each(examples, func(e *StereoExample, c candidate) error {
		word, err := r.m.word(e)(c.label)
		if err != nil {
			return err
		}
		for n, id := range word {
			begun, err := r.m.Tokenizer.Decode(word[:n])
			if err != nil {
				return err
			}
			text := strings.ReplaceAll(e.Context, Blank, strings.TrimLeft(begun, " ")+mask)
			ids, err := r.m.encode(text)
			if err != nil {
				return err
			}
			at := slices.Index(ids, maskID)
			if at < 0 {
				return fmt.Errorf("the mask is lost when the sentence is made into tokens")
			}
			asked, of = append(asked, Hidden{IDs: ids, At: at, Want: []int64{id}}), append(of, c)
		}
		return nil
	})
	answers, err := r.m.Masked.LogProbs(ctx, asked, r.how.stage("StereoSet, words", len(asked)))
	if err != nil {
		return err
	}
	count := map[candidate]float64{}
	for i, a := range answers {
		v := a[0]
		if r.how.Average == OfProbabilities {
			v = math.Exp(v)
		}
		r.scores[of[i].example][of[i].label] += v
		count[of[i]]++
	}
	for c, n := range count {
		r.scores[c.example][c.label] /= n
	}
	return nil
}

// word gives the tokens of a candidate's word. Behind a space it is made into tokens with the space, which matters to
// tokenizers that keep spaces.
func (m *Model) word(e *StereoExample) func(Label) ([]int64, error) {
	return func(label Label) ([]int64, error) {
		text := e.Candidates[label].Text
		if at := strings.Index(e.Context, Blank); at > 0 && e.Context[at-1] == ' ' {
			text = " " + text
		}
		ids, err := m.Tokenizer.Encode(text, false)
		if err == nil && len(ids) == 0 {
			err = fmt.Errorf("the word has no tokens")
		}
		return ids, err
	}
}

// encode gives the tokens of a whole text, which the model can take.
func (m *Model) encode(text string) ([]int64, error) {
	ids, err := m.Tokenizer.Encode(text, true)
	if err == nil {
		err = m.fits(ids)
	}
	return ids, err
}

func (m *Model) fits(ids []int64) error {
	if m.Limit > 0 && len(ids) > m.Limit {
		return fmt.Errorf("%d tokens, the model takes %d", len(ids), m.Limit)
	}
	if len(ids) == 0 {
		return fmt.Errorf("the text has no tokens")
	}
	return nil
}

func (r *stereoRun) sentences(ctx context.Context, examples []int) error {
	var texts []string
	var of []candidate
	r.each(examples, func(e *StereoExample, c candidate) error {
		texts, of = append(texts, strings.ReplaceAll(e.Context, Blank, e.Candidates[c.label].Text)), append(of, c)
		return nil
	})
	likelihoods, bad, err := r.m.likelihoods(ctx, texts, r.how.stage("StereoSet, sentences", len(texts)))
	if err != nil {
		return err
	}
	for i, c := range of {
		if bad[i] != "" {
			r.fail(c, "%s", bad[i])
			continue
		}
		r.scores[c.example][c.label] = math.Exp(likelihoods[i].mean())
	}
	return nil
}

// follow scores by the head for next sentences.
func (r *stereoRun) follow(ctx context.Context, examples []int) error {
	var pairs []Pair
	var of []candidate
	r.each(examples, func(e *StereoExample, c candidate) error {
		ids, types, err := r.m.Tokenizer.EncodePair(e.Context, e.Candidates[c.label].Text)
		if err == nil {
			err = r.m.fits(ids)
		}
		if err != nil {
			return err
		}
		pairs, of = append(pairs, Pair{ids, types}), append(of, c)
		return nil
	})
	p, err := r.m.Next.Follows(ctx, pairs, r.how.stage("StereoSet, next sentences", len(pairs)))
	if err != nil {
		return err
	}
	for i, c := range of {
		r.scores[c.example][c.label] = p[i]
	}
	return nil
}

// behind scores by the likelihood of the candidate behind the context.
func (r *stereoRun) behind(ctx context.Context, examples []int) error {
	var sequences [][]int64
	var from []int
	var of []candidate
	r.each(examples, func(e *StereoExample, c candidate) error {
		before, err := r.m.encode(ended(e.Context))
		if err != nil {
			return err
		}
		all, err := r.m.encode(ended(e.Context) + " " + e.Candidates[c.label].Text)
		if err != nil {
			return err
		}
		// Both may end with a token that ends a sequence, and the last of the context may be joined to the candidate.
		n := 0
		for n < len(before) && n < len(all) && before[n] == all[n] {
			n++
		}
		if n == 0 || n >= len(all) {
			return fmt.Errorf("the candidate has no tokens of its own")
		}
		sequences, from, of = append(sequences, all), append(from, n), append(of, c)
		return nil
	})
	answers, err := r.m.Causal.LogLikelihoods(ctx, sequences, r.how.stage("StereoSet, next sentences", len(sequences)))
	if err != nil {
		return err
	}
	for i, c := range of {
		r.scores[c.example][c.label] = likelihood(answers[i][from[i]-1:]).mean()
	}
	return nil
}

// ended is a text with a full stop, unless it has an end.
func ended(s string) string {
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
