package masking

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx/noise"
)

// KeepCount is how many of n weights stay when the fraction sparsity is removed: floor((1-sparsity)*n + 1e-6).
func KeepCount(n int64, sparsity float64) int64 {
	return int64(math.Floor((1-sparsity)*float64(n) + 1e-6))
}

// TopK marks the k largest scores. Ties at the border are broken by numbers drawn from the seed. A score that is not a
// number is an error.
func TopK(scores []float32, k int64, seed uint64) ([]bool, error) {
	if k < 0 || k > int64(len(scores)) {
		return nil, fmt.Errorf("keep %d of %d weights: no such choice", k, len(scores))
	}
	for i, s := range scores {
		if s != s {
			return nil, fmt.Errorf("score of weight %d is not a number", i)
		}
	}
	keep := make([]bool, len(scores))
	if k == 0 {
		return keep, nil
	}
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	border := sorted[int64(len(sorted))-k]
	var ties []int
	left := k
	for i, s := range scores {
		switch {
		case s > border:
			keep[i] = true
			left--
		case s == border:
			ties = append(ties, i)
		}
	}
	key := noise.NewKey(seed, "ties", 0)
	draw := func(i int) float32 { return noise.Float(key, uint32(i)) }
	slices.SortFunc(ties, func(a, b int) int {
		switch x, y := draw(a), draw(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return a - b
	})
	for _, i := range ties[:left] {
		keep[i] = true
	}
	return keep, nil
}
