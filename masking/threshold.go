package masking

import (
	"cmp"
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
	return largest([]int{len(scores)}, func(int) []float32 { return scores }, k, seed)[0], nil
}

// largest marks the k largest of scores that lie in parts, of which each is asked for up to three times. Ties are broken as
// TopK says, by the places in all parts together.
func largest(lengths []int, part func(i int) []float32, k int64, seed uint64) [][]bool {
	keep := make([][]bool, len(lengths))
	for i, n := range lengths {
		keep[i] = make([]bool, n)
	}
	if k == 0 {
		return keep
	}
	border := borderOf(len(lengths), part, k)
	var ties []int
	left, before := k, 0
	for p, n := range lengths {
		for i, s := range part(p) {
			switch {
			case s > border:
				keep[p][i] = true
				left--
			case s == border:
				ties = append(ties, before+i)
			}
		}
		before += n
	}
	if int64(len(ties)) > left {
		key := noise.NewKey(seed, "ties", 0)
		slices.SortFunc(ties, func(a, b int) int {
			return cmp.Or(cmp.Compare(noise.Float(key, uint32(a)), noise.Float(key, uint32(b))), a-b)
		})
		ties = ties[:left]
		slices.Sort(ties)
	}
	p, before := 0, 0
	for _, i := range ties {
		for i-before >= lengths[p] {
			before += lengths[p]
			p++
		}
		keep[p][i-before] = true
	}
	return keep
}

// borderOf is the k-th largest of scores that lie in parts, from 1 on. It counts them by the upper and then by the lower half of
// their bits, ordered as the numbers are.
func borderOf(parts int, part func(i int) []float32, k int64) float32 {
	prefix, left := uint32(0), k
	for _, shift := range []uint{16, 0} {
		var counts [1 << 16]int64
		for p := range parts {
			for _, s := range part(p) {
				if o := ordered(s); shift == 16 || o>>16 == prefix {
					counts[o>>shift&0xffff]++
				}
			}
		}
		for bin := uint32(1<<16 - 1); ; bin-- {
			if counts[bin] >= left {
				prefix = prefix<<16 | bin
				break
			}
			left -= counts[bin]
		}
	}
	if prefix>>31 != 0 {
		return math.Float32frombits(prefix &^ (1 << 31))
	}
	return math.Float32frombits(^prefix)
}

// ordered is a number that is larger as s is; zeros of both signs are one.
func ordered(s float32) uint32 {
	bits := math.Float32bits(s)
	if s == 0 {
		bits = 0
	}
	if bits>>31 != 0 {
		return ^bits
	}
	return bits | 1<<31
}
