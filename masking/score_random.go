package masking

import (
	"graft/onnx"
	"graft/onnx/noise"
)

// random keeps weights by chance: the baseline that every method has to beat. A parameter's numbers depend on the seed and
// its name alone.
var random = Score{Name: "random", Doc: "keep weights by chance, from the seed", Of: func(v *onnx.Value, seed uint64) []float32 {
	scores := make([]float32, v.Const.Len())
	noise.Uniform(scores, noise.NewKey(seed, "prune/"+v.Name, 0))
	return scores
}}
