package op

import (
	"fmt"

	"graft/onnx"
)

// InstanceNormalization normalizes each channel of each sample of x [N,C,...] with its own mean and biased variance, then
// applies scale [C] and bias [C].
func (b *Builder) InstanceNormalization(x, scale, bias *onnx.Value, epsilon float32) *onnx.Value {
	return b.node("InstanceNormalization", []*onnx.Value{x, scale, bias}, onnx.Float32("epsilon", epsilon))
}

// BatchNormalization in its inference form: (x-mean)/sqrt(variance+epsilon)*scale + bias, a channel each.
func (b *Builder) BatchNormalization(x, scale, bias, mean, variance *onnx.Value, epsilon float32) *onnx.Value {
	return b.node("BatchNormalization", []*onnx.Value{x, scale, bias, mean, variance}, onnx.Float32("epsilon", epsilon))
}

var norm = []Schema{
	{Name: "InstanceNormalization", Since: 7, MinIn: 3, MaxIn: 3, Out: 1, Attributes: []string{"epsilon"}, Infer: channelNorm},
	{Name: "BatchNormalization", Since: 14, MinIn: 5, MaxIn: 5, Out: 3,
		Attributes: []string{"epsilon", "momentum", "training_mode"}, Infer: channelNorm},
}

// channelNorm: the type of x [N,C,...]; every other input is a vector with an entry a channel. In training form the
// running mean and variance follow.
func channelNorm(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	channels := onnx.UnknownDim
	if x.Ranked() {
		if len(x) < 2 {
			return nil, fmt.Errorf("input has rank %d, wants 2 or more", len(x))
		}
		channels = x[1]
	}
	types := one(dtypeOf(n, 0), x.Clone())
	for i := 1; i < n.NumInputs(); i++ {
		p := shapeOf(n, i)
		if !p.Ranked() {
			continue
		}
		if len(p) != 1 {
			return nil, fmt.Errorf("input %d has rank %d, wants 1", i, len(p))
		}
		c, ok := mergeDim(channels, p[0])
		if !ok {
			return nil, fmt.Errorf("input %d has %v entries, x has %v channels", i, p[0], channels)
		}
		channels = c
	}
	for i := 1; i < n.NumOutputs(); i++ {
		types = append(types, onnx.TensorType{DType: dtypeOf(n, 3), Shape: onnx.Shape{channels}})
	}
	return types, nil
}
