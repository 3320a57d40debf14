package oes

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// FitConfig sets a fit up.
type FitConfig struct {
	Steps int64
	Rate  float64 // Adam's learning rate: 1e-2 for sparse networks, 1e-3 for dense ones in the authors' code
	Mask  []bool  // packed as the network's parameters; what is false starts and stays at zero. nil: dense
}

// Fit is the result of training.
type Fit struct {
	Model   *onnx.Model // the network with the trained parameters
	Samples []Sample    // the last one is of the final parameters
	Image   *onnx.Tensor
}

// Fit is stage B: Adam on the mean squared error to the noisy image, from the network's initialization times the mask. The
// gradient is masked too, so that what is off stays at zero, bit for bit.
// Channels that the mask leaves zero are not computed.
func (p *Problem) Fit(ctx context.Context, c FitConfig, run Run) (*Fit, error) {
	fit, err := p.fit(ctx, c, run)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	return fit, nil
}

func (p *Problem) fit(ctx context.Context, c FitConfig, run Run) (*Fit, error) {
	small := &shrunk{network: p.Network}
	if c.Mask != nil {
		if n := len(packed(p.Network)); len(c.Mask) != n {
			return nil, fmt.Errorf("mask of %d values, the network has %d parameters", len(c.Mask), n)
		}
		var err error
		if small, err = shrink(p.Network, c.Mask); err != nil {
			return nil, err
		}
	}
	return p.fitWith(ctx, small, c, run)
}

// fitWith computes with what is left of the network.
func (p *Problem) fitWith(ctx context.Context, small *shrunk, c FitConfig, run Run) (*Fit, error) {
	whole, err := training.NewPacking(training.Parameters(p.Network.Graph))
	if err != nil {
		return nil, err
	}
	var mask *onnx.Tensor
	if c.Mask != nil {
		mask = small.mask(c.Mask)
	}
	step, err := training.NewStep(small.network, training.StepConfig{Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}), MaskGradient: mask != nil, Constants: p.constants(), Provider: run.Session.Provider})
	if err != nil {
		return nil, err
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return small.network.Graph.Lookup(name).Const })
	if err != nil {
		return nil, err
	}
	if mask != nil {
		for i, m := range mask.Float32s() {
			if m == 0 {
				start.Float32s()[i] = 0
			}
		}
	}
	done, err := p.follow(ctx, step, follow{steps: c.Steps, rate: c.Rate, start: start, mask: mask}, run)
	if err != nil {
		return nil, err
	}
	return p.finish(ctx, whole.Unpack(small.widen(p.Network, c.Mask, done.snapshot.Trained)), done, c.Steps, run)
}

// finish puts the parameters into the network and draws once more, for the last sample is of the final parameters.
func (p *Problem) finish(ctx context.Context, parameters []*onnx.Tensor, done *followed, steps int64, run Run) (*Fit, error) {
	m := p.Network.Clone()
	training.SetTensors(m, parameters)
	image, err := p.Draw(ctx, m, run.Session)
	if err != nil {
		return nil, err
	}
	last := Sample{Step: steps, PSNR: p.psnr(image), Seconds: done.seconds}
	if last.Loss, err = p.loss(ctx, image, run.Session); err != nil {
		return nil, err
	}
	return &Fit{Model: m, Samples: append(until(done.samples, steps-1), last), Image: image}, nil
}
