package pacbayes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// Names of what a step is fed, or has as a constant.
const (
	inputNoise   = "noise"
	inputInitial = "initial"
	inputSigma   = "sigma"
)

// run is a training under way.
type run struct {
	problem    *Problem
	config     Config
	Run        Run
	gated      *training.Gated
	layout     *layout
	initial    *onnx.Tensor
	bound      Bound
	classifier *training.Classifier
	norms      *training.Norms
	epochs     []Epoch
	steps      int64 // of the stages before
}

// Train learns a posterior. An error of a run that diverged says the stage, the step and the cause.
func (p *Problem) Train(ctx context.Context, c Config, with Run) (*Posterior, error) {
	r, err := p.open(c.defaults(), with)
	if err != nil {
		return nil, fmt.Errorf("pac-bayes: %w", err)
	}
	defer r.close()
	out, err := r.train(ctx)
	if err != nil {
		return nil, fmt.Errorf("pac-bayes: %w", err)
	}
	return out, nil
}

func (p *Problem) open(c Config, with Run) (*run, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		return nil, err
	}
	r := &run{problem: p, config: c, Run: with}
	r.gated, err = training.NewGated(p.Network, training.ArtifactConfig{Loss: entropy, Output: p.Output, Freeze: p.Freeze, FrozenNorms: p.FrozenNorms,
		Provider: with.Session.Provider, Deterministic: with.Session.Deterministic})
	if err != nil {
		return nil, err
	}
	if c.Tuning != nil && c.Tuning.Head != nil && !slices.ContainsFunc(r.gated.Packing().Names(), c.Tuning.Head.MatchString) {
		return nil, &training.UnknownNameError{What: "parameter", Name: c.Tuning.Head.String(), Pattern: true, Known: r.gated.Packing().Names()}
	}
	if r.layout, err = newLayout(r.gated.Parameters(), c.Prior); err != nil {
		return nil, err
	}
	if r.initial, err = r.gated.Initial(); err != nil {
		return nil, err
	}
	if r.classifier, err = r.gated.NewClassifier(with.Session); err != nil {
		return nil, err
	}
	if r.norms, err = r.gated.NewNorms(with.Session); err != nil {
		r.classifier.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) close() {
	r.classifier.Close()
	r.norms.Close()
}

func (r *run) told(stage string, done, of int64, reading string) {
	if r.Run.Told != nil {
		r.Run.Told(stage, done, of, reading)
	}
}

func (r *run) train(ctx context.Context) (*Posterior, error) {
	if r.problem.PriorData != nil && r.config.PriorEpochs > 0 {
		if err := r.trainPrior(ctx); err != nil {
			return nil, err
		}
	}
	curve, err := r.keptCurve(ctx)
	if err != nil {
		return nil, fmt.Errorf("estimate K: %w", err)
	}
	constant := r.config.Constant
	if constant == 0 {
		constant = 10 + 3*float64(len(r.layout.groups))
	}
	r.bound = Bound{Samples: r.problem.Ordered.Samples(), Constant: constant, Low: r.config.GammaLow, High: r.config.GammaHigh, K: curve}
	if err := r.bound.Check(); err != nil {
		return nil, err
	}
	trained, err := r.layout.start(r.initial, r.config, curve.Scale[len(curve.Scale)-1])
	if err != nil {
		return nil, err
	}
	var buffers map[string]*onnx.Tensor
	if r.config.Epochs1 > 0 {
		step, err := r.stage1()
		if err != nil {
			return nil, err
		}
		end, err := r.follow(ctx, 1, step, r.gated.Start(step, trained), r.config.Epochs1)
		if err != nil {
			return nil, err
		}
		trained, buffers = end.Trained, end.Buffers
	}
	w, p, scales := r.layout.cut(trained)
	out := &Posterior{Gated: r.gated, Initial: r.initial, LogSigma: onnx.FromSlice(p), LogScale: scales, Groups: r.layout.groups, Prior: r.config.Prior, Curve: curve, Bound: r.bound, Rate: r.config.Rate, Relative: r.config.Relative}
	out.Mean = onnx.FromSlice(w)
	if r.config.Epochs2 > 0 {
		step, err := r.stage2(out.LogSigma)
		if err != nil {
			return nil, err
		}
		start := r.gated.Start(step, out.Mean)
		if buffers != nil {
			start.Buffers = buffers
		}
		r.steps = r.config.Epochs1 * r.problem.Data.PerEpoch()
		end, err := r.followFixed(ctx, step, start, out)
		if err != nil {
			return nil, err
		}
		out.Mean = end.Trained
	}
	out.Buffers, err = r.norms.Estimate(ctx, out.Mean, r.problem.Ordered)
	if err != nil {
		return nil, err
	}
	out.Epochs = r.epochs
	return out, nil
}

