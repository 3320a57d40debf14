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
	row("InstanceNormalization", 7, 3, 3, floats22, channelNorm, "epsilon"),
	row("BatchNormalization", 9, 5, 5, accepted{{9, floats}, {14, bfloat}}, channelNorm, "epsilon", "momentum", "training_mode", "spatial").
		outs(5).lowest(batchNormLowest),
	row("LayerNormalization", 17, 2, 3, accepted{{17, floats | bfloat}}, layerNorm, "axis", "epsilon", "stash_type").outs(3),
	row("RMSNormalization", 23, 2, 2, accepted{{23, floats | bfloat}}, rmsNorm, "axis", "epsilon", "stash_type"),
	row("GroupNormalization", 21, 3, 3, accepted{{21, floats | bfloat}}, channelNorm, "epsilon", "num_groups", "stash_type"),
	row("LpNormalization", 7, 1, 1, floats22, alongAxis(-1), "axis", "p"),
	row("MeanVarianceNormalization", 9, 1, 1, floats13, sameAsInput, "axes"),
	row("LRN", 7, 1, 1, floats13, sameAsInput, "alpha", "beta", "bias", "size"),
}

// batchNormLowest: the training form is of 14, scales of another type than x of 15.
func batchNormLowest(n *onnx.Node) int64 {
	if _, err := sameTypes(n, 0, n.NumInputs()); err != nil {
		return 15
	}
	if _, ok := n.Attr("training_mode"); ok || n.NumOutputs() > 1 && n.NumOutputs() < 4 {
		return 14
	}
	return 9
}

// layerNorm: the type of x; mean and inverse deviation keep the normalized axes with size 1.
func layerNorm(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	types := one(dtypeOf(n, 0), x.Clone())
	var stats onnx.Shape
	if x.Ranked() {
		axis, err := axisOf(onnx.AttrOr(n, "axis", int64(-1)), len(x))
		if err != nil {
			return nil, err
		}
		for i := 1; i < n.NumInputs(); i++ {
			if s := shapeOf(n, i); s.Ranked() {
				if err := broadcastsTo(s, x); err != nil {
					return nil, fmt.Errorf("input %d: %w", i, err)
				}
			}
		}
		stats = x.Clone()
		for i := axis; i < len(x); i++ {
			stats[i] = size(1)
		}
	}
	stash := onnx.Float
	if onnx.AttrOr(n, "stash_type", int64(onnx.Float)) == int64(onnx.BFloat16) {
		stash = onnx.BFloat16
	}
	for i := 1; i < n.NumOutputs(); i++ {
		types = append(types, onnx.TensorType{DType: stash, Shape: stats.Clone()})
	}
	return types, nil
}

// rmsNorm: the shape of x, the type of the scale.
func rmsNorm(n *onnx.Node) ([]onnx.TensorType, error) {
	types, err := layerNorm(n)
	if err == nil {
		types[0].DType = dtypeOf(n, 1)
	}
	return types, err
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
