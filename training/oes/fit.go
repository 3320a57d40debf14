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
func (p *Problem) Fit(ctx context.Context, c FitConfig, run Run) (*Fit, error) {
	step, err := training.NewStep(p.Network, training.StepConfig{Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}), MaskGradient: c.Mask != nil, Constants: p.constants(), Provider: run.Session.Provider})
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const })
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	var mask *onnx.Tensor
	if c.Mask != nil {
		if int64(len(c.Mask)) != step.Packing.Len() {
			return nil, fmt.Errorf("fit: mask of %d values, the network has %d parameters", len(c.Mask), step.Packing.Len())
		}
		mask = onnx.NewTensor(onnx.Float, step.Packing.Len())
		for i, keep := range c.Mask {
			if keep {
				mask.Float32s()[i] = 1
			} else {
				start.Float32s()[i] = 0
			}
		}
	}
	done, err := p.follow(ctx, step, follow{steps: c.Steps, rate: c.Rate, start: start, mask: mask}, run)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	return p.finish(ctx, step, done, c.Steps, run)
}

// finish puts the parameters into the network and draws once more, for the last sample is of the final parameters.
func (p *Problem) finish(ctx context.Context, step *training.Step, done *followed, steps int64, run Run) (*Fit, error) {
	m := p.Network.Clone()
	SetParameters(m, step.Packing.Unpack(done.snapshot.Trained))
	image, err := p.Draw(ctx, m, run.Session)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	last := Sample{Step: steps, PSNR: p.psnr(image)}
	if last.Loss, err = p.loss(ctx, image, run.Session); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if n := len(done.samples); n > 0 {
		last.Seconds = done.samples[n-1].Seconds
	}
	return &Fit{Model: m, Samples: append(until(done.samples, steps-1), last), Image: image}, nil
}

// SetParameters puts tensors in the places of the initializers of the same names.
func SetParameters(m *onnx.Model, tensors []*onnx.Tensor) {
	byName := map[string]*onnx.Tensor{}
	for _, t := range tensors {
		byName[t.Name] = t
	}
	for _, v := range m.Graph.Initializers() {
		if t := byName[v.Name]; t != nil {
			v.Const = t
		}
	}
}
