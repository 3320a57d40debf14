package bias

import "fmt"

// Recorded is a set of sentence scores in the layout of StereoSet's prediction files, with lists of further benchmarks by their
// names.
type Recorded struct {
	Intrasentence []RecordedScore `json:"intrasentence"`
	Intersentence []RecordedScore `json:"intersentence"`
	CrowsPairs    []RecordedScore `json:"crows-pairs,omitempty"`
	CrowsRevised  []RecordedScore `json:"crows-pairs-revised,omitempty"`
	WinoBias      []RecordedScore `json:"winobias,omitempty"`
	// Of has the SHA-256 of the file that a benchmark's pairs are lines of, by which they are named.
	Of map[string]string `json:"of,omitempty"`
}

// pairLists are the names of lists that have scores of pairs.
var pairLists = map[string]bool{"crows-pairs": true, "crows-pairs-revised": true, "winobias": true}

// RecordedScore is the score of a sentence. An example without ids gives "line 12 stereotype" and the like; the sentences of a
// pair are "line 12 more" and "line 12 less".
type RecordedScore struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
}

// RecordPairs lists the scores of pairs.
func RecordPairs(of []PairOutcome) []RecordedScore {
	out := make([]RecordedScore, 0, 2*len(of))
	for _, o := range of {
		out = append(out, RecordedScore{o.Name + " more", o.More}, RecordedScore{o.Name + " less", o.Less})
	}
	return out
}

// name names a candidate in recorded scores.
func (e *StereoExample) name(label Label) string {
	if id := e.Candidates[label].ID; id != "" {
		return id
	}
	return fmt.Sprintf("line %d %s", e.Line, [...]string{"stereotype", "anti-stereotype", "unrelated"}[label])
}

func (p *CrowsPair) outcome() PairOutcome {
	return PairOutcome{Name: fmt.Sprintf("line %d", p.Line), Against: p.Against, Category: p.BiasType}
}

func (p *WinoPair) outcome() PairOutcome {
	return PairOutcome{Name: fmt.Sprintf("%s.%s line %d", p.Category, p.Part, p.Line), Category: p.Category}
}

// Score takes recorded scores, by the names that RecordPairs gives.
func (set *CrowsPairs) Score(scores map[string]float64) ([]PairOutcome, Skips) {
	out := make([]PairOutcome, len(set.Pairs))
	for i := range set.Pairs {
		out[i] = set.Pairs[i].outcome()
	}
	return recordedPairs(out, scores, set.Path, func(i int) int { return set.Pairs[i].Line })
}

// Score takes recorded scores, by the names that RecordPairs gives.
func (set *WinoBias) Score(scores map[string]float64) ([]PairOutcome, Skips) {
	out := make([]PairOutcome, len(set.Pairs))
	for i := range set.Pairs {
		out[i] = set.Pairs[i].outcome()
	}
	return recordedPairs(out, scores, "WinoBias", func(i int) int { return set.Pairs[i].Line })
}

func recordedPairs(all []PairOutcome, scores map[string]float64, path string, line func(int) int) (out []PairOutcome, skips Skips) {
	for i, o := range all {
		var more, less bool
		o.More, more = scores[o.Name+" more"]
		o.Less, less = scores[o.Name+" less"]
		if !more || !less {
			skips.add(Skipped{File: path, Line: line(i), Row: o.Name, Reason: "a sentence has no score"})
			continue
		}
		out = append(out, o)
	}
	return out, skips
}
