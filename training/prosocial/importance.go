package prosocial

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/optim"
)

// Posterior says how the widths of a normal distribution around weights that were trained before are learned.
type Posterior struct {
	Task    string // of package language, which says what the labels are; "": language.TextClassification
	Steps   int64
	Rate    float64 // of Adam, for log sigma, falling evenly to nothing; 0: 0.05
	Gamma   float64 // 0: 10
	Samples int64   // n, of the whole training set
	// Squared begins with sigma = mean |w|^2 of each tensor, as PAC-tuning does, and otherwise with mean |w|. The prior has that width too.
	Squared bool
	Freeze  *regexp.Regexp // weights without noise; nil: none
	Seed    uint64
	Session runtime.Options
	Told    func(step int64, loss float64)
}

// Widths are the posterior's standard deviations, by weight.
type Widths map[string]*onnx.Tensor

const (
	inputNoise   = "noise"
	inputWeights = "weights"
	inputPrior   = "prior_log_scale"
)

// Widths learns sigma = exp(p) of the network N(w, sigma^2) with w at rest, which makes small
//
//	E L(w + exp(p) eps) + (KL + C)/(n gamma),   dKL/dp = exp(2p - 2b) - 1,
//
// with the prior's logarithm of a scale b, fixed for each tensor. What of the bound does not depend on p is left out.
func (n *Network) Widths(ctx context.Context, data *Batches, c Posterior) (Widths, error) {
	out, err := n.widths(ctx, data, c)
	if err != nil {
		return nil, fmt.Errorf("learn the posterior's widths: %w", err)
	}
	return out, nil
}

func (n *Network) widths(ctx context.Context, data *Batches, c Posterior) (Widths, error) {
	if c.Samples < 1 {
		return nil, fmt.Errorf("of %d samples", c.Samples)
	}
	rate, share := cmp.Or(c.Rate, 0.05), 1/(float64(c.Samples)*cmp.Or(c.Gamma, 10))
	start := n.with(nil)
	gated, err := start.gated(Tuning{Task: cmp.Or(c.Task, language.TextClassification), Freeze: c.Freeze, Seed: c.Seed, Session: c.Session})
	if err != nil {
		return nil, err
	}
	w, err := gated.Initial()
	if err != nil {
		return nil, err
	}
	prior, err := gated.Packing().Pack(func(name string) *onnx.Tensor { return spread(start.Weights[name], c.Squared) })
	if err != nil {
		return nil, err
	}
	step, err := gated.Step(training.StepConfig{Optimizer: optim.Adam(optim.AdamConfig{}), Provider: c.Session.Provider,
		Weights: func(b *op.Builder, p *onnx.Value) *onnx.Value {
			g := b.Graph()
			return b.Add(g.AddInput(inputWeights, p.Type), b.Mul(b.Exp(p), g.AddInput(inputNoise, p.Type)))
		},
		PenaltyGradient: func(b *op.Builder, p *onnx.Value) *onnx.Value {
			apart := b.Sub(p, b.Graph().AddInput(inputPrior, p.Type))
			slope := b.Exp(b.Mul(apart, b.Scalar(apart, 2)))
			return b.Mul(b.Sub(slope, b.Scalar(slope, 1)), b.Scalar(slope, share))
		},
		Constants: map[string]*onnx.Tensor{inputWeights: w, inputPrior: prior}})
	if err != nil {
		return nil, err
	}
	draws := onnx.NewTensor(onnx.Float, w.Len())
	loop := &training.Loop{Step: step, Session: c.Session, Data: data,
		Rate: func(step int64) float64 { return rate * float64(c.Steps-step+1) / float64(c.Steps) },
		Feed: func(step int64) map[string]*onnx.Tensor {
			noise.Normal(draws.Float32s(), noise.NewKey(c.Seed, "posterior", uint64(step)))
			return map[string]*onnx.Tensor{inputNoise: draws}
		}}
	if c.Told != nil {
		loop.Each = func(p training.Progress) error {
			c.Told(p.Step, p.Loss)
			return nil
		}
	}
	end, err := loop.Run(ctx, gated.Start(step, prior), c.Steps, 0, nil)
	if err != nil {
		return nil, err
	}
	out := Widths{}
	for _, t := range gated.Packing().Unpack(end.Trained) {
		for i, p := range t.Float32s() {
			t.Float32s()[i] = float32(math.Exp(float64(p)))
		}
		out[t.Name] = t
	}
	return out, nil
}

// spread is log sigma of a tensor's elements before the first step. One of zeros, as biases are, has that of 0.02.
func spread(t *onnx.Tensor, squared bool) *onnx.Tensor {
	mean := 0.0
	for _, x := range t.Float32s() {
		mean += math.Abs(float64(x)) / float64(t.Len())
	}
	if mean < 1e-6 {
		mean = language.Deviation
	}
	p := math.Log(mean)
	if squared {
		p *= 2
	}
	out := onnx.NewTensor(onnx.Float, t.Dims...)
	for i := range out.Float32s() {
		out.Float32s()[i] = float32(p)
	}
	return out
}

// Of is the mean width over the parameters of each head: large where the head does not matter for what was learned.
func (w Widths) Of(n *Network, heads []Head) (map[Head]float64, error) {
	out := map[Head]float64{}
	for _, h := range heads {
		slices, err := n.slices(h)
		if err != nil {
			return nil, err
		}
		sum, count := 0.0, 0
		for _, s := range slices {
			t := w[s.name]
			if t == nil {
				return nil, fmt.Errorf("no widths of %s", s.name)
			}
			s.each(t.Dims, func(i int64) {
				sum += float64(t.Float32s()[i])
				count++
			})
		}
		out[h] = sum / float64(count)
	}
	return out, nil
}
