package oes

import (
	"context"
	"fmt"
	"math"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// GradualConfig sets pruning while training up.
type GradualConfig struct {
	Keep  int64 // parameters that are left in the end, biases and norms among them
	Steps int64
	Rate  float64 // Adam's learning rate; 1e-2
	// Begin and End are the steps after which the first and the last weights go, Every the steps between; 0: none before a
	// tenth of the steps and none after six tenths, in 32 rounds.
	Begin, End, Every int64
	// OES is the variant of the authors of Optimal Eye Surgeon: Fraction of what is left goes every Every steps, the smallest of
	// all parameters or, with Random, any; 0.3 and 5,000, or an eighth of the steps where they are fewer than 40,000. The last
	// round takes away what is too much.
	OES      bool
	Random   bool
	Fraction float64
	Seed     uint64   // of chance, and of ties
	Protect  []string // parameters that stay whole
}

func (c GradualConfig) defaults() GradualConfig {
	if c.Rate == 0 {
		c.Rate = 1e-2
	}
	if c.Fraction == 0 {
		c.Fraction = 0.3
	}
	if c.OES {
		if c.Every == 0 {
			c.Every = max(1, min(5000, c.Steps/8))
		}
		return c
	}
	if c.Begin == 0 {
		c.Begin = c.Steps / 10
	}
	if c.End == 0 {
		c.End = max(c.Steps*6/10, c.Begin+1)
	}
	if c.Every == 0 {
		c.Every = max((c.End-c.Begin)/32, 1)
	}
	return c
}

// PruneWhileTraining fits the network, and takes its smallest weights away on the way: along the cubic curve of training.Gradual
// (Zhu and Gupta, arXiv 1710.01878), from the weights of convolutions and products alone, all compared with each other. What
// has gone stays at zero. The mask is packed as the network's parameters.
func (p *Problem) PruneWhileTraining(ctx context.Context, c GradualConfig, run Run) (*Fit, []bool, error) {
	fit, keep, err := p.pruneWhileTraining(ctx, c.defaults(), run)
	if err != nil {
		return nil, nil, fmt.Errorf("prune while training: %w", err)
	}
	return fit, keep, nil
}

func (p *Problem) pruneWhileTraining(ctx context.Context, c GradualConfig, run Run) (*Fit, []bool, error) {
	step, err := training.NewStep(p.Network, training.StepConfig{Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}),
		MaskGradient: true, Constants: p.constants(), Provider: run.Session.Provider})
	if err != nil {
		return nil, nil, err
	}
	f := follow{steps: c.Steps, rate: c.Rate, mask: ones(step.Packing.Len())}
	if f.start, err = step.Packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const }); err != nil {
		return nil, nil, err
	}
	layers := layersOf(p.Network, step.Packing, c.Protect)
	if c.OES {
		err = c.stepwise(&f, layers)
	} else {
		err = c.cubic(&f, layers, step)
	}
	if err != nil {
		return nil, nil, err
	}
	done, err := p.follow(ctx, step, f, run)
	if err != nil {
		return nil, nil, err
	}
	fit, err := p.finish(ctx, step.Packing.Unpack(done.snapshot.Trained), done, c.Steps, run)
	return fit, marks(done.snapshot.Mask), err
}

// cubic prunes by the schedule of training.Gradual.
func (c GradualConfig) cubic(f *follow, layers []layer, step *training.Step) error {
	weights, of, err := left(layers, c.Keep)
	if err != nil {
		return err
	}
	g := training.Gradual{Final: 1 - float64(weights)/float64(of), Begin: c.Begin, End: c.End, Every: c.Every}
	if err := g.Check(); err != nil {
		return err
	}
	if c.End > c.Steps {
		return fmt.Errorf("the last weights go after step %d of %d", c.End, c.Steps)
	}
	names := map[string]bool{}
	for _, l := range layers {
		if l.weight {
			names[l.name] = true
		}
	}
	f.pause = g.Due
	f.visit = func(s *training.Snapshot) (*training.Snapshot, error) {
		return step.Prune(s, names, g.Sparsity(s.Steps), masking.Global, c.Seed)
	}
	return nil
}

// stepwise takes a fraction of what is left away, again and again.
func (c GradualConfig) stepwise(f *follow, layers []layer) error {
	total, whole := layers[len(layers)-1].to, int64(0)
	protected := make([]bool, total)
	for _, l := range layers {
		for _, name := range c.Protect {
			if name == l.name {
				whole += l.to - l.from
				for i := l.from; i < l.to; i++ {
					protected[i] = true
				}
			}
		}
	}
	rounds := (c.Steps - 1) / c.Every
	switch {
	case !(c.Fraction > 0 && c.Fraction < 1) || rounds < 1:
		return fmt.Errorf("%g of what is left every %d of %d steps: wants a fraction in (0, 1), and one round", c.Fraction, c.Every, c.Steps)
	case c.Keep < max(1, whole) || c.Keep > total:
		return fmt.Errorf("keep %d of %d parameters, of which %d are protected", c.Keep, total, whole)
	}
	f.pause = func(step int64) bool { return step%c.Every == 0 && step/c.Every <= rounds && step > 0 }
	f.visit = func(s *training.Snapshot) (*training.Snapshot, error) {
		on := int64(0)
		for _, k := range marks(s.Mask) {
			if k {
				on++
			}
		}
		next := max(c.Keep, on-int64(math.Ceil(float64(on)*c.Fraction)))
		if s.Steps/c.Every == rounds {
			next = c.Keep
		}
		scores := make([]float32, total)
		if c.Random {
			noise.Uniform(scores, noise.NewKey(c.Seed, "gradual", uint64(s.Steps)))
		} else {
			for i, w := range s.Trained.Float32s() {
				scores[i] = max(w, -w)
			}
		}
		for i := range scores {
			switch {
			case s.Mask.Float32s()[i] == 0:
				scores[i] = -1
			case protected[i]:
				scores[i] = float32(math.Inf(1))
			}
		}
		keep, err := masking.TopK(scores, next, c.Seed)
		if err != nil {
			return nil, err
		}
		after := &training.Snapshot{Steps: s.Steps, Trained: s.Trained, Buffers: s.Buffers, Slots: map[string]*onnx.Tensor{}}
		for name, t := range s.Slots {
			after.Slots[name] = t
		}
		return after, after.ApplyMask(floatMask(keep))
	}
	return nil
}

// ones is a packed mask that takes nothing away.
func ones(n int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, n)
	for i := range t.Float32s() {
		t.Float32s()[i] = 1
	}
	return t
}

// marks says where a packed mask is not zero.
func marks(mask *onnx.Tensor) []bool {
	keep := make([]bool, mask.Len())
	for i, x := range mask.Float32s() {
		keep[i] = x != 0
	}
	return keep
}

// floatMask is marks as zeros and ones.
func floatMask(keep []bool) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, int64(len(keep)))
	for i, k := range keep {
		if k {
			t.Float32s()[i] = 1
		}
	}
	return t
}
