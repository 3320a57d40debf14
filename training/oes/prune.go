package oes

import (
	"context"
	"fmt"

	"graft/masking"
	"graft/onnx"
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
		saliency, err := training.NewSaliency(p.Network, training.SaliencyConfig{Needs: needs, Loss: mse,
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
