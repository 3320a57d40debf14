package language

import (
	"math"

	"graft/onnx"
)

// frequencies are those that pairs turn by, one a pair, in the steps of float32 that transformers takes:
// 1 / theta^(2i/width), divided by RotaryFactors.
func (c Config) frequencies() []float32 {
	list := c.unscaled()
	for i, f := range c.RotaryFactors() {
		list[i] = float32(float64(list[i]) / f)
	}
	return list
}

func (c Config) unscaled() []float32 {
	list := make([]float32, c.HeadDim/2)
	for i := range list {
		exponent := float32(2*i) / float32(c.HeadDim)
		list[i] = 1 / float32(math.Pow(c.RopeTheta, float64(exponent)))
	}
	return list
}

// RotaryFactors are what RopeScaling divides the frequency of each pair by.
func (c Config) RotaryFactors() []float64 {
	list := make([]float64, c.HeadDim/2)
	for i, f := range c.unscaled() {
		list[i] = c.RopeScaling.factor(float64(f))
	}
	return list
}

// factor is that of one frequency. llama3 leaves short waves, stretches long ones, and mixes both between.
func (s *RopeScaling) factor(frequency float64) float64 {
	switch {
	case s == nil:
		return 1
	case s.Type == "linear":
		return s.Factor
	}
	wave := 2 * math.Pi / frequency
	switch original := float64(s.Original); {
	case wave > original/s.LowFreq:
		return s.Factor
	case wave < original/s.HighFreq:
		return 1
	default:
		smooth := (original/wave - s.LowFreq) / (s.HighFreq - s.LowFreq)
		return 1 / ((1-smooth)/s.Factor + smooth)
	}
}

// rotation is how far each pair of a token turns: cosines and sines [N,1,S,width/2].
type rotation struct{ cos, sin *onnx.Value }

func (n *net) rotation(positions *onnx.Value) rotation {
	b := n.b.In("rotary")
	angles := b.Mul(b.Cast(b.Unsqueeze(positions, 1, 3), onnx.Float), b.Const(onnx.FromSlice(n.frequencies())))
	return rotation{b.Cos(angles), b.Sin(angles)}
}

// rotate turns the pairs (i, i + width/2) of x [N,heads,S,width].
func (n *net) rotate(name string, x *onnx.Value, r rotation) *onnx.Value {
	b := n.b.In(name)
	half := b.Split(x, 3, n.HeadDim/2, n.HeadDim/2)
	if half[0] == nil {
		return nil
	}
	return b.Concat(3, b.Sub(b.Mul(half[0], r.cos), b.Mul(half[1], r.sin)), b.Add(b.Mul(half[1], r.cos), b.Mul(half[0], r.sin)))
}
