package optim

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

var adagradSettings = []setting.Setting{
	epsilon(1e-10),
	{Name: "lr-decay", Usage: "the learning rate of step t is divided by 1 + (t-1) times this", High: 1000},
	weightDecay(0),
}

// adagradOf is Duchi, Hazan and Singer's AdaGrad (2011, diagonal form) as PyTorch has it: at step t, with g the gradient with
// its weight decay,
//
//	v' = v + g^2,  p' = p - lr/(1 + (t-1) decay) g/(sqrt(v') + epsilon).
func adagradOf(s setting.Values) Optimizer {
	update := func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, step *onnx.Value) (*onnx.Value, []*onnx.Value) {
		g = decayed(b, g, p, s["weight-decay"])
		v := b.Add(slots[0], b.Mul(g, g))
		if decay := s["lr-decay"]; decay != 0 {
			rate := b.Cast(lr, onnx.Double)
			one := b.Scalar(rate, 1)
			before := b.Sub(b.Cast(step, onnx.Double), one)
			lr = b.Div(rate, b.Add(one, times(b, before, decay)))
		}
		move := b.Div(g, b.Add(b.Sqrt(v), b.Scalar(v, s["eps"])))
		return b.Sub(p, b.Mul(move, like(b, lr, p))), []*onnx.Value{v}
	}
	return Optimizer{Name: "adagrad", Slots: []string{"momentum0"}, LearningRate: 1e-2, Update: update}
}