// trainPrior trains the prior's mean on samples that the bound does not count.
func (r *run) trainPrior(ctx context.Context) error {
	rated, err := r.rated(r.layout.weights.Len())
	if err != nil {
		return err
	}
	step, err := r.gated.Step(training.StepConfig{Optimizer: rated, Provider: r.Run.Session.Provider,
		Weights: func(b *op.Builder, w *onnx.Value) *onnx.Value { return b.Identity(w) }})
	if err != nil {
		return err
	}
	start := r.gated.Start(step, r.initial)
	steps := r.config.PriorEpochs * r.problem.PriorData.PerEpoch()
	loop := &training.Loop{Step: step, Session: r.Run.Session, Data: r.problem.PriorData, Rate: func(int64) float64 { return 1 },
		Each: func(p training.Progress) error {
			r.told("prior", p.Step, steps, fmt.Sprintf("loss %.4g", p.Loss))
			return nil
		}}
	end, err := loop.Run(ctx, start, steps, 0, nil)
	if err != nil {
		return fmt.Errorf("train the prior: %w", r.cause(ctx, loop, start, err))
	}
	r.initial = end.Trained
	return nil
}

// stage1 is a step of Adam on [w; p; b]: the loss of the network of w + exp(p) noise, one sample of noise a step, and the bound.
// The gradient reaches p through the same sample. w itself is never noisy, so that there is nothing to take away again.
func (r *run) stage1() (*training.Step, error) {
	rated, err := r.rated(r.layout.trained.Len())
	if err != nil {
		return nil, err
	}
	return r.stage1By(rated)
}

// rated is Adam of the first n elements of [w; p; b], at their rates when the loop's is one.
func (r *run) rated(n int64) (optim.Optimizer, error) {
	counts, rates, err := r.layout.rates(r.initial, r.config)
	if err != nil {
		return optim.Optimizer{}, err
	}
	counts, rates = heads(counts, rates, n)
	return optim.Scaled(optim.Adam(optim.AdamConfig{}), counts, rates), nil
}

func (r *run) stage1By(o optim.Optimizer) (*training.Step, error) {
	return r.gated.Step(training.StepConfig{
		Optimizer: o, Trained: r.layout.trained, CountRight: true, Provider: r.Run.Session.Provider,
		Weights: func(b *op.Builder, trained *onnx.Value) *onnx.Value {
			w, p, _ := r.layout.parts(b, trained)
			return noisy(b, w, b.Exp(p), b.Graph().AddInput(inputNoise, w.Type))
		},
		DeviceWeights: func(b *op.Builder, trained, step *onnx.Value) *onnx.Value {
			w, p, _ := r.layout.parts(b, trained)
			return noisy(b, w, b.Exp(p), r.drawn(b, 1, step))
		},
		PenaltyGradient: func(b *op.Builder, trained *onnx.Value) *onnx.Value {
			return r.layout.gradient(b, r.bound, trained, b.Graph().AddInput(inputInitial, onnx.TypeOf(onnx.Float, r.layout.weights.Len())))
		},
		Constants: map[string]*onnx.Tensor{inputInitial: r.initial},
	})
}

