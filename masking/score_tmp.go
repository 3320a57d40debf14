package masking

import (
	"graft/onnx"
	"graft/onnx/noise"
)

func MagnitudeScores(v *onnx.Value, seed uint64) []float32 {
	out := make([]float32, v.Const.Len())
	for i, x := range v.Const.Float32s() {
		out[i] = max(x, -x)
	}
	return out
}

func RandomScores(v *onnx.Value, seed uint64) []float32 {
	out := make([]float32, v.Const.Len())
	noise.Uniform(out, noise.NewKey(seed, "random/"+v.Name, 0))
	return out
}
