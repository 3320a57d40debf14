package oes

import (
	"context"
	"fmt"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
)

// Prune makes the mask that a score gives at initialization, for the mean squared error to the noisy image. It covers the
// parameters that are trained, in their order.
func (p *Problem) Prune(ctx context.Context, s masking.Score, c masking.Choice, run Run) (*masking.Set, error) {
	look := masking.Weights(training.Parameters(p.Network.Graph), c.Seed)
	if needs := s.For(c).Needs; needs != 0 {
		mse, err := loss.Lookup("mse")
		if err != nil {
			return nil, err
		}
		network, err := p.observed()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		saliency, err := training.NewSaliency(network, training.SaliencyConfig{Needs: needs, Loss: mse,
			Batches: []map[string]*onnx.Tensor{p.constants()}, Session: run.Session})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		defer saliency.Close()
		look = saliency.Look(ctx, c.Seed)
	}
	set, err := masking.Choose(look, s, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return set, nil
}

// observed is the network that gives what is observed of its image.
func (p *Problem) observed() (*onnx.Model, error) {
	if p.Observe == nil {
		return p.Network, nil
	}
	m := p.Network.Clone()
	b := op.NewBuilder(m.Graph)
	image := m.Graph.Outputs()[0]
	seen := b.Identity(p.Observe(b, image))
	if err := b.Err(); err != nil {
		return nil, err
	}
	seen.Name, image.Name = "observed", ""
	m.Graph.SetOutputs(seen)
	m.Graph.AssignNames()
	return m, nil
}
