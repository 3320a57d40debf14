package oes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// Samples is a network with a loss that is taken on samples: a classifier that has been trained, for one. Masks are learned on it
// as on one image.
type Samples struct {
	Network     *onnx.Model
	Loss        loss.Loss
	Output      string // that the loss reads; empty: the first
	FrozenNorms bool   // BatchNormalization by the running statistics of the file, not by the batch's
	// Data gives the inputs of a step by name, with training.InputTarget or InputLabels where the loss compares with something.
	Data interface {
		At(step int64) (map[string]*onnx.Tensor, error)
	}
}

// LearnMask moves the logits of a relaxed Bernoulli mask while the weights stay as they are, and every step draws one sample of the
// mask and takes one batch. Run.Progress is told of every step; nothing is saved.
func (p *Samples) LearnMask(ctx context.Context, c MaskConfig, run Run) (*Mask, error) {
	mask, err := p.learnMask(ctx, c.defaults(), run)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	return mask, nil
}

func (p *Samples) learnMask(ctx context.Context, c MaskConfig, run Run) (*Mask, error) {
	if p.Data == nil {
		return nil, errors.New("no samples")
	}
	s, err := p.maskStep(c, run.Session)
	if err != nil {
		return nil, err
	}
	var feed func(step int64) map[string]*onnx.Tensor
	if s.step.Model.Graph.Lookup(inputUniform) != nil { // else the graph draws them
		draws := newSampler(s.step.Packing.Len(), c.Seed)
		defer draws.stop()
		feed = func(step int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{inputUniform: draws.at(step)} }
	}
	begun := time.Now()
	loop := &training.Loop{Step: s.step, Session: run.Session, Data: p.Data,
		Rate: func(int64) float64 { return c.Rate },
		Feed: feed,
		Each: func(at training.Progress) error {
			if at.Step%Every == 0 {
				s.mask.Samples = append(s.mask.Samples, Sample{Step: at.Step, Loss: at.Loss, PSNR: NoPSNR, Seconds: time.Since(begun).Seconds()})
			}
			if run.Progress != nil {
				run.Progress(at.Step, c.Steps, at.Loss, NoPSNR)
			}
			return nil
		},
	}
	end, err := loop.Run(ctx, s.start, c.Steps, 0, nil)
	if err != nil {
		return nil, err
	}
	s.mask.Logits = end.Trained
	return s.mask, nil
}

// sampleMask is a mask that is to be learned: its step, and the state before the first.
type sampleMask struct {
	mask  *Mask
	step  *training.Step
	start *training.Snapshot
}

func (p *Samples) maskStep(c MaskConfig, session runtime.Options) (*sampleMask, error) {
	gated, err := training.NewGated(p.Network, training.ArtifactConfig{Loss: p.Loss, Output: p.Output, FrozenNorms: p.FrozenNorms,
		Provider: session.Provider, Deterministic: session.Deterministic})
	if err != nil {
		return nil, err
	}
	parameters := gated.Parameters()
	packing, err := training.NewPacking(parameters)
	if err != nil {
		return nil, err
	}
	mask := &Mask{Packing: packing}
	switch c.Gate {
	case "", Weight:
	case Kernel:
		mask.Gates, err = masking.KernelGates(parameters)
	case Channel:
		mask.Gates, err = masking.ChannelGates(parameters, masking.Groups(gated.Graph()))
	default:
		err = fmt.Errorf("no such gate: %q", c.Gate)
	}
	if err != nil {
		return nil, err
	}
	layout, err := layoutOf(mask.Gates, packing)
	if err != nil {
		return nil, err
	}
	initial, err := gated.Initial()
	if err != nil {
		return nil, err
	}
	bernoulli := masking.Bernoulli{Temperature: c.Temperature, Keep: c.Keep, Strength: c.Strength / float64(layout.Len())}
	step, err := gated.Step(training.StepConfig{
		Optimizer: optim.Adam(optim.AdamConfig{}), Trained: layout, PenaltyGradient: bernoulli.PenaltyGradient, Provider: session.Provider,
		Weights: func(b *op.Builder, logits *onnx.Value) *onnx.Value {
			return sampled(b, bernoulli, mask.Gates, packing, logits, b.Graph().AddInput(inputUniform, logits.Type))
		},
		DeviceWeights: func(b *op.Builder, logits, step *onnx.Value) *onnx.Value {
			keys := noise.EmitStreams(b, c.Seed, []string{maskStream}, step)
			return sampled(b, bernoulli, mask.Gates, packing, logits, keys.EmitUniform(b, 0, layout.Len()))
		},
		Constants: map[string]*onnx.Tensor{inputInitial: initial},
	})
	if err != nil {
		return nil, err
	}
	return &sampleMask{mask, step, gated.Start(step, onnx.NewTensor(onnx.Float, layout.Len()))}, nil
}
