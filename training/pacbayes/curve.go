package pacbayes

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Curve is K as a function of the prior's standard deviation: linear between the points, constant before the first, and
// going on along the last piece behind the last, where nothing was estimated.
type Curve struct {
	Scale []float64 `json:"scale"` // standard deviations, increasing
	K     []float64 `json:"k"`     // not decreasing
}

// NewCurve makes a curve of estimates, each raised to the largest before it.
func NewCurve(scale, k []float64) (*Curve, error) {
	if len(scale) == 0 || len(scale) != len(k) {
		return nil, fmt.Errorf("%d values of K for %d prior scales", len(k), len(scale))
	}
	c := &Curve{Scale: slices.Clone(scale), K: slices.Clone(k)}
	for i := range c.K {
		if !(c.Scale[i] > 0) || math.IsInf(c.Scale[i], 0) || i > 0 && !(c.Scale[i] > c.Scale[i-1]) {
			return nil, fmt.Errorf("prior scale %g: scales are positive, finite and increasing", c.Scale[i])
		}
		if !(c.K[i] > 0) || math.IsInf(c.K[i], 0) {
			return nil, fmt.Errorf("prior scale %g: K is %g, which is positive and finite", c.Scale[i], c.K[i])
		}
		if i > 0 {
			c.K[i] = max(c.K[i], c.K[i-1])
		}
	}
	return c, nil
}

// hinges are K as first + sum of bends_i max(0, x - Scale_i).
func (c *Curve) hinges() (first float64, bends []float64) {
	bends = make([]float64, len(c.Scale))
	last := 0.0
	for i := range len(c.Scale) - 1 {
		slope := (c.K[i+1] - c.K[i]) / (c.Scale[i+1] - c.Scale[i])
		bends[i] = slope - last
		last = slope
	}
	return c.K[0], bends
}

// At is K of a standard deviation.
func (c *Curve) At(x float64) float64 {
	k, bends := c.hinges()
	for i, bend := range bends {
		k += bend * max(0, x-c.Scale[i])
	}
	return k
}

// Slope is the derivative of At; at a point that of the piece before it.
func (c *Curve) Slope(x float64) (slope float64) {
	_, bends := c.hinges()
	for i, bend := range bends {
		if x > c.Scale[i] {
			slope += bend
		}
	}
	return slope
}

// emit gives K and its derivative of x, one element.
func (c *Curve) emit(b *op.Builder, x *onnx.Value) (k, slope *onnx.Value) {
	first, bends := c.hinges()
	constant := func(v []float64) *onnx.Value { return b.Cast(b.Const(onnx.FromSlice(v)), x.Type.DType) }
	past := b.Sub(x, constant(c.Scale))
	weight := constant(bends)
	zero := b.Scalar(x, 0)
	k = b.Add(b.ReduceSum(b.Mul(b.Max(past, zero), weight), true), b.Scalar(x, first))
	slope = b.ReduceSum(b.Mul(b.Cast(b.Greater(past, zero), x.Type.DType), weight), true)
	return k, slope
}