// stage2 is a step of Adam on w alone, the loss being that of a noisy network.
func (r *run) stage2(logSigma *onnx.Tensor) (*training.Step, error) {
	sigma := onnx.NewTensor(onnx.Float, logSigma.Len())
	for i, p := range logSigma.Float32s() {
		sigma.Float32s()[i] = float32(math.Exp(float64(p)))
	}
	rated, err := r.rated(r.layout.weights.Len())
	if err != nil {
		return nil, err
	}
	return r.gated.Step(training.StepConfig{
		Optimizer: rated, CountRight: true, Provider: r.Run.Session.Provider,
		Weights: func(b *op.Builder, w *onnx.Value) *onnx.Value {
			return noisy(b, w, b.Graph().AddInput(inputSigma, w.Type), b.Graph().AddInput(inputNoise, w.Type))
		},
		DeviceWeights: func(b *op.Builder, w, step *onnx.Value) *onnx.Value {
			return noisy(b, w, b.Graph().AddInput(inputSigma, w.Type), r.drawn(b, 2, step))
		},
		Constants: map[string]*onnx.Tensor{inputSigma: sigma},
	})
}

// heads are the runs of the first n elements.
func heads(counts []int64, factors []float64, n int64) ([]int64, []float64) {
	for i, c := range counts {
		if c >= n {
			return append(append([]int64{}, counts[:i]...), n), factors[:i+1]
		}
		n -= c
	}
	return counts, factors
}

func noisy(b *op.Builder, w, sigma, drawn *onnx.Value) *onnx.Value {
	return b.Add(w, b.Mul(sigma, drawn))
}

// drawn are the numbers that sampler draws for a step of a stage, made by the graph: where the parameters lie on a device they need not
// pass to it.
func (r *run) drawn(b *op.Builder, stage int, step *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return noise.EmitStreams(b, r.config.Seed, []string{streamOf(stage)}, step).EmitNormal(b, 0, r.layout.weights.Len())
}

// streamOf names the numbers of a stage.
func streamOf(stage int) string { return fmt.Sprintf("pac/%d", stage) }

// errConverged ends stage 2 before its last epoch.
var errConverged = errors.New("the training accuracy is reached")

func (r *run) followFixed(ctx context.Context, step *training.Step, start *training.Snapshot, at *Posterior) (*training.Snapshot, error) {
	return r.followed(ctx, 2, step, start, r.config.Epochs2, func(s *training.Snapshot) (w, p, scales []float32) {
		return s.Trained.Float32s(), at.LogSigma.Float32s(), at.LogScale
	})
}

func (r *run) follow(ctx context.Context, stage int, step *training.Step, start *training.Snapshot, epochs int64) (*training.Snapshot, error) {
	return r.followed(ctx, stage, step, start, epochs, func(s *training.Snapshot) (w, p, scales []float32) { return r.layout.cut(s.Trained) })
}

// followed runs a stage. parts finds w, p and b of a state.
func (r *run) followed(ctx context.Context, stage int, step *training.Step, start *training.Snapshot, epochs int64, parts func(*training.Snapshot) (w, p, scales []float32)) (*training.Snapshot, error) {
	per := r.problem.Data.PerEpoch()
	var feed func(step int64) map[string]*onnx.Tensor
	if step.Model.Graph.Lookup(inputNoise) != nil { // else the graph draws them
		draws := newSampler(r.layout.weights.Len(), r.config.Seed, streamOf(stage))
		defer draws.stop()
		feed = func(step int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{inputNoise: draws.at(step)} }
	}
	var at Epoch
	var samples, right float64
	name := fmt.Sprintf("stage %d", stage)
	var reading string
	loop := &training.Loop{Step: step, Session: r.Run.Session, Data: r.problem.Data,
		Rate: func(step int64) float64 { return fall(stage, step, epochs*per) },
		Feed: feed,
		Each: func(p training.Progress) error {
			n := float64(r.problem.Data.Count(p.Step))
			at.Loss += p.Loss * n
			right += float64(p.Right)
			samples += n
			r.told(name, p.Step, epochs*per, reading)
			return nil
		},
		Pause: func(step int64) bool { return step%per == 0 },
		Visit: func(s *training.Snapshot) (*training.Snapshot, error) {
			at.Stage, at.Epoch, at.Steps = stage, s.Steps/per, r.steps+s.Steps
			at.Loss, at.Accuracy = at.Loss/samples, right/samples
			w, p, scales := parts(s)
			r.measure(&at, w, p, scales)
			r.epochs = append(r.epochs, at)
			if r.Run.Seen != nil {
				r.Run.Seen(at)
			}
			if err := r.lost(&at); err != nil {
				return nil, err
			}
			reading = fmt.Sprintf("loss %.4g, accuracy %.1f %%, KL %.4g, objective %.4g", at.Loss, 100*at.Accuracy, at.KL, at.Objective)
			done := r.converged(at)
			at, samples, right = Epoch{}, 0, 0
			if done {
				return nil, errConverged
			}
			return nil, nil
		},
	}
	start, converged, err := r.resume(stage, step, start)
	if err != nil || converged {
		return start, err
	}
	end, err := loop.Run(ctx, start, epochs*per, per*(1+saveEvery/per), func(s *training.Snapshot) error { return r.save(stage, step, s) })
	if errors.Is(err, errConverged) {
		err = nil
	}
	if err != nil {
		if ctx.Err() != nil && end.Steps > start.Steps && end.Steps%per == 0 {
			err = errors.Join(err, r.save(stage, step, end))
		}
		return nil, fmt.Errorf("stage %d: %w", stage, r.cause(ctx, loop, start, err))
	}
	return end, r.save(stage, step, end)
}

