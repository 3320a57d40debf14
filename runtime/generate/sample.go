package generate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"graft/onnx/noise"
)

// choose is the token that follows, by its logits.
func (s *Settings) choose(logits []float32, step int) (int64, error) {
	if err := wrongLogit(logits); err != nil {
		return 0, err
	}
	if s.Temperature == 0 {
		best := 0
		for id, v := range logits {
			if v > logits[best] {
				best = id
			}
		}
		return int64(best), nil
	}
	ids, p := s.likely(logits)
	u, sum := float64(noise.Float(noise.NewKey(s.Seed, "generate", uint64(step)), 0)), 0.
	for i := range p {
		if sum += p[i]; u < sum {
			return int64(ids[i]), nil
		}
	}
	return int64(ids[len(ids)-1]), nil
}

// wrongLogit refuses logits that are no numbers; that of a token which never comes may be -Inf.
func wrongLogit(logits []float32) error {
	for id, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 1) {
			return fmt.Errorf("the model gave token %d the logit %v", id, v)
		}
	}
	return nil
}

// likely are the tokens that may be drawn, likeliest first, and their probabilities: softmax of the logits over the temperature, of
// these the TopK, of these the fewest whose probabilities come to TopP.
func (s *Settings) likely(logits []float32) (ids []int, p []float64) {
	ids = make([]int, len(logits))
	for i := range ids {
		ids[i] = i
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b))
	})
	if s.TopK > 0 && s.TopK < len(ids) {
		ids = ids[:s.TopK]
	}
	top, sum := float64(logits[ids[0]]), 0.
	p = make([]float64, len(ids))
	for i, id := range ids {
		p[i] = math.Exp((float64(logits[id]) - top) / s.Temperature)
		sum += p[i]
	}
	if s.TopP > 0 && s.TopP < 1 {
		kept := 0.
		for i := range p {
			if kept += p[i]; kept >= s.TopP*sum {
				ids, p, sum = ids[:i+1], p[:i+1], kept
				break
			}
		}
	}
	for i := range p {
		p[i] /= sum
	}
	return ids, p
}
