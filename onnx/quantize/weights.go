package quantize

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// product is a node that multiplies by a constant weight.
type product struct {
	node    *onnx.Node
	weight  *onnx.Value
	tensor  *onnx.Tensor
	channel int  // the weight's axis of output channels
	inner   int  // the axis that a product sums over; -1: several
	bias    int  // the bias' place among the inputs; -1: none
	plain   bool // MatMul, or a Gemm that is one: no transposed A, factors of 1
}

// productOf reads n as a product by a float32 weight; ok is false when it is none.
func productOf(n *onnx.Node) (p product, ok bool) {
	p = product{node: n, bias: -1, inner: -1}
	switch {
	case n.Is("Conv"):
		p.channel, p.bias = 0, 2
	case n.Is("MatMul"):
		p.channel, p.inner, p.plain = 1, 0, true
	case n.Is("Gemm"):
		p.channel, p.inner, p.bias = 1, 0, 2
		if onnx.AttrOr(n, "transB", int64(0)) != 0 {
			p.channel, p.inner = 0, 1
		}
		p.plain = onnx.AttrOr(n, "transA", int64(0)) == 0 && onnx.AttrOr(n, "alpha", float32(1)) == 1 && onnx.AttrOr(n, "beta", float32(1)) == 1
	default:
		return p, false
	}
	p.weight = n.Input(1)
	p.tensor = op.ConstantOf(p.weight)
	if p.tensor == nil || p.tensor.DType != onnx.Float || p.tensor.Check() != nil || p.tensor.Len() == 0 || n.Graph().IsInput(p.weight) {
		return p, false
	}
	if p.inner >= 0 && len(p.tensor.Dims) != 2 || len(p.tensor.Dims) < 2 || n.Input(0) == nil || n.Input(0).Type.DType != onnx.Float {
		return p, false
	}
	return p, true
}

// channelOf gives the channel of the i-th element of a tensor along an axis.
func channelOf(dims []int64, axis int) func(i int) int {
	stride := 1
	for _, d := range dims[axis+1:] {
		stride *= int(d)
	}
	size := int(dims[axis])
	return func(i int) int { return i / stride % size }
}

// symmetric gives a weight's elements as int8 in [-most, most] with a scale for each channel along an axis; -1: one for all.
func symmetric(t *onnx.Tensor, axis int, most float32) (q *onnx.Tensor, scales []float32) {
	values := onnx.Read[float32](t)
	channel, count := func(int) int { return 0 }, 1
	if axis >= 0 {
		channel, count = channelOf(t.Dims, axis), int(t.Dims[axis])
	}
	scales = make([]float32, count)
	for i, v := range values {
		scales[channel(i)] = max(scales[channel(i)], float32(math.Abs(float64(v))))
	}
	for i, s := range scales {
		if scales[i] = s / most; scales[i] == 0 {
			scales[i] = 1
		}
	}
	q = onnx.NewTensor(onnx.Int8, t.Dims...)
	out := onnx.View[int8](q)
	for i, v := range values {
		out[i] = int8(min(most, max(-most, float32(math.RoundToEven(float64(v/scales[channel(i)]))))))
	}
	return q, scales
}

// Weights says how int8 weights are made.
type Weights struct {
	PerTensor bool // one scale for a whole weight, not one for each output channel
	// FullRange uses 8 bits, from -127 to 127. Without it weights lie in [-64, 64]: x86 processors without VNNI add two products
	// of a uint8 and an int8 up in 16 bits, which 255*127*2 overflows.
	FullRange bool
}

func (w Weights) most() float32 {
	if w.FullRange {
		return 127
	}
	return 64
}

// Range is what a value ranges over.
type Range struct{ Low, High float64 }

// unsigned gives the scale and zero point of uint8 numbers that hold a range, which is widened to hold 0.
func (r Range) unsigned() (scale float32, zero uint8) {
	low, high := min(r.Low, 0), max(r.High, 0)
	scale = float32((high - low) / 255)
	if scale == 0 || math.IsInf(float64(scale), 0) || math.IsNaN(float64(scale)) {
		return 1, 0
	}
	return scale, uint8(min(255, max(0, math.RoundToEven(-low/float64(scale)))))
}