// fall is what rates are multiplied by in a step of a stage: one over the first half of stage 1, and from there falling evenly to
// nothing, so that it does not end in the noise of its steps. Stage 2 begins at a half and falls likewise: at the whole it loses some of
// what stage 1 has reached.
func fall(stage int, step, steps int64) float64 {
	left := float64(steps-step+1) / float64(steps)
	if stage == 1 {
		return min(1, 2*left)
	}
	return left / 2
}

// converged reports whether stage 2 ends with an epoch.
func (r *run) converged(at Epoch) bool { return at.Stage == 2 && at.Accuracy >= r.config.Accuracy }

// lost is the error of an epoch whose mean loss is a hundred times that of guessing: nothing comes of such a run, though its numbers
// are finite.
func (r *run) lost(at *Epoch) error {
	guessing := math.Log(float64(r.classifier.Classes))
	if at.Loss <= 100*guessing {
		return nil
	}
	return &lostError{step: at.Steps - r.steps, loss: at.Loss, guessing: guessing}
}

// lostError is ErrDiverged to who asks.
type lostError struct {
	step           int64
	loss, guessing float64
}

func (e *lostError) Error() string {
	return fmt.Sprintf("step %d: training diverged: the mean loss of the epoch is %.3g, guessing has %.3g", e.step, e.loss, e.guessing)
}
func (e *lostError) Is(target error) bool { return target == training.ErrDiverged }
func (e *lostError) ExitCode() int        { return 5 }
func (e *lostError) Hint() string         { return "take smaller learning rates" }

// measure fills in what follows from a state.
func (r *run) measure(at *Epoch, w, p, scales []float32) {
	at.KL = KL(w, r.initial.Float32s(), p, scales, r.layout.groups)
	at.Scale = scale(scales)
	at.K = r.bound.K.At(at.Scale)
	at.Gamma, at.Bound = r.bound.Gamma(at.KL, at.K), r.bound.Value(at.KL, at.K)
	at.Objective = at.Loss + at.Bound
	at.Sigma = scale(p)
}

// cause finds the tensor that went bad first in a run that diverged.
func (r *run) cause(ctx context.Context, loop *training.Loop, start *training.Snapshot, err error) error {
	var diverged *training.DivergedError
	if !errors.As(err, &diverged) || ctx.Err() != nil {
		return err
	}
	quiet := *loop
	quiet.Each, quiet.Pause, quiet.Visit = nil, nil, nil
	for _, step := range []int64{diverged.Step, diverged.Step - 1} {
		if step < 1 {
			break
		}
		good, before := quiet.Before(ctx, start, step)
		if before != nil {
			continue
		}
		if culprit, found := quiet.FindCulprit(ctx, good); found == nil && culprit != nil {
			return fmt.Errorf("%w: %v", err, culprit)
		}
	}
	return err
}
