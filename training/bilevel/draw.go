package bilevel

import (
	"cmp"
	"slices"

	"graft/onnx/noise"
)

// batch is the pairs of the next step. In every round through the pairs they have an order of their own, from the seed and the round's
// number alone; what is left of a round that is no full batch is left out.
func (t *trainer) batch() []int {
	each := t.count / t.Batch
	round, at := t.step/each, t.step%each*t.Batch
	if t.order == nil || t.round != round {
		weight := make([]float32, t.count)
		noise.Uniform(weight, noise.NewKey(t.Seed, "pairs", uint64(round)))
		t.round, t.order = round, make([]int, t.count)
		for i := range t.order {
			t.order[i] = i
		}
		slices.SortFunc(t.order, func(a, b int) int { return cmp.Or(cmp.Compare(weight[a], weight[b]), a-b) })
	}
	return t.order[at : at+t.Batch]
}
