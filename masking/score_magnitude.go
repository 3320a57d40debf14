package masking

import (
	"math"

	"graft/onnx"
)

// magnitude keeps the weights that are largest in absolute value (Han et al., arXiv 1506.02626).
var magnitude = Score{Name: "magnitude", Doc: "keep the weights of largest absolute value", Of: func(v *onnx.Value, _ uint64) []float32 {
	values, _ := v.Const.Reals()
	scores := make([]float32, len(values))
	for i, x := range values {
		scores[i] = float32(math.Abs(x))
	}
	return scores
}}
