package oes

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// MaskConfig sets mask learning up. Zero fields take the paper's values.
type MaskConfig struct {
	Gate        Gate    // what is kept or not; Weight
	Keep        float64 // fraction of weights, or of what Gate says, to keep; 0.05
	Strength    float64 // lambda times the number of weights, or gates; 0.003 (1e-9 for three million)
	Temperature float64 // 0.2
	Rate        float64 // Adam's learning rate; 1e-2
	Steps       int64   // 60,000
	Seed        uint64  // of the mask samples
}

func (c MaskConfig) defaults() MaskConfig {
	set := func(v *float64, def float64) {
		if *v == 0 {
			*v = def
		}
	}
	set(&c.Keep, 0.05)
	set(&c.Strength, 0.003)
	set(&c.Temperature, 0.2)
	set(&c.Rate, 1e-2)
	if c.Steps == 0 {
		c.Steps = 60_000
	}
	return c
}

// Mask is what was learned: a logit a weight, packed in the order of the network's parameters, or a logit a gate.
type Mask struct {
	Packing *training.Packing // of the network's parameters
	Gates   *masking.Gates    // what the logits are of; nil: the weights
	Logits  *onnx.Tensor
	Samples []Sample
}

// Scores are the logits, with those of the named parameters above all others: a threshold keeps these first. The paper
// protects nothing. They are of a mask of weights; Choose takes every mask.
func (m *Mask) Scores(protect ...string) []float32 {
	scores := slices.Clone(m.Logits.Float32s())
	at := 0
	for i, name := range m.Packing.Names() {
		n := 1
		for _, d := range m.Packing.Dims(i) {
			n *= int(d)
		}
		if slices.Contains(protect, name) {
			for j := range n {
				scores[at+j] = float32(math.Inf(1))
			}
		}
		at += n
	}
	return scores
}

const inputUniform, inputInitial = "uniform", "initial"

// maskStream names the sequence that mask samples are drawn from.
const maskStream = "mask"

// layoutOf is how logits are packed: one for each gate, or for each weight where there are none.
func layoutOf(gates *masking.Gates, weights *training.Packing) (*training.Packing, error) {
	if gates == nil {
		return weights, nil
	}
	var blocks []*onnx.Value
	for _, block := range gates.Blocks {
		blocks = append(blocks, &onnx.Value{Name: block.Name, Type: onnx.TypeOf(onnx.Float, int64(block.Count))})
	}
	return training.NewPacking(blocks)
}

// maskStep is a step of Adam on the logits. On the CPU its graph is fed a uniform number for each of them, which are drawn while the
// step before runs; elsewhere it draws the same ones itself.
func (p *Problem) maskStep(c MaskConfig, packing, layout *training.Packing, gates *masking.Gates, provider string) (*training.Step, error) {
	bernoulli := masking.Bernoulli{Temperature: c.Temperature, Keep: c.Keep, Strength: c.Strength / float64(layout.Len())}
	masked := func(b *op.Builder, logits, uniform *onnx.Value) *onnx.Value {
		return sampled(b, bernoulli, gates, packing, logits, uniform)
	}
	initial, err := packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const })
	if err != nil {
		return nil, err
	}
	constants := p.constants()
	constants[inputInitial] = initial
	return training.NewStep(p.Network, training.StepConfig{
		Loss: loss.MSE, Observe: p.Observe, Optimizer: optim.Adam(optim.AdamConfig{}),
		Weights: func(b *op.Builder, logits *onnx.Value) *onnx.Value {
			return masked(b, logits, b.Graph().AddInput(inputUniform, logits.Type))
		},
		DeviceWeights: func(b *op.Builder, logits, step *onnx.Value) *onnx.Value {
			keys := noise.EmitStreams(b, c.Seed, []string{maskStream}, step)
			return masked(b, logits, keys.EmitUniform(b, 0, layout.Len()))
		},
		Trained:         layout,
		PenaltyGradient: bernoulli.PenaltyGradient,
		Constants:       constants,
		Provider:        provider,
	})
}

// sampled is the initial weights, an input, times one sample of the mask that logits stand for.
func sampled(b *op.Builder, bernoulli masking.Bernoulli, gates *masking.Gates, packing *training.Packing, logits, uniform *onnx.Value) *onnx.Value {
	sample := bernoulli.Sample(b, logits, uniform)
	if gates != nil {
		sample = gates.Expand(b, sample)
	}
	return b.Mul(b.Graph().AddInput(inputInitial, onnx.TypeOf(onnx.Float, packing.Len())), sample)
}

