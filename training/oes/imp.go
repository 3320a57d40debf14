package oes

import (
	"context"
	"fmt"
	"math"

	"graft/masking"
	"graft/training"
)

// IMPConfig sets iterative magnitude pruning up. Zero fields take the values of the authors of Optimal Eye Surgeon.
type IMPConfig struct {
	Keep     int64    // weights that are left in the end
	Fraction float64  // of what is left that goes after a round; 0.2
	Steps    int64    // of a round; 40,000
	Rate     float64  // 1e-2
	Seed     uint64   // breaks ties
	Protect  []string // parameters of which nothing goes
}

// Rounds is how many rounds are trained before n weights have become Keep.
func (c IMPConfig) Rounds(n int64) (rounds int) {
	c = c.defaults()
	for ; n > c.Keep; rounds++ {
		n = c.after(n)
	}
	return rounds
}

// after is how many of n weights are left after a round.
func (c IMPConfig) after(n int64) int64 {
	return max(c.Keep, min(n-1, int64(math.Floor(float64(n)*(1-c.Fraction)))))
}

func (c IMPConfig) defaults() IMPConfig {
	if c.Fraction == 0 {
		c.Fraction = 0.2
	}
	if c.Rate == 0 {
		c.Rate = 1e-2
	}
	if c.Steps == 0 {
		c.Steps = 40_000
	}
	return c
}

// IMP finds a mask by iterative magnitude pruning (the lottery ticket hypothesis, Frankle and Carbin, arXiv 1803.03635): train, take
// away the weights of smallest magnitude among those left, all layers together, set the rest back to their initialization,
// and again. run sets a round up, the first being 1. The mask is packed as the network's parameters.
func (p *Problem) IMP(ctx context.Context, c IMPConfig, run func(round, rounds int) Run) ([]bool, error) {
	c = c.defaults()
	packing, err := training.NewPacking(training.Parameters(p.Network.Graph))
	if err != nil {
		return nil, fmt.Errorf("imp: %w", err)
	}
	left := packing.Len()
	if c.Keep < 1 || c.Keep > left || !(c.Fraction > 0 && c.Fraction < 1) {
		return nil, fmt.Errorf("imp: keep %d of %d weights, %g of them going in a round", c.Keep, left, c.Fraction)
	}
	keep := make([]bool, left)
	for i := range keep {
		keep[i] = true
	}
	rounds := c.Rounds(left)
	for round := 1; left > c.Keep; round++ {
		fit, err := p.Fit(ctx, FitConfig{Steps: c.Steps, Rate: c.Rate, Mask: keep}, run(round, rounds))
		if err != nil {
			return nil, fmt.Errorf("imp, round %d of %d: %w", round, rounds, err)
		}
		left = c.after(left)
		if keep, err = smallestOut(fit, keep, left, c); err != nil {
			return nil, fmt.Errorf("imp, round %d of %d: %w", round, rounds, err)
		}
	}
	return keep, nil
}

// smallestOut keeps the weights of largest magnitude among those that are there.
func smallestOut(fit *Fit, keep []bool, left int64, c IMPConfig) ([]bool, error) {
	scores := make([]float32, 0, len(keep))
	for _, v := range training.Parameters(fit.Model.Graph) {
		first := len(scores)
		for _, x := range v.Const.Float32s() {
			score := float32(-1)
			if keep[len(scores)] {
				score = max(x, -x)
			}
			scores = append(scores, score)
		}
		protect(scores[first:], v.Name, c.Protect)
	}
	return masking.TopK(scores, left, c.Seed)
}
