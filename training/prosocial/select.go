package prosocial

import (
	"cmp"
	"fmt"
	"slices"

	"graft/onnx/noise"
)

// Selection says which heads are held: S, heads that induced bias before a network was debiased and do not any more.
type Selection struct {
	By Rule // "": BySets
	// Threshold is the part of the total effect before that a head has to mediate; 0: 0.05.
	Threshold float64
	// Top in place of a threshold is how many heads are taken; 0: by the threshold, and a quarter of the heads for ByChange.
	Top int
	// Ratio goes by the ratios, and not by their logarithms.
	Ratio bool
}

// Rule says how sets of heads make S.
type Rule string

// Rules.
const (
	BySets   Rule = "sets"   // heads whose effect is large before and is not after
	ByChange Rule = "change" // heads whose effect fell most
)

// Selected are sets of heads.
type Selected struct {
	Before []Head `json:"before"` // B0
	After  []Head `json:"after"`  // Ba
	Held   []Head `json:"held"`   // S
}

// Select finds S from the effects before and after debiasing.
func (c Selection) Select(before, after *Effects) (*Selected, error) {
	if len(before.Heads) != len(after.Heads) {
		return nil, fmt.Errorf("effects of %d heads before, %d after", len(before.Heads), len(after.Heads))
	}
	of := func(e *Effects) []float64 {
		out := make([]float64, len(e.Heads))
		for i, h := range e.Heads {
			if out[i] = h.Log; c.Ratio {
				out[i] = h.Ratio
			}
		}
		return out
	}
	total := before.Log
	if c.Ratio {
		total = before.Ratio
	}
	x, y := of(before), of(after)
	heads := make([]Head, len(before.Heads))
	for i, h := range before.Heads {
		heads[i] = h.Head
	}
	set := func(effect []float64) []Head {
		if c.Top > 0 {
			return largest(heads, effect, c.Top)
		}
		var out []Head
		for i, e := range effect {
			if e >= cmp.Or(c.Threshold, 0.05)*total {
				out = append(out, heads[i])
			}
		}
		return out
	}
	out := &Selected{Before: set(x), After: set(y)}
	switch c.By {
	case "", BySets:
		out.Held = slices.DeleteFunc(slices.Clone(out.Before), func(h Head) bool { return slices.Contains(out.After, h) })
	case ByChange:
		fell := make([]float64, len(x))
		for i := range x {
			fell[i] = x[i] - y[i]
		}
		out.Held = largest(heads, fell, cmp.Or(c.Top, max(1, len(heads)/4)))
	default:
		return nil, fmt.Errorf("select heads by %q: there are sets, change", string(c.By))
	}
	return out, nil
}

// largest are the heads of the largest numbers above zero, in the order of heads.
func largest(heads []Head, x []float64, n int) []Head {
	at := make([]int, len(heads))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
	at = slices.DeleteFunc(at[:min(n, len(at))], func(i int) bool { return !(x[i] > 0) })
	slices.Sort(at)
	out := make([]Head, len(at))
	for i, j := range at {
		out[i] = heads[j]
	}
	return out
}

// RandomHeads are so many heads by chance.
func RandomHeads(all []Head, n int, seed uint64) []Head {
	var out []Head
	for _, i := range permutation(len(all), noise.NewKey(seed, "heads", 0))[:min(n, len(all))] {
		out = append(out, all[i])
	}
	return out
}

// Weighting says how the strength of the penalty follows from a head's width.
type Weighting string

// Weightings. All have the mean strength over the heads that are held.
const (
	Uniform Weighting = "uniform"
	Sigma   Weighting = "sigma" // in proportion to the width
	Rank    Weighting = "rank"  // in proportion to the rank of the width, the smallest being 1
)

// Weights are r by head.
func (w Weighting) Weights(held []Head, strength float64, widths map[Head]float64) (map[Head]float64, error) {
	raw := make([]float64, len(held))
	sum := 0.0
	for i, h := range held {
		switch w {
		case Uniform:
			raw[i] = 1
		case Sigma:
			raw[i] = widths[h]
		case Rank:
			for _, other := range held {
				if widths[other] <= widths[h] {
					raw[i]++
				}
			}
		default:
			return nil, fmt.Errorf("no weighting %q: there are uniform, sigma, rank", string(w))
		}
		sum += raw[i]
	}
	out := map[Head]float64{}
	for i, h := range held {
		if !(sum > 0) {
			return nil, fmt.Errorf("weighting %s: the widths are not positive", string(w))
		}
		out[h] = strength * raw[i] * float64(len(held)) / sum
	}
	return out, nil
}