// LearnMask is stage A: the weights stay at their initialization, Adam moves the logits of a relaxed Bernoulli mask of which
// every step draws one sample.
func (p *Problem) LearnMask(ctx context.Context, c MaskConfig, run Run) (*Mask, error) {
	c = c.defaults()
	params := training.Parameters(p.Network.Graph)
	packing, err := training.NewPacking(params)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	gates, err := p.gates(c.Gate)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	layout, err := layoutOf(gates, packing)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	step, err := p.maskStep(c, packing, layout, gates, run.Session.Provider)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	var feed func(step int64) map[string]*onnx.Tensor
	if step.Model.Graph.Lookup(inputUniform) != nil { // else the graph draws them
		samples := newSampler(layout.Len(), c.Seed)
		defer samples.stop()
		feed = func(step int64) map[string]*onnx.Tensor {
			return map[string]*onnx.Tensor{inputUniform: samples.at(step)}
		}
	}
	curve, err := p.follow(ctx, step, follow{
		steps: c.Steps, rate: c.Rate,
		start: onnx.NewTensor(onnx.Float, layout.Len()), feed: feed,
	}, run)
	if err != nil {
		return nil, fmt.Errorf("learn mask: %w", err)
	}
	return &Mask{Packing: packing, Gates: gates, Logits: curve.snapshot.Trained, Samples: curve.samples}, nil
}

// follow is a run of a step on the problem's image.
type follow struct {
	steps       int64
	rate        float64
	start, mask *onnx.Tensor
	feed        func(step int64) map[string]*onnx.Tensor
	// visit, when not nil, is shown the state after the steps that pause names, and gives the one to go on with, as in
	// training.Loop: the mask may change.
	pause func(step int64) bool
	visit func(*training.Snapshot) (*training.Snapshot, error)
}

type followed struct {
	snapshot *training.Snapshot
	samples  []Sample
	seconds  float64
}

// follow runs to the end, sampling the curves: the output that step s+1 sees is what s updates have made.
func (p *Problem) follow(ctx context.Context, step *training.Step, f follow, run Run) (*followed, error) {
	snap, samples := step.NewSnapshot(f.start, f.mask), []Sample(nil)
	if run.Resume != nil {
		resumed, earlier, err := run.Resume(step)
		if err != nil {
			return nil, err
		}
		if resumed != nil {
			if f.visit == nil {
				resumed.Mask = f.mask
			}
			snap, samples = resumed, earlier
		}
	}
	begun := time.Now()
	if n := len(samples); n > 0 {
		begun = begun.Add(-time.Duration(samples[n-1].Seconds * float64(time.Second)))
	}
	loop := &training.Loop{Step: step, Session: run.Session, Pause: f.pause, Visit: f.visit,
		Rate: func(int64) float64 { return f.rate },
		Feed: func(step int64) map[string]*onnx.Tensor {
			if f.feed == nil {
				return nil
			}
			return f.feed(step)
		},
		Each: func(at training.Progress) error {
			if run.Seen != nil {
				if err := run.Seen(at.Step-1, at.Output); err != nil {
					return err
				}
			}
			psnr := float64(NoPSNR)
			if done := at.Step - 1; done%Every == 0 && done > 0 {
				image, err := at.Output()
				if err != nil {
					return err
				}
				psnr = p.psnr(image)
				samples = append(samples, Sample{done, at.Loss, psnr, time.Since(begun).Seconds()})
			}
			if run.Progress != nil {
				run.Progress(at.Step, f.steps, at.Loss, psnr)
			}
			return nil
		},
	}
	var save func(*training.Snapshot) error
	if run.Save != nil {
		save = func(s *training.Snapshot) error { return run.Save(step, s, until(samples, s.Steps)) }
	}
	snap, err := loop.Run(ctx, snap, f.steps, run.SaveEvery, save)
	if err != nil {
		if ctx.Err() != nil && save != nil && snap != nil {
			if saveErr := save(snap); saveErr != nil {
				return nil, saveErr
			}
		}
		return nil, err
	}
	if save != nil { // so that a run of several stages goes on after this one
		if err := save(snap); err != nil {
			return nil, err
		}
	}
	return &followed{snap, samples, time.Since(begun).Seconds()}, nil
}

// until gives the samples up to a step: a step that was cut off may have sampled already.
func until(samples []Sample, steps int64) []Sample {
	for len(samples) > 0 && samples[len(samples)-1].Step > steps {
		samples = samples[:len(samples)-1]
	}
	return samples
}
