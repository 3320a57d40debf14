package optim

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// SGDConfig are the settings of SGD. All may be zero.
type SGDConfig struct {
	Momentum    float64
	Nesterov    bool
	WeightDecay float64 // added to the gradient, times the parameter
}

// SGD is stochastic gradient descent as PyTorch has it: with the momentum u and g the gradient with its weight decay,
//
//	v' = u v + g,  p' = p - lr v'  (Nesterov: p' = p - lr (g + u v')).
//
// Without momentum it has no slot. With it, it is Polyak's heavy ball.
func SGD(c SGDConfig) Optimizer {
	o := Optimizer{Name: "sgd", LearningRate: 1e-2}
	if c.Momentum != 0 {
		o.Slots = []string{"momentum0"}
	}
	o.Update = func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, _ *onnx.Value) (*onnx.Value, []*onnx.Value) {
		g = decayed(b, g, p, c.WeightDecay)
		lr = like(b, lr, p)
		if c.Momentum == 0 {
			return b.Sub(p, b.Mul(g, lr)), nil
		}
		v := b.Add(times(b, slots[0], c.Momentum), g)
		along := v
		if c.Nesterov {
			along = b.Add(g, times(b, v, c.Momentum))
		}
		return b.Sub(p, b.Mul(along, lr)), []*onnx.Value{v}
	}
	return o
}

func sgdSettings(m float64) []setting.Setting {
	return []setting.Setting{momentum(m), weightDecay(0)}
}

func sgdOf(name string, nesterov bool) func(setting.Values) Optimizer {
	return func(v setting.Values) Optimizer {
		o := SGD(SGDConfig{Momentum: v["momentum"], Nesterov: nesterov, WeightDecay: v["weight-decay"]})
		o.Name = name
		return o
	}
}
