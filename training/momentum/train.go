package momentum

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/curvature"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// Problem is a classifier with its samples.
type Problem struct {
	Network *onnx.Model
	Data    *dataset.Batches // what steps are given
	Ordered *dataset.Batches // each of the same samples once
	Test    *dataset.Batches // nil: none
}

// Config says how to train.
type Config struct {
	Heavy    // Penalty is not looked at: that is a method
	Method   Method
	Strength float64 // of the method
	Steps    int64
	// Schedule is what the rate is multiplied by in a step; nil: one.
	Schedule func(step int64) float64
	Seed     uint64 // of the method's noise, and of masks of dropout
	// Optimizer takes the place of heavy-ball momentum, at the rate Rate; nil: it does not.
	Optimizer *optim.Optimizer
	// Dropout trains with the network's Dropout nodes; otherwise they are not there.
	Dropout bool
}

// Run is where training runs, and who is told.
type Run struct {
	Session runtime.Options
	Told    func(step, of int64, loss float64) // nil: nobody
}

// Sample is the loss of a step's batch.
type Sample struct {
	Step int64   `json:"step"`
	Loss float64 `json:"loss"`
}

// Trained is what a training has come to.
type Trained struct {
	Gated    *training.Gated
	Snapshot *training.Snapshot
	Samples  []Sample // some hundred, evenly over the steps, each the mean over the steps since the last
	problem  *Problem
	with     Run
}

// samplesMost is how many samples of the loss are kept.
const samplesMost = 200

// Train trains the problem's network, whose weights are where it begins. Cross-entropy is what it makes small. A run that diverges
// is a training.DivergedError with its step.
func (p *Problem) Train(ctx context.Context, c Config, with Run) (*Trained, error) {
	t, err := p.train(ctx, c, with)
	if err != nil {
		return nil, fmt.Errorf("train by %s: %w", c.Method.Name, err)
	}
	return t, nil
}

func (p *Problem) train(ctx context.Context, c Config, with Run) (*Trained, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if p.Data == nil || c.Steps < 1 {
		return nil, errors.New("wants samples and steps")
	}
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return nil, err
	}
	gated, err := training.NewGated(p.Network, training.ArtifactConfig{Loss: entropy, Provider: with.Session.Provider, Deterministic: with.Session.Deterministic, Dropout: c.Dropout, DropoutSeed: c.Seed})
	if err != nil {
		return nil, err
	}
	direction, err := c.Method.Direction(c.Strength, c.Seed)
	if err != nil {
		return nil, err
	}
	optimizer, rate := optim.SGD(optim.SGDConfig{Momentum: c.Beta}), c.Step()
	if c.Optimizer != nil {
		optimizer, rate = *c.Optimizer, c.Rate
	}
	step, err := gated.Step(training.StepConfig{Optimizer: optimizer, Direction: direction, Provider: with.Session.Provider,
		Weights: func(_ *op.Builder, trained *onnx.Value) *onnx.Value { return trained }})
	if err != nil {
		return nil, err
	}
	initial, err := gated.Initial()
	if err != nil {
		return nil, err
	}
	t := &Trained{Gated: gated, problem: p, with: with}
	every, sum, n := max(1, c.Steps/samplesMost), 0.0, 0.0
	loop := &training.Loop{Step: step, Session: with.Session, Data: p.Data, Feed: Feed(step, c.Seed),
		Rate: func(step int64) float64 {
			if c.Schedule == nil {
				return rate
			}
			return rate * c.Schedule(step)
		},
		Each: func(at training.Progress) error {
			sum, n = sum+at.Loss, n+1
			if at.Step%every == 0 || at.Step == c.Steps {
				t.Samples = append(t.Samples, Sample{at.Step, sum / n})
				sum, n = 0, 0
			}
			if with.Told != nil {
				with.Told(at.Step, c.Steps, at.Loss)
			}
			return nil
		},
	}
	start := gated.Start(step, initial)
	if t.Snapshot, err = loop.Run(ctx, start, c.Steps, 0, nil); err != nil {
		return nil, err
	}
	return t, nil
}

