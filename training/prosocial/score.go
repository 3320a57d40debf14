package prosocial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/onnx/limits"
)

// HeadScore is what scores of several kinds say of a head.
type HeadScore struct {
	Head
	Scores map[string]float64 `json:"scores"`
}

// The scores of heads. Of all but widths a larger one says that a head does more for stereotypes.
const (
	ScoreRatio        = "nie"           // natural indirect effect: mean y_h/y - 1, with y = p(anti-stereotype)/p(stereotype)
	ScoreLog          = "log_nie"       // the same by logarithms: mean log(y_h/y)
	ScoreAblation     = "ablation"      // how far log p(stereotype)/p(anti-stereotype) falls, as a mean over words, without the head
	ScoreAblationBias = "ablation_bias" // how far the mean over words of its magnitude falls
	ScoreGradients    = "ig"            // the head's part of log p(stereotype)/p(anti-stereotype), by integrated gradients
	ScoreWidth        = "sigma"         // mean width of the posterior over the head's parameters: small where the head matters
)

// ScoreNames lists the scores.
func ScoreNames() []string {
	return []string{ScoreRatio, ScoreLog, ScoreAblation, ScoreAblationBias, ScoreGradients, ScoreWidth}
}

// mostScored bounds a file of scores.
const mostScored = 512 << 10

// ReadHeadScores reads "heads" of a JSON document.
func ReadHeadScores(data []byte) ([]HeadScore, error) {
	var doc struct {
		Heads []HeadScore `json:"heads"`
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		return nil, limits.Refuse("", "no JSON with scores of heads, as graft heads --json writes it: %v", err)
	}
	if len(doc.Heads) == 0 || len(doc.Heads) > mostScored {
		return nil, limits.Refuse("", "has scores of %d heads", len(doc.Heads))
	}
	return doc.Heads, nil
}

// TopHeads are the n heads whose score of a kind is largest, of those above zero, the largest first; of widths the smallest.
func TopHeads(scores []HeadScore, kind string, n int) ([]Head, error) {
	sorted := slices.Clone(scores)
	have := map[string]bool{}
	for _, s := range sorted {
		for name := range s.Scores {
			have[name] = true
		}
		if _, ok := s.Scores[kind]; !ok {
			return nil, fmt.Errorf("head %v has no score %s: there are %s", s.Head, limits.Name(kind), strings.Join(slices.Sorted(maps.Keys(have)), ", "))
		}
	}
	sign := 1.0
	if kind == ScoreWidth {
		sign = -1
	}
	slices.SortStableFunc(sorted, func(a, b HeadScore) int {
		switch x, y := sign*a.Scores[kind], sign*b.Scores[kind]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var out []Head
	for _, s := range sorted[:min(n, len(sorted))] {
		if s.Scores[kind] > 0 {
			out = append(out, s.Head)
		}
	}
	return out, nil
}
