package bias

import "math"

// Moved is a number before and after, and the paired bootstrap interval of its change.
type Moved struct {
	Before float64  `json:"before"`
	After  float64  `json:"after"`
	Change float64  `json:"change"`
	CI     Interval `json:"ci"`
}

// Change is how a benchmark that asks for 50 % moved between two models, on the items that both scored.
type Change struct {
	N          int                `json:"n"`
	Score      Moved              `json:"score"`
	Distance   Moved              `json:"distance"` // of the score from 50
	LMS        *Moved             `json:"lms,omitempty"`
	ICAT       *Moved             `json:"icat,omitempty"`
	ByCategory map[string]*Change `json:"by_category,omitempty"`
}

// moved takes statistics of two sets of items at the same indexes.
func moved(n, statistics int, r Resampling, before, after func(index []int, into []float64)) []Moved {
	b, a := make([]float64, statistics), make([]float64, statistics)
	both := func(index []int, into []float64) {
		before(index, b)
		after(index, a)
		for k := range into {
			into[k] = a[k] - b[k]
		}
	}
	ci := r.Intervals(n, statistics, both)
	both(everyIndex(n), make([]float64, statistics))
	out := make([]Moved, statistics)
	for k := range out {
		out[k] = Moved{Before: b[k], After: a[k], Change: a[k] - b[k], CI: ci[k]}
	}
	return out
}

// StereoChange compares outcomes of the same StereoSet by the means over targets. It is nil where no example is in both.
func StereoChange(before, after *StereoOutcomes, r Resampling) *Change {
	where := map[*StereoExample]int{}
	for i, o := range before.Of {
		where[o.Example] = i
	}
	var b, a []StereoOutcome
	for _, o := range after.Of {
		if i, ok := where[o.Example]; ok {
			b, a = append(b, before.Of[i]), append(a, o)
		}
	}
	if len(a) == 0 {
		return nil
	}
	out := stereoChange(b, a, r)
	out.ByCategory = map[string]*Change{}
	for _, kind := range StereoBiasTypes {
		is := func(o StereoOutcome) bool { return o.Example.BiasType == kind }
		if of := pick(b, is); len(of) > 0 {
			out.ByCategory[kind] = stereoChange(of, pick(a, is), r)
		}
	}
	return out
}

// PairChange compares outcomes of the same pairs, by their names. It is nil where no pair is in both.
func PairChange(before, after []PairOutcome, r Resampling) *Change {
	where := map[string]PairOutcome{}
	for _, o := range before {
		where[o.Name] = o
	}
	var b, a []bool
	kinds := map[string][2][]bool{}
	for _, o := range after {
		was, ok := where[o.Name]
		if !ok {
			continue
		}
		b, a = append(b, was.hit()), append(a, o.hit())
		k := kinds[o.Category]
		kinds[o.Category] = [2][]bool{append(k[0], was.hit()), append(k[1], o.hit())}
	}
	out := ItemChange(b, a, r)
	if out == nil {
		return nil
	}
	out.ByCategory = map[string]*Change{}
	for name, k := range kinds {
		out.ByCategory[name] = ItemChange(k[0], k[1], r)
	}
	return out
}

func stereoChange(before, after []StereoOutcome, r Resampling) *Change {
	statistic := func(of []StereoOutcome) func([]int, []float64) {
		g := groupTargets(of)
		return func(index []int, into []float64) {
			n := g.score(index)
			into[0], into[1], into[2], into[3] = n.ss, math.Abs(n.ss-50), n.lms, n.icat
		}
	}
	m := moved(len(after), 4, r, statistic(before), statistic(after))
	return &Change{N: len(after), Score: m[0], Distance: m[1], LMS: &m[2], ICAT: &m[3]}
}

// ItemChange compares two models on items of which each says whether the stereotype was preferred, in the same order: the
// pairs of CrowS-Pairs and WinoBias, or items of several benchmarks pooled.
func ItemChange(before, after []bool, r Resampling) *Change {
	if len(before) == 0 || len(before) != len(after) {
		return nil
	}
	statistic := func(of []bool) func([]int, []float64) {
		return func(index []int, into []float64) {
			hits := 0
			for _, i := range index {
				if of[i] {
					hits++
				}
			}
			into[0] = 100 * float64(hits) / float64(len(index))
			into[1] = math.Abs(into[0] - 50)
		}
	}
	m := moved(len(after), 2, r, statistic(before), statistic(after))
	return &Change{N: len(after), Score: m[0], Distance: m[1]}
}
