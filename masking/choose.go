package masking

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Scope is what shares one threshold.
type Scope string

// Global compares all weights of the network; Layer compares those of one tensor, so that each loses the same fraction.
const (
	Global Scope = "global"
	Layer  Scope = "layer"
)

// Parameters lists what of g a mask covers, in the order of the initializers: the learned float weights (op.IsParameter).
func Parameters(g *onnx.Graph) []*onnx.Value {
	var list []*onnx.Value
	for _, v := range g.Initializers() {
		if op.IsParameter(v) {
			list = append(list, v)
		}
	}
	return list
}

// Choose makes the masks that remove the fraction sparsity of the parameters with the lowest scores: KeepCount of all
// their elements stay, or of each tensor's. Ties are broken from the seed.
//
// The scores of a network of many parameters are computed again each time they are looked at, a tensor at a time: they take no
// memory beside the masks.
func Choose(parameters []*onnx.Value, s Score, sparsity float64, scope Scope, seed uint64) (*Set, error) {
	lengths, total := make([]int, len(parameters)), int64(0)
	for i, v := range parameters {
		if v.Const == nil {
			return nil, fmt.Errorf("score %s: it is stored sparse: make it dense first", limits.Name(v.Name))
		}
		lengths[i] = int(v.Const.Len())
		total += v.Const.Len()
	}
	cached := make([][]float32, len(parameters))
	scores := func(i int) []float32 {
		if cached[i] != nil {
			return cached[i]
		}
		return s.Of(parameters[i], seed)
	}
	for i, v := range parameters {
		list := s.Of(v, seed)
		if j := slices.IndexFunc(list, func(x float32) bool { return x != x }); j >= 0 {
			return nil, fmt.Errorf("score %s: element %d is not a number", limits.Name(v.Name), j)
		}
		if total <= mostCached {
			cached[i] = list
		}
	}
	set := &Set{}
	add := func(first int, keep [][]bool) error {
		for i, k := range keep {
			v := parameters[first+i]
			if err := set.Add(&Mask{Name: v.Name, Dims: slices.Clone(v.Const.Dims), Keep: k}); err != nil {
				return err
			}
		}
		return nil
	}
	if scope != Layer {
		return set, add(0, largest(lengths, scores, KeepCount(total, sparsity), seed))
	}
	for i, n := range lengths {
		part := scores(i)
		if err := add(i, largest([]int{n}, func(int) []float32 { return part }, KeepCount(int64(n), sparsity), seed)); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// mostCached is how many scores are kept in memory.
const mostCached = 1 << 26