// Model is the network with the trained weights and running statistics.
func (t *Trained) Model() *onnx.Model {
	return t.Gated.Trained(t.problem.Network, t.Snapshot.Trained, t.Snapshot.Buffers)
}

// Scores are losses and accuracies of the network as it infers.
type Scores struct {
	TrainLoss     float64  `json:"train_loss"`
	TrainAccuracy float64  `json:"train_accuracy"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
}

// Scores runs all samples.
func (t *Trained) Scores(ctx context.Context) (*Scores, error) {
	c, err := t.Gated.NewClassifier(t.with.Session)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	e, err := c.Score(ctx, t.Snapshot.Trained, t.Snapshot.Buffers, t.problem.Ordered)
	if err != nil {
		return nil, err
	}
	out := &Scores{TrainLoss: e.Loss, TrainAccuracy: *e.Accuracy}
	if t.problem.Test == nil {
		return out, nil
	}
	if e, err = c.Score(ctx, t.Snapshot.Trained, t.Snapshot.Buffers, t.problem.Test); err != nil {
		return nil, err
	}
	out.TestLoss, out.TestAccuracy = &e.Loss, e.Accuracy
	return out, nil
}

// Flatness is what the loss of the training samples is like around the trained weights, norms going by their running statistics.
type Flatness struct {
	Gradient2      float64 `json:"gradient_norm2"` // |∇E|², E being the mean over all training samples
	Sharpness      float64 `json:"sharpness"`      // the largest eigenvalue of the Hessian
	SharpnessError float64 `json:"sharpness_error"`
	Smallest       float64 `json:"smallest_eigenvalue"` // at most
	Trace          float64 `json:"trace"`
	TraceSE        float64 `json:"trace_se"`
	Frobenius      float64 `json:"frobenius"`
	FrobeniusSE    float64 `json:"frobenius_se"`
	Products       int     `json:"hessian_products"` // for the sharpness
	Converged      bool    `json:"sharpness_converged"`
}

// FlatnessConfig says what to measure curvature by. Zero values are defaults.
type FlatnessConfig struct {
	Data    *dataset.Batches // samples of the Hessian; all training samples
	Probes  int              // of trace and Frobenius norm; 20
	Seed    uint64
	Lanczos curvature.LanczosConfig
}

// Flatness measures gradient and curvature.
func (t *Trained) Flatness(ctx context.Context, c FlatnessConfig) (*Flatness, error) {
	if c.Data == nil {
		c.Data = t.problem.Ordered
	}
	if c.Probes == 0 {
		c.Probes = 20
	}
	c.Lanczos.Seed = c.Seed
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return nil, err
	}
	land, err := training.NewLandscape(t.problem.Network, training.LandscapeConfig{Loss: entropy, FrozenNorms: true, Data: t.problem.Ordered, Session: t.with.Session})
	if err != nil {
		return nil, err
	}
	defer land.Close()
	land.Stand(t.Snapshot)
	_, gradient, err := land.Slopes(ctx)
	if err != nil {
		return nil, err
	}
	out := &Flatness{}
	for _, g := range gradient {
		out.Gradient2 += g * g
	}
	land.Over(c.Data)
	product := func(v []float64) ([]float64, error) { return land.Product(ctx, v) }
	ends, err := curvature.Lanczos(len(gradient), product, c.Lanczos)
	if err != nil {
		return nil, err
	}
	sums, err := curvature.Hutchinson(len(gradient), product, c.Probes, c.Seed)
	if err != nil {
		return nil, err
	}
	out.Sharpness, out.SharpnessError, out.Smallest, out.Products, out.Converged = ends.Largest, ends.LargestError, ends.Smallest, ends.Products, ends.Converged
	out.Trace, out.TraceSE, out.Frobenius, out.FrobeniusSE = sums.Trace.Mean, sums.Trace.SE, sums.Frobenius.Mean, sums.Frobenius.SE
	for _, x := range []float64{out.Gradient2, out.Sharpness, out.Trace, out.Frobenius} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("curvature: a number is not finite")
		}
	}
	return out, nil
}
