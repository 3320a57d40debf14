package generate

import (
	"context"
	"fmt"
	"slices"
)

// Settings say how a text goes on.
type Settings struct {
	Most        int     // tokens that are written
	Longest     int     // tokens that the text may have with the prompt; 0: any number
	Ends        []int64 // tokens that end the text
	Temperature float64 // 0: the likeliest token, without drawing
	TopK        int     // draw from so many tokens; 0: all
	TopP        float64 // draw from the fewest whose probabilities come to it; 0 or 1: all
	Seed        uint64
	Debias      *SelfDebias // nil: the model's own probabilities
}

// Why a text ends.
const (
	StopEnd     = "end"     // one of Ends came
	StopMost    = "most"    // Most were written
	StopLongest = "longest" // the text is as long as it may be
)

// Result is what was written. An end token is not part of it.
type Result struct {
	IDs    []int64
	Margin []float64 // how far the largest logit was above the next, for each token
	Stop   string
}

// Run goes on behind a prompt of one token at least. told, which may be nil, is called with each token; its error ends the run. With an error
// comes what was written before it.
func (m *Model) Run(ctx context.Context, prompt []int64, s Settings, told func(id int64) error) (*Result, error) {
	r := &Result{Stop: StopMost}
	if len(prompt) == 0 {
		return r, fmt.Errorf("the prompt has no tokens")
	}
	if s.Longest > 0 && len(prompt) > s.Longest {
		return r, fmt.Errorf("the prompt has %d tokens, the model takes %d", len(prompt), s.Longest)
	}
	known := prompt
	if s.Debias != nil {
		known = slices.Concat(append(slices.Clone(s.Debias.Prefixes), prompt)...)
	}
	for _, id := range known {
		if id < 0 || m.vocabulary > 0 && id >= m.vocabulary {
			return r, fmt.Errorf("the prompt has token %d, the model has %d", id, m.vocabulary)
		}
	}
	if s.Debias != nil {
		if err := s.Debias.check(prompt); err != nil {
			return r, err
		}
	}
	t, err := m.startAll(prompt, s.Debias)
	if err != nil {
		return r, err
	}
	defer t.close()
	if n := t.longest(); s.Longest > 0 && n > s.Longest {
		return r, fmt.Errorf("the prompt has %d tokens with what is put before it, the model takes %d", n, s.Longest)
	}
	for step := range s.Most {
		if s.Longest > 0 && t.longest() >= s.Longest {
			r.Stop = StopLongest
			break
		}
		logits, err := t.logits(ctx)
		if err != nil {
			return r, err
		}
		id, err := s.choose(logits, step)
		if err != nil {
			return r, err
		}
		if slices.Contains(s.Ends, id) {
			r.Stop = StopEnd
			break
		}
		r.IDs, r.Margin = append(r.IDs, id), append(r.Margin, margin(logits))
		t.add(id)
		if told != nil {
			if err := told(id); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// margin is how far the largest of logits is above the next.
func margin(logits []float32) float64 {
	var best, next float64
	for i, v := range logits {
		switch x := float64(v); {
		case i == 0:
			best, next = x, x
		case x > best:
			best, next = x, best
		case i == 1 || x > next:
			next = x
		}
	}
	return best - next
}
