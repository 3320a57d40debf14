package oes

import (
	"context"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// PopupConfig sets edge-popup up.
type PopupConfig struct {
	Keep    int64 // parameters that are left, biases and norms among them
	Steps   int64
	Rate    float64  // Adam's learning rate; 1e-2
	Seed    uint64   // of the scores' beginning, and of ties
	Protect []string // parameters that stay whole beside biases and norms
}

// EdgePopup finds a subnetwork that draws the image with the weights as they were initialized (Ramanujan, Wortsman, Kembhavi,
// Farhadi, Rastegari, CVPR 2020). Every weight of a convolution or product has a score s, and
//
//	weights = initial * (|s| is among the k largest of its layer),  ds = sign(s) * initial * dweights:
//
// the choice is passed through as if it were |s| itself, so that weights that are off can come back. Each layer keeps the same
// fraction. The mask is packed as the network's parameters.
func (p *Problem) EdgePopup(ctx context.Context, c PopupConfig, run Run) ([]bool, error) {
	if c.Rate == 0 {
		c.Rate = 1e-2
	}
	keep, err := p.edgePopup(ctx, c, run)
	if err != nil {
		return nil, fmt.Errorf("edge-popup: %w", err)
	}
	return keep, nil
}

func (p *Problem) edgePopup(ctx context.Context, c PopupConfig, run Run) ([]bool, error) {
	packing, err := training.NewPacking(training.Parameters(p.Network.Graph))
	if err != nil {
		return nil, err
	}
	layers := layersOf(p.Network, packing, c.Protect)
	weights, of, err := left(layers, c.Keep)
	if err != nil {
		return nil, err
	}
	counts := shares(layers, weights, of)
	constants := p.constants()
	if constants[inputInitial], err = packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const }); err != nil {
		return nil, err
	}
	var initial *onnx.Value
	step, err := training.NewStep(p.Network, training.StepConfig{
		Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}), Constants: constants, Provider: run.Session.Provider,
		Weights: func(b *op.Builder, scores *onnx.Value) *onnx.Value {
			initial = b.Graph().AddInput(inputInitial, scores.Type)
			return b.Mul(initial, largestOf(b, b.Abs(scores), layers, counts))
		},
		Through: func(b *op.Builder, scores, gradient *onnx.Value) *onnx.Value {
			return b.Mul(b.Sign(scores), b.Mul(initial, gradient))
		},
	})
	if err != nil {
		return nil, err
	}
	start := onnx.NewTensor(onnx.Float, packing.Len())
	for _, l := range layers {
		part := start.Float32s()[l.from:l.to]
		noise.Uniform(part, noise.NewKey(c.Seed, "popup/"+l.name, 0))
		for i := range part {
			part[i] = (2*part[i] - 1) / float32(math.Sqrt(l.inputs))
		}
	}
	done, err := p.follow(ctx, step, follow{steps: c.Steps, rate: c.Rate, start: start}, run)
	if err != nil {
		return nil, err
	}
	scores := done.snapshot.Trained.Float32s()
	for i, s := range scores {
		scores[i] = max(s, -s)
	}
	return bestOf(layers, scores, counts, 0, c.Seed)
}

// largestOf is one where a score is among the largest of its layer, counts of which there are, and in what is no weight; zero
// elsewhere.
func largestOf(b *op.Builder, scores *onnx.Value, layers []layer, counts []int64) *onnx.Value {
	var parts []*onnx.Value
	for i, l := range layers {
		n := l.to - l.from
		if !l.weight || counts[i] >= n {
			ones := onnx.NewTensor(onnx.Float, n)
			for j := range ones.Float32s() {
				ones.Float32s()[j] = 1
			}
			parts = append(parts, b.Const(ones))
			continue
		}
		part := b.Slice(scores, op.SliceSpec{Axis: 0, Start: l.from, End: l.to})
		top := b.Node("TopK", []*onnx.Value{part, b.Ints(counts[i])}, 2, onnx.Int("sorted", 0))
		if b.Err() != nil {
			return nil
		}
		least := b.Node("ReduceMin", top[:1], 1)[0]
		parts = append(parts, b.Cast(b.GreaterOrEqual(part, least), onnx.Float))
	}
	return b.Concat(0, parts...)
}
