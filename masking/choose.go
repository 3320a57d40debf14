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
func Choose(parameters []*onnx.Value, s Score, sparsity float64, scope Scope, seed uint64) (*Set, error) {
	scores := make([][]float32, len(parameters))
	for i, v := range parameters {
		if v.Const == nil {
			return nil, fmt.Errorf("score %s: it is stored sparse: make it dense first", limits.Name(v.Name))
		}
		scores[i] = s.Of(v, seed)
		if j := slices.IndexFunc(scores[i], func(x float32) bool { return x != x }); j >= 0 {
			return nil, fmt.Errorf("score %s: element %d is not a number", limits.Name(v.Name), j)
		}
	}
	groups := [][][]float32{scores}
	if scope == Layer {
		groups = nil
		for i := range scores {
			groups = append(groups, scores[i:i+1])
		}
	}
	var keep []bool
	for _, g := range groups {
		all := slices.Concat(g...)
		kept, err := TopK(all, KeepCount(int64(len(all)), sparsity), seed)
		if err != nil {
			return nil, err
		}
		keep = append(keep, kept...)
	}
	names, dims := make([]string, len(parameters)), make([][]int64, len(parameters))
	for i, v := range parameters {
		names[i], dims[i] = v.Name, v.Const.Dims
	}
	return FromFlat(names, dims, keep)
}
