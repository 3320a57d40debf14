package oes

import (
	"context"

	"graft/masking"
	"graft/training"
)

// recipes are methods that choose while something is trained, and those that take whole channels away, as many of each layer's as
// the sparsity says: fewer weights stay then than with the others.
var recipes = []Method{
	{"edge-popup", "scores are trained, weights stay (Ramanujan et al., CVPR 2020); then as the others", NeedsSparsity | NeedsSteps | NeedsMaskSteps, runPopup,
		func(t *Trial, _ int64) Work { return Work{Fit: t.Steps, Mask: t.Mask.Steps} }, WholeNorms},
	{"gmp", "pruned while training by magnitude (Zhu, Gupta, arXiv 1710.01878)", NeedsSparsity | NeedsSteps, trainedAway(
		func(ctx context.Context, t *Trial, run Run) (*Fit, []bool, error) {
			return t.Problem.PruneWhileTraining(ctx, GradualConfig{Keep: t.keep(), Steps: t.Steps, Seed: t.Seed, Protect: t.Protect}, run)
		}), fits(1), WholeNorms},
	{"movement", "pruned while training by movement (Sanh, Wolf, Rush, arXiv 2005.07683)", NeedsSparsity | NeedsSteps, trainedAway(
		func(ctx context.Context, t *Trial, run Run) (*Fit, []bool, error) {
			return t.Problem.Movement(ctx, MovementConfig{Keep: t.keep(), Steps: t.Steps, Seed: t.Seed, Protect: t.Protect}, run)
		}), fits(1), WholeNorms},
	{"oes-channels", "whole channels by gates that are learned as OES's masks are", NeedsSparsity | NeedsSteps | NeedsMaskSteps, runChannelGates,
		func(t *Trial, _ int64) Work { return Work{Fit: t.Steps, Mask: t.Mask.Steps} }, WholeNothing},
	channels("l1-channels", "whole channels of the smallest filters (Li et al., arXiv 1608.08710)", "l1-norm"),
	channels("random-channels", "whole channels by chance", "random-channel"),
}

// keep is how many weights every mask keeps.
func (t *Trial) keep() int64 {
	total := int64(0)
	for _, v := range training.Parameters(t.Problem.Network.Graph) {
		total += v.Const.Len()
	}
	return masking.KeepCount(total, t.Sparsity)
}

// maskedBy trains what a set of masks keeps.
func maskedBy(ctx context.Context, t *Trial, set *masking.Set) (*Outcome, error) {
	keep, err := PackMask(t.Problem.Network, set)
	if err != nil {
		return nil, err
	}
	return masked(ctx, t, keep)
}

func runPopup(ctx context.Context, t *Trial) (*Outcome, error) {
	c := PopupConfig{Keep: t.keep(), Steps: t.Mask.Steps, Seed: t.Seed, Protect: t.Protect}
	keep, err := t.Problem.EdgePopup(ctx, c, t.Stage("mask", c.Steps))
	if err != nil {
		return nil, err
	}
	return masked(ctx, t, keep)
}

// trainedAway is a method whose mask and fit are one.
func trainedAway(run func(context.Context, *Trial, Run) (*Fit, []bool, error)) func(context.Context, *Trial) (*Outcome, error) {
	return func(ctx context.Context, t *Trial) (*Outcome, error) {
		fit, keep, err := run(ctx, t, t.Stage("fit", t.Steps))
		if err != nil {
			return nil, err
		}
		return &Outcome{Image: fit.Image, Region: t.Problem.Region, Fit: fit, Keep: keep}, nil
	}
}

// channelChoice keeps of every layer the fraction of its channels that the sparsity leaves, in eights where it has them.
func (t *Trial) channelChoice() masking.ChannelChoice {
	return masking.ChannelChoice{Sparsity: t.Sparsity, Scope: masking.Layer, Seed: t.Seed}
}

func runChannelGates(ctx context.Context, t *Trial) (*Outcome, error) {
	c := t.Mask
	c.Gate, c.Seed = Channel, t.Seed
	learned, err := t.Problem.LearnMask(ctx, c, t.Stage("mask", c.Steps))
	if err != nil {
		return nil, err
	}
	set, err := learned.Choose(t.channelChoice())
	if err != nil {
		return nil, err
	}
	return maskedBy(ctx, t, set)
}

// channels prunes by a score of channels at initialization.
func channels(name, doc, score string) Method {
	return Method{name, doc, NeedsSparsity | NeedsSteps, func(ctx context.Context, t *Trial) (*Outcome, error) {
		s, err := masking.FindChannelScore(score)
		if err != nil {
			return nil, err
		}
		set, err := t.Problem.PruneChannels(ctx, s, t.channelChoice(), t.Stage("score", 0))
		if err != nil {
			return nil, err
		}
		return maskedBy(ctx, t, set)
	}, fits(1), WholeNothing}
}
