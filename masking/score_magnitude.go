package masking

// magnitude keeps the weights that are largest in absolute value (Han et al., arXiv 1506.02626).
var magnitude = Score{Name: "magnitude", Doc: "keep the weights of largest absolute value",
	Rule: Rule{Of: each(func(e *Evidence, i int) float32 { return abs(e.Weight[i]) })}}
