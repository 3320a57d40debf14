package optim

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Scaled has o move runs of a vector's elements by learning rates of their own: the first counts[0] elements by factors[0]
// times the rate, and so on. With q what o makes of p it is p + f (q - p), which is the same as a rate of f lr for every
// optimizer that moves p in proportion to its rate, weight decay included. Factors that are all one change nothing.
func Scaled(o Optimizer, counts []int64, factors []float64) Optimizer {
	if !slices.ContainsFunc(factors, func(f float64) bool { return f != 1 }) {
		return o
	}
	plain := o.Update
	o.Update = func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, step *onnx.Value) (*onnx.Value, []*onnx.Value) {
		q, after := plain(b, p, g, slots, lr, step)
		moves := b.Sub(q, p)
		parts := []*onnx.Value{moves}
		if len(counts) > 1 {
			parts = b.Split(moves, 0, counts...)
		}
		if b.Err() != nil {
			return nil, nil
		}
		scaled := make([]*onnx.Value, len(parts))
		for i, part := range parts {
			if scaled[i] = part; factors[i] != 1 {
				scaled[i] = b.Mul(part, b.Scalar(part, factors[i]))
			}
		}
		if len(scaled) > 1 {
			return b.Add(p, b.Concat(0, scaled...)), after
		}
		return b.Add(p, scaled[0]), after
	}
	return o
}
