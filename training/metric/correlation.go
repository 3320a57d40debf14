package metric

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Pearson is the correlation of two lists of equal length; 0 where one of them is constant.
func Pearson(x, y []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	r := stat.Correlation(x, y, nil)
	if math.IsNaN(r) {
		return 0
	}
	return r
}

// Spearman is the correlation of the ranks of two lists; equal numbers have the mean of their ranks (Spearman 1904).
func Spearman(x, y []float64) float64 { return Pearson(ranks(x), ranks(y)) }

// ranks begin with 1.
func ranks(x []float64) []float64 {
	at := make([]int, len(x))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	out := make([]float64, len(x))
	for from := 0; from < len(at); {
		to := from + 1
		for to < len(at) && x[at[to]] == x[at[from]] {
			to++
		}
		for _, i := range at[from:to] {
			out[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return out
}
