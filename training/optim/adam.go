package optim

import (
	"cmp"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// AdamConfig are the settings of Adam and AdamW. Zero Beta1, Beta2 and Epsilon mean 0.9, 0.999 and 1e-8.
type AdamConfig struct {
	Beta1, Beta2, Epsilon float64
	WeightDecay           float64
}

// Adam is Kingma and Ba's optimizer (2015, algorithm 1) as PyTorch has it: at step t, with weight decay w,
//
//	g' = g + w p,  m' = b1 m + (1-b1) g',  v' = b2 v + (1-b2) g'^2,
//	p' = p - lr m'/(1-b1^t) / (sqrt(v'/(1-b2^t)) + epsilon).
func Adam(c AdamConfig) Optimizer { return adam("adam", c.usual(), false) }

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2): p is first multiplied by 1 - lr w, and
// the gradient is left alone.
func AdamW(c AdamConfig) Optimizer { return adam("adamw", c.usual(), true) }

// usual puts the usual settings in the places of zeros.
func (c AdamConfig) usual() AdamConfig {
	c.Beta1, c.Beta2, c.Epsilon = cmp.Or(c.Beta1, 0.9), cmp.Or(c.Beta2, 0.999), cmp.Or(c.Epsilon, 1e-8)
	return c
}

// adamLate is AdamW as Hugging Face's Transformers and ONNX Runtime's training had it: epsilon is not corrected for its bias,
// and the decay comes behind the step,
//
//	q = p - lr sqrt(1-b2^t)/(1-b1^t) m'/(sqrt(v') + epsilon),  p' = q - lr w q.
func adamLate(c AdamConfig) Optimizer {
	update := func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, step *onnx.Value) (*onnx.Value, []*onnx.Value) {
		m, v := moments(b, c, g, slots)
		_, size := corrections(b, c, lr, step)
		p = b.Sub(p, b.Mul(b.Div(m, b.Add(b.Sqrt(v), b.Scalar(v, c.Epsilon))), like(b, size, p)))
		if c.WeightDecay != 0 {
			p = b.Sub(p, b.Mul(p, times(b, like(b, lr, p), c.WeightDecay)))
		}
		return p, []*onnx.Value{m, v}
	}
	return Optimizer{Name: "adamw-late", Slots: []string{"momentum0", "momentum1"}, LearningRate: 1e-3, Update: update}
}

// moments are m' and v'.
func moments(b *op.Builder, c AdamConfig, g *onnx.Value, slots []*onnx.Value) (m, v *onnx.Value) {
	m = b.Add(times(b, slots[0], c.Beta1), times(b, g, 1-c.Beta1))
	v = b.Add(times(b, slots[1], c.Beta2), times(b, b.Mul(g, g), 1-c.Beta2))
	return m, v
}

// corrections are root = sqrt(1-b2^t) and lr root/(1-b1^t), in float64: 1-b2^t loses four digits in float32 at the first
// steps.
func corrections(b *op.Builder, c AdamConfig, lr, step *onnx.Value) (root, size *onnx.Value) {
	rate, t := b.Cast(lr, onnx.Double), b.Cast(step, onnx.Double)
	one := b.Scalar(rate, 1)
	root = b.Sqrt(b.Sub(one, b.Pow(b.Scalar(rate, c.Beta2), t)))
	return root, b.Div(b.Mul(rate, root), b.Sub(one, b.Pow(b.Scalar(rate, c.Beta1), t)))
}

func adam(name string, c AdamConfig, decoupled bool) Optimizer {
	update := func(b *op.Builder, p, g *onnx.Value, slots []*onnx.Value, lr, step *onnx.Value) (*onnx.Value, []*onnx.Value) {
		if !decoupled {
			g = decayed(b, g, p, c.WeightDecay)
		}
		m, v := moments(b, c, g, slots)
		// Multiplying numerator and denominator by root leaves one pass over v less.
		root, size := corrections(b, c, lr, step)
		rate := b.Cast(lr, onnx.Double)
		epsilon := like(b, b.Mul(root, b.Scalar(rate, c.Epsilon)), p)
		if c.WeightDecay != 0 && decoupled {
			p = b.Mul(p, like(b, b.Sub(b.Scalar(rate, 1), b.Mul(rate, b.Scalar(rate, c.WeightDecay))), p))
		}
		move := b.Mul(b.Div(m, b.Add(b.Sqrt(v), epsilon)), like(b, size, p))
		return b.Sub(p, move), []*onnx.Value{m, v}
	}
	return Optimizer{Name: name, Slots: []string{"momentum0", "momentum1"}, LearningRate: 1e-3, Update: update}
}

func adamSettings(eps, decay float64) []setting.Setting {
	return []setting.Setting{beta("1", 0.9), beta("2", 0.999), epsilon(eps), weightDecay(decay)}
}

func adamOf(name string, decoupled bool) func(setting.Values) Optimizer {
	return func(v setting.Values) Optimizer {
		return adam(name, AdamConfig{Beta1: v["beta1"], Beta2: v["beta2"], Epsilon: v["eps"], WeightDecay: v["weight-decay"]}, decoupled)
	}
}

func adamLateOf(v setting.Values) Optimizer {
	return adamLate(AdamConfig{Beta1: v["beta1"], Beta2: v["beta2"], Epsilon: v["eps"], WeightDecay: v["weight-decay"]})
}
