package language

import (
	"math"

	"graft/onnx"
)

// frequencies are those that pairs turn by, one a pair, in the steps of float32 that transformers takes:
// 1 / theta^(2i/width), changed by RopeScaling.
func (c Config) frequencies() []float32 {
	list := make([]float32, c.HeadDim/2)
	for i := range list {
		exponent := float32(2*i) / float32(c.HeadDim)
		list[i] = 1 / float32(math.Pow(c.RopeTheta, float64(exponent)))
	}
	s := c.RopeScaling
	if s == nil {
		return list
	}
	for i, f := range list {
		if s.Type == "linear" {
			list[i] = f / float32(s.Factor)
			continue
		}
		// llama3: short waves stay, long ones are stretched, and what is between is mixed of both.
		wave := 2 * math.Pi / float64(f)
		low, high := float64(s.Original)/s.LowFreq, float64(s.Original)/s.HighFreq
		switch {
		case wave > low:
			list[i] = float32(float64(f) / s.Factor)
		case wave >= high:
			smooth := (float64(s.Original)/wave - s.LowFreq) / (s.HighFreq - s.LowFreq)
			list[i] = float32((1-smooth)*float64(f)/s.Factor + smooth*float64(f))
		}
	}
	return list
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
