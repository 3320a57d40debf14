package optim

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

var lionSettings = []setting.Setting{
	{Name: "beta1", Usage: "part of the old mean of gradients in the step", Default: 0.9, High: 1},
	{Name: "beta2", Usage: "decay of the mean of gradients", Default: 0.99, High: 1},
	weightDecay(0),
}

// lionOf is Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2), with weight decay w:
//
//	p' = p - lr (sign(b1 m + (1-b1) g) + w p),  m' = b2 m + (1-b2) g.
//
// In the step it looks at the gradient, which keeps its sign alone: the usual learning rate is a tenth of Adam's.
func lionOf(s setting.Values) Optimizer {
	update := func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, _ *onnx.Value) (*onnx.Value, []*onnx.Value) {
		m := slots[0]
		move := b.Sign(b.Add(times(b, m, s["beta1"]), times(b, g, 1-s["beta1"])))
		move = decayed(b, move, p, s["weight-decay"])
		m = b.Add(times(b, m, s["beta2"]), times(b, g, 1-s["beta2"]))
		return b.Sub(p, b.Mul(move, like(b, lr, p))), []*onnx.Value{m}
	}
	return Optimizer{Name: "lion", Slots: []string{"momentum0"}, LearningRate: 1e-4, Update: update}
}
