package masking

import "graft/onnx/noise"

// random keeps weights by chance: the baseline that every method has to beat. A parameter's numbers depend on the seed and
// its name alone.
var random = Score{Name: "random", Doc: "keep weights by chance, from the seed", Rule: Rule{Of: func(e Evidence) []float32 {
	scores := make([]float32, len(e.Weight))
	noise.Uniform(scores, noise.NewKey(e.Seed, "prune/"+e.Name, 0))
	return scores
}}}
