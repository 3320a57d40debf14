package masking

import (
	"math"

	"graft/onnx"
)

// magnitude keeps the weights that are largest in absolute value (Han et al., arXiv 1506.02626).
var magnitude = Score{Name: "magnitude", Doc: "keep the weights of largest absolute value", Of: func(v *onnx.Value, _ uint64) []float32 {
	scores := make([]float32, v.Const.Len())
	if v.Const.DType == onnx.Float {
		for i, x := range onnx.Read[float32](v.Const) {
			scores[i] = float32(math.Abs(float64(x)))
		}
		return scores
	}
	values, _ := v.Const.Reals()
	for i, x := range values {
		scores[i] = float32(math.Abs(x))
	}
	return scores
}}
