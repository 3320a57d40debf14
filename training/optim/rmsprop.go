package optim

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

var rmspropSettings = []setting.Setting{
	{Name: "alpha", Usage: "decay of the mean of squared gradients", Default: 0.99, High: 1},
	epsilon(1e-8), momentum(0), weightDecay(0),
}

// rmspropOf is Tieleman and Hinton's RMSprop (2012) as PyTorch has it: with g the gradient with its weight decay and the
// momentum u,
//
//	v' = a v + (1-a) g^2,  d = g/(sqrt(v') + epsilon),  p' = p - lr d;  with momentum m' = u m + d,  p' = p - lr m'.
func rmspropOf(s setting.Values) Optimizer {
	o := Optimizer{Name: "rmsprop", Slots: []string{"momentum0"}, LearningRate: 1e-2}
	u := s["momentum"]
	if u != 0 {
		o.Slots = append(o.Slots, "momentum1")
	}
	o.Update = func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, _ *onnx.Value) (*onnx.Value, []*onnx.Value) {
		g = decayed(b, g, p, s["weight-decay"])
		v := b.Add(times(b, slots[0], s["alpha"]), times(b, b.Mul(g, g), 1-s["alpha"]))
		next := []*onnx.Value{v}
		move := b.Div(g, b.Add(b.Sqrt(v), b.Scalar(v, s["eps"])))
		if u != 0 {
			move = b.Add(times(b, slots[1], u), move)
			next = append(next, move)
		}
		return b.Sub(p, b.Mul(move, like(b, lr, p))), next
	}
	return o
}
