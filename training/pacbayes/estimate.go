package pacbayes

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/noise"
)

// Grid are the prior scales that K is estimated at, by the logarithms of standard deviations.
type Grid struct {
	Low, High float64 // -6 and -2.5
	Points    int     // 8
	Models    int     // networks drawn of each prior; 10
}

func (g Grid) defaults() Grid {
	if g.Low == 0 && g.High == 0 {
		g.Low, g.High = -6, -2.5
	}
	if g.Points == 0 {
		g.Points = 8
	}
	if g.Models == 0 {
		g.Models = 10
	}
	return g
}

// Scales are the standard deviations of the grid. One that leaves float32, in which weights are, is refused.
func (g Grid) Scales() ([]float64, error) {
	g = g.defaults()
	if g.Points < 1 || g.Models < 1 || g.Points > 1 && !(g.High > g.Low) {
		return nil, limits.Refuse("prior grid", "%d points from %g to %g with %d models each: wants an increasing grid", g.Points, g.Low, g.High, g.Models)
	}
	out := make([]float64, g.Points)
	for i := range out {
		at := g.Low
		if g.Points > 1 {
			at += (g.High - g.Low) * float64(i) / float64(g.Points-1)
		}
		out[i] = math.Exp(at)
		if out[i] > math.MaxFloat32 || math.IsInf(out[i], 0) {
			return nil, limits.Refuse("prior grid", "exp(%g) is larger than any float32: the grid holds logarithms of standard deviations, such as -6 to -2.5", at)
		}
		if !(out[i] >= 0x1p-126) {
			return nil, limits.Refuse("prior grid", "exp(%g) is smaller than any float32: the grid holds logarithms of standard deviations, such as -6 to -2.5", at)
		}
	}
	return out, nil
}

// gammas are ten points between, evenly spaced by logarithm.
func gammas(low, high float64) []float64 {
	const points = 10
	out := make([]float64, points)
	for i := range out {
		out[i] = math.Exp(math.Log(low) + (math.Log(high)-math.Log(low))*float64(i)/(points-1))
	}
	return out
}

// smallestK is the least K with which, for every gamma,
//
//	mean exp(gamma (mu - loss)) <= exp(3 gamma^2 K^2/2),
//
// over the losses of all networks and samples, mu being their mean. (The published code goes up to it by factors of 1.1.)
func smallestK(losses []float64, gammas []float64) float64 {
	mu, least := 0.0, math.Inf(1)
	for i, l := range losses {
		mu += (l - mu) / float64(i+1)
		least = min(least, l)
	}
	k2 := 0.0
	for _, g := range gammas {
		sum := 0.0
		for _, l := range losses {
			sum += math.Exp(g * (least - l)) // at most one
		}
		moment := g*(mu-least) + math.Log(sum/float64(len(losses)))
		k2 = max(k2, 2*moment/(3*g*g))
	}
	return math.Sqrt(k2)
}

// leastK keeps K from being zero where all losses are the same.
const leastK = 1e-3

// estimate is K on the grid: of each prior N(w0, scale^2) some networks are drawn, the same noise in each scale, and run on all
// samples.
func (r *run) estimate(ctx context.Context) (*Curve, error) {
	scales, err := r.config.Grid.Scales()
	if err != nil {
		return nil, err
	}
	models := r.config.Grid.defaults().Models
	w0 := r.initial.Float32s()
	w, eps := onnx.NewTensor(onnx.Float, int64(len(w0))), make([]float32, len(w0))
	found := make([]float64, len(scales))
	at := gammas(r.config.GammaLow, r.config.GammaHigh)
	for i, scale := range scales {
		var losses []float64
		for model := range models {
			noise.Normal(eps, noise.NewKey(r.config.Seed, "pac/k", uint64(model)))
			for j, x := range w0 {
				w.Float32s()[j] = x + float32(scale)*eps[j]
			}
			got, err := r.losses(ctx, w)
			if err != nil {
				return nil, fmt.Errorf("prior scale %.3g: %w", scale, err)
			}
			losses = append(losses, got...)
			r.told("estimate K", int64(i*models+model+1), int64(len(scales)*models), "")
		}
		found[i] = max(smallestK(losses, at), leastK)
	}
	return NewCurve(scales, found)
}

var errInfinite = errors.New("a loss is not finite: take smaller prior scales")

// losses are those of all samples with packed weights, statistics being taken anew.
func (r *run) losses(ctx context.Context, w *onnx.Tensor) ([]float64, error) {
	buffers, err := r.norms.Estimate(ctx, w, r.problem.Ordered)
	if err != nil {
		return nil, err
	}
	var out []float64
	err = r.classifier.Each(ctx, w, buffers, r.problem.Ordered, seeLosses(&out))
	if err != nil {
		return nil, err
	}
	for _, l := range out {
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return nil, errInfinite
		}
	}
	return out, nil
}
