package oes

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// SGLDConfig sets stochastic gradient Langevin dynamics up. Zero fields take the values of the authors' code.
type SGLDConfig struct {
	Steps  int64
	Rate   float64 // 1e-2
	Jitter float64 // standard deviation of what is added to z in every step; 1/30
	Noise  float64 // of what is added to every weight of a convolution after every step; half the rate
	Seed   uint64
}

const inputDrift = "drift"

// SGLD fits the dense network with noise on its input and on its weights (Cheng, Gadelha, Maji, Sheldon, CVPR 2019): the noise is
// what keeps it from drawing the image's own. Weights are what the gradient has made plus the sum of all noise so far.
func (p *Problem) SGLD(ctx context.Context, c SGLDConfig, run Run) (*Fit, error) {
	if c.Rate == 0 {
		c.Rate = 1e-2
	}
	if c.Jitter == 0 {
		c.Jitter = 1. / 30
	}
	if c.Noise == 0 {
		c.Noise = c.Rate / 2
	}
	inputs := p.Network.Graph.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("sgld: the network has %d inputs, wants z alone", len(inputs))
	}
	step, err := training.NewStep(p.Network, training.StepConfig{
		Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}), Provider: run.Session.Provider,
		Constants: map[string]*onnx.Tensor{training.InputTarget: p.Noisy},
		Weights: func(b *op.Builder, trained *onnx.Value) *onnx.Value {
			return b.Add(trained, b.Graph().AddInput(inputDrift, trained.Type))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("sgld: %w", err)
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const })
	if err != nil {
		return nil, fmt.Errorf("sgld: %w", err)
	}
	walk := newWalk(step.Packing, c)
	z, name := p.Z.Clone(), inputs[0].Name
	done, err := p.follow(ctx, step, follow{steps: c.Steps, rate: c.Rate, start: start, feed: func(step int64) map[string]*onnx.Tensor {
		noise.Normal(z.Float32s(), noise.NewKey(c.Seed, "sgld/z", uint64(step)))
		for i, x := range p.Z.Float32s() {
			z.Float32s()[i] = x + float32(c.Jitter)*z.Float32s()[i]
		}
		return map[string]*onnx.Tensor{name: z, inputDrift: walk.to(step - 1)}
	}}, run)
	if err != nil {
		return nil, fmt.Errorf("sgld: %w", err)
	}
	weights := done.snapshot.Trained.Float32s()
	for i, d := range walk.to(c.Steps).Float32s() {
		weights[i] += d
	}
	return p.finish(ctx, step.Packing.Unpack(done.snapshot.Trained), done, c.Steps, run)
}

// walk is the sum of the noise on the weights, a function of seed and step.
type walk struct {
	sum  *onnx.Tensor
	draw []float32
	on   []bool // whether noise is added to a weight
	c    SGLDConfig
	at   int64
}

func newWalk(packing *training.Packing, c SGLDConfig) *walk {
	w := &walk{sum: onnx.NewTensor(onnx.Float, packing.Len()), draw: make([]float32, packing.Len()), c: c}
	for i := range packing.Names() {
		n := int64(1)
		for _, d := range packing.Dims(i) {
			n *= d
		}
		for range n {
			w.on = append(w.on, len(packing.Dims(i)) == 4)
		}
	}
	return w
}

// to goes on to the sum behind a step, which is not before the last one asked for.
func (w *walk) to(step int64) *onnx.Tensor {
	for ; w.at < step; w.at++ {
		noise.Normal(w.draw, noise.NewKey(w.c.Seed, "sgld/weights", uint64(w.at+1)))
		sum := w.sum.Float32s()
		for i, x := range w.draw {
			if w.on[i] {
				sum[i] += float32(w.c.Noise) * x
			}
		}
	}
	return w.sum
}
