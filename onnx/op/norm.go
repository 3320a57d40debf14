package op

import "graft/onnx"

// InstanceNormalization normalizes each channel of each sample of x [N,C,...] with its own mean and biased variance, then
// applies scale [C] and bias [C].
func (b *Builder) InstanceNormalization(x, scale, bias *onnx.Value, epsilon float32) *onnx.Value {
	return b.node("InstanceNormalization", []*onnx.Value{x, scale, bias}, onnx.Float32("epsilon", epsilon))
}

// BatchNormalization in its inference form: (x-mean)/sqrt(variance+epsilon)*scale + bias, a channel each.
func (b *Builder) BatchNormalization(x, scale, bias, mean, variance *onnx.Value, epsilon float32) *onnx.Value {
	return b.node("BatchNormalization", []*onnx.Value{x, scale, bias, mean, variance}, onnx.Float32("epsilon", epsilon))
}
