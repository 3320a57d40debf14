package bias

import (
	"slices"

	"graft/onnx/noise"
)

// Sample keeps n examples, drawn from a seed, in their order; all where there are no more.
func (set *StereoSet) Sample(n int, seed uint64) { set.Examples = Sampled(set.Examples, n, seed) }

// Sample keeps n pairs, drawn from a seed, in their order.
func (set *CrowsPairs) Sample(n int, seed uint64) { set.Pairs = Sampled(set.Pairs, n, seed) }

// Sample keeps n pairs, drawn from a seed, in their order.
func (set *WinoBias) Sample(n int, seed uint64) { set.Pairs = Sampled(set.Pairs, n, seed) }

// Sampled gives n of a list, drawn from a seed, in their order; the list itself where it has no more, or n is 0.
func Sampled[T any](list []T, n int, seed uint64) []T {
	if n <= 0 || n >= len(list) {
		return list
	}
	uniform := make([]float32, n)
	noise.Uniform(uniform, noise.NewKey(seed, "sample", 0))
	index := everyIndex(len(list))
	for i, u := range uniform {
		j := i + int(float64(u)*float64(len(list)-i))
		index[i], index[j] = index[j], index[i]
	}
	slices.Sort(index[:n])
	out := make([]T, n)
	for i, k := range index[:n] {
		out[i] = list[k]
	}
	return out
}
