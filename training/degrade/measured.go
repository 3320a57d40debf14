package degrade

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Inpainting is the observation of a picture y [1,C,H,W] of which a pixel counts by its weight [1,1,H,W] in [0, 1], 0 where it is
// missing. What y has there does not matter.
func Inpainting(y, weight *onnx.Tensor) (*Observation, error) {
	if len(y.Dims) != 4 || len(weight.Dims) != 4 || weight.Dims[0] != 1 || weight.Dims[1] != 1 || weight.Dims[2] != y.Dims[2] || weight.Dims[3] != y.Dims[3] {
		return nil, fmt.Errorf("inpainting: weights %v for a picture %v", weight.Type(), y.Type())
	}
	y = y.Clone()
	for i := range y.Float32s() {
		y.Float32s()[i] *= weight.Float32s()[int64(i)%weight.Len()]
	}
	o := seen(y)
	o.Weight = weight
	o.Graph = func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Mul(x, b.Const(weight.Clone())) }
	return o, nil
}

// SuperResolution is the observation of a picture whose square groups of k by k pixels have y [1,C,H,W] for their means.
func SuperResolution(y *onnx.Tensor, k int64) (*Observation, error) {
	if len(y.Dims) != 4 || k < 2 || k > 64 {
		return nil, fmt.Errorf("super-resolution of %v by %d: wants [1,C,H,W] and 2 to 64", y.Type(), k)
	}
	height, width := y.Dims[2]*k, y.Dims[3]*k
	plain := onnx.NewTensor(onnx.Float, y.Dims[0], y.Dims[1], height, width)
	for i := range plain.Float32s() {
		plane, row, column := int64(i)/(height*width), int64(i)/width%height, int64(i)%width
		plain.Float32s()[i] = y.Float32s()[(plane*(height/k)+row/k)*(width/k)+column/k]
	}
	return &Observation{Y: y, Plain: plain, Graph: func(b *op.Builder, x *onnx.Value) *onnx.Value {
		return b.AveragePool(x, op.PoolAttrs{Kernel: []int64{k, k}, Strides: []int64{k, k}})
	}}, nil
}
