package training

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Slots that the update has beside the optimizer's.
const (
	slotEMA         = "ema"         // moving average of the parameters
	slotAccumulated = "accumulated" // sum of gradients since the last update; of the fused form alone
)

// slotNames lists the optimizer's slots and those beside them. Outside of the fused form the sum of gradients is the
// training model's.
func (c *ArtifactConfig) slotNames(fused bool) []string {
	names := append([]string{}, c.Optimizer.Slots...)
	if c.EMA > 0 {
		names = append(names, slotEMA)
	}
	if fused && c.Accumulate > 1 {
		names = append(names, slotAccumulated)
	}
	return names
}

// accumulation is the gradient of several batches, in a graph that runs once for each: step counts the batches.
type accumulation struct {
	sum    *onnx.Value // of the gradients so far
	update *onnx.Value // int64[1]: the number of the update
	last   *onnx.Value // bool[1]: the update takes place
}

// accumulate adds the gradient g to the sum so far. Batches count from 1; the first of every n begins a new sum:
//
//	sum' = g for (step-1) mod n = 0, else sum + g;  update (step-1)/n + 1 takes place for step mod n = 0.
func accumulate(b *op.Builder, n int64, g, sum, step *onnx.Value) accumulation {
	every, one := b.Ints(n), b.Ints(1)
	before := b.Sub(step, one)
	first := b.Equal(b.Mod(before, every), b.Ints(0))
	return accumulation{
		sum:    b.Where(first, g, b.Add(sum, g)), // chosen, so that nothing of an old sum is left
		update: b.Add(b.Div(before, every), one),
		last:   b.Equal(b.Mod(step, every), b.Ints(0)),
	}
}

// averaged is d average + (1-d) p.
func averaged(b *op.Builder, average, p *onnx.Value, d float64) *onnx.Value {
	return b.Add(b.Mul(average, b.Scalar(average, d)), b.Mul(p, b.Scalar(p, 1-d)))
}
