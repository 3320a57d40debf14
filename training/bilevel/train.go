package bilevel

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Pairs are signals of one length, one after the other: as they are seen, and as they should be.
type Pairs struct{ Noisy, Truth []float64 }

// TrainConfig says how W is learned. Zero values are defaults.
type TrainConfig struct {
	Form  Form
	Start Start
	Scale float64 // of the start; 0.1
	// Beta is that of the lower problem, or, with LearnBeta, where it begins; 1. A free W absorbs it. One of orthonormal rows or a tight
	// frame does not: its β is chosen beforehand, or learned as exp(b).
	Beta      float64
	LearnBeta bool

	Rule     Rule
	Rate     float64 // 1e-3
	Momentum float64 // of HeavyBall; 0.9
	// Decay is the last step's rate, a fraction of the first one's: in between it falls geometrically. 1.
	Decay float64
	Batch int // pairs a step, drawn without replacement until all have been; 5
	Steps int
	Seed  uint64 // of start and batches

	// Cold begins every solution at 0. Otherwise each pair's last dual is kept, and its next solution begins there.
	Cold bool
	// Single has the lower problem iterated in float32; the gradient is in float64 all the same.
	Single bool
	Solver Config
}

func (c TrainConfig) withDefaults() (TrainConfig, error) {
	for _, d := range []struct {
		of *float64
		is float64
	}{{&c.Scale, 0.1}, {&c.Beta, 1}, {&c.Rate, 1e-3}, {&c.Momentum, 0.9}, {&c.Decay, 1}} {
		if *d.of == 0 {
			*d.of = d.is
		}
		if !(*d.of > 0) || math.IsInf(*d.of, 0) {
			return c, fmt.Errorf("train: scale %g, beta %g, rate %g, momentum %g, decay %g: wants finite numbers above 0", c.Scale, c.Beta, c.Rate, c.Momentum, c.Decay)
		}
	}
	if c.Batch == 0 {
		c.Batch = 5
	}
	switch {
	case c.Form == nil:
		return c, errors.New("train: no form of W is given")
	case c.Rule < 0 || int(c.Rule) >= len(ruleNames):
		return c, fmt.Errorf("train: %v: wants one of %v", c.Rule, ruleNames)
	case c.Momentum >= 1:
		return c, fmt.Errorf("train: momentum %g: wants less than 1", c.Momentum)
	case c.Batch < 1 || c.Steps < 1:
		return c, fmt.Errorf("train: batches of %d, %d steps: wants 1 at least of both", c.Batch, c.Steps)
	}
	if err := c.Form.check(); err != nil {
		return c, fmt.Errorf("train: %w", err)
	}
	return c, nil
}

// Run is what a training does beside its steps.
type Run struct {
	Checkpoint string // file that the state is kept in, and gone on from where it is there; empty: none
	Every      int    // steps between checkpoints; 500
	// Watch, if given, is called after each step with what it has come to; what it returns an error for stops. It must not keep the slices.
	Watch func(*State) error
}

// State is what a training has come to.
type State struct {
	Step       int
	Loss       float64 // of the step's batch, at the parameters before it: mean square of x* - truth
	Mean       float64 // of the losses so far, older ones fading
	Beta       float64
	Ties, Open int       // of the step's batch: rows that are not decided, solutions that are not to the tolerance
	Iterations int       // most of the step's batch
	Rows, Cols int       // of W
	W          []float64 // Operator of the parameters
	Parameters []float64
}

// Trained is a learned operator.
type Trained struct {
	Operator   *Operator
	Beta       float64
	Form       Form
	Parameters []float64
	Mean       float64 // of the last steps' losses
	Steps      int
}

// ErrDiverged is that a training has become worse than where it began, or than no denoising at all.
var ErrDiverged = errors.New("the training diverged")

// fading is how much of the mean of losses each step keeps; patience is how many steps pass before it is judged, worse the factor that it
// may be above the first step's loss and above the noise.
const (
	fading   = 0.95
	patience = 40
	worse    = 4
)

// trainer is the state of a training.
type trainer struct {
	TrainConfig
	pairs      Pairs
	rows, cols int
	count      int // pairs

	step       int
	parameters []float64 // the form's, then the logarithm of β
	slots      [][]float64
	duals      []float64
	mean       float64
	first      float64 // loss of the first step
	noise      float64 // mean square of what is seen less what should be

	round int   // through the pairs, whose order is
	order []int // this
	print string
}

// Train learns W from pairs of noisy signals and true ones: each step solves the lower problem for a batch, and follows the closed-form
// gradient of the mean of (x* - truth)² over it. A run is a function of config and pairs, on one platform; a checkpoint goes on with the
// same bits. A training that diverges stops with an error that says at which step and why.
func Train(ctx context.Context, pairs Pairs, c TrainConfig, with Run) (*Trained, error) {
	t, err := newTrainer(pairs, c)
	if err != nil {
		return nil, err
	}
	if with.Every == 0 {
		with.Every = 500
	}
	if err := t.resume(with.Checkpoint); err != nil {
		return nil, err
	}
	for t.step < t.Steps {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, t.save(with.Checkpoint))
		}
		s, err := t.advance()
		if err != nil {
			return nil, fmt.Errorf("train: step %d: %w", t.step+1, err)
		}
		if with.Watch != nil {
			if err := with.Watch(s); err != nil {
				return nil, err
			}
		}
		if t.step%with.Every == 0 || t.step == t.Steps {
			if err := t.save(with.Checkpoint); err != nil {
				return nil, err
			}
		}
	}
	o, err := NewOperator(t.rows, t.cols, append([]float64(nil), t.Form.Operator(t.ofForm())...))
	if err != nil {
		return nil, err
	}
	return &Trained{Operator: o, Beta: t.beta(), Form: t.Form, Parameters: t.ofForm(), Mean: t.mean, Steps: t.step}, nil
}

func newTrainer(pairs Pairs, c TrainConfig) (*trainer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &trainer{TrainConfig: c, pairs: pairs}
	t.rows, t.cols = c.Form.Size()
	if len(pairs.Noisy) == 0 || len(pairs.Noisy)%t.cols != 0 || len(pairs.Noisy) != len(pairs.Truth) {
		return nil, fmt.Errorf("train: %d noisy numbers and %d true ones: wants as many of both, in signals of length %d", len(pairs.Noisy), len(pairs.Truth), t.cols)
	}
	for i := range pairs.Noisy {
		d := pairs.Noisy[i] - pairs.Truth[i]
		if d-d != 0 {
			return nil, fmt.Errorf("train: pair %d, element %d is %g and %g: wants finite numbers", i/t.cols, i%t.cols, pairs.Noisy[i], pairs.Truth[i])
		}
		t.noise += d * d / float64(len(pairs.Noisy))
	}
	t.count = len(pairs.Noisy) / t.cols
	t.Batch = min(t.Batch, t.count)
	if t.parameters, err = c.Form.Begin(c.Start, c.Scale, c.Seed); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	t.parameters = append(t.parameters, math.Log(c.Beta))
	for range c.Rule.slots() {
		t.slots = append(t.slots, make([]float64, len(t.parameters)))
	}
	if !c.Cold {
		t.duals = make([]float64, t.count*t.rows)
	}
	return t, nil
}

func (t *trainer) ofForm() []float64 { return t.parameters[:len(t.parameters)-1] }

func (t *trainer) beta() float64 {
	if !t.LearnBeta {
		return t.Beta // without the rounding of a logarithm
	}
	return math.Exp(t.parameters[len(t.parameters)-1])
}

func (t *trainer) rate() float64 {
	return t.Rate * math.Pow(t.Decay, float64(t.step)/float64(max(t.Steps-1, 1)))
}

// advance is one step.
func (t *trainer) advance() (*State, error) {
	o, err := NewOperator(t.rows, t.cols, t.Form.Operator(t.ofForm()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w: lower the rate %g", ErrDiverged, err, t.rate())
	}
	chosen := t.batch()
	y, truth := make([]float64, 0, t.Batch*t.cols), make([]float64, 0, t.Batch*t.cols)
	var start []float64
	for _, i := range chosen {
		y = append(y, t.pairs.Noisy[i*t.cols:(i+1)*t.cols]...)
		truth = append(truth, t.pairs.Truth[i*t.cols:(i+1)*t.cols]...)
		if t.duals != nil {
			start = append(start, t.duals[i*t.rows:(i+1)*t.rows]...)
		}
	}
	var r *result
	if t.Single {
		r, err = upper(o, t.beta(), convert[float32](y), convert[float32](truth), t.Solver, convert[float32](start))
	} else {
		r, err = upper(o, t.beta(), y, truth, t.Solver, start)
	}
	if err != nil {
		return nil, err
	}
	if t.duals != nil {
		for j, i := range chosen {
			copy(t.duals[i*t.rows:(i+1)*t.rows], r.duals[j*t.rows:(j+1)*t.rows])
		}
	}
	if err := t.judge(r.loss); err != nil {
		return nil, err
	}
	g := append(append([]float64(nil), t.Form.Pullback(r.gradient.W)...), 0)
	if t.LearnBeta {
		g[len(g)-1] = r.gradient.Beta * t.beta()
	}
	t.step++
	t.Rule.update(t.parameters, g, t.slots, t.rate(), t.Momentum, t.step)
	for i, p := range t.parameters {
		if p-p != 0 {
			t.step--
			return nil, fmt.Errorf("%w: parameter %d is %g, its gradient %g: lower the rate %g", ErrDiverged, i, p, g[i], t.rate())
		}
	}
	if err := t.Form.Retract(t.ofForm()); err != nil {
		return nil, err
	}
	return &State{
		Step: t.step, Loss: r.loss, Mean: t.mean, Beta: t.beta(), Ties: r.ties, Open: r.open, Iterations: r.iterations,
		Rows: t.rows, Cols: t.cols, W: t.Form.Operator(t.ofForm()), Parameters: t.ofForm(),
	}, nil
}

// judge takes a step's loss into the mean, and says where that has gone the wrong way. No loss is ever infinite, for a solution is no
// longer than what it is made from: a W that has grown without bound shows in solutions that have nothing left of the signal.
func (t *trainer) judge(loss float64) error {
	if loss-loss != 0 {
		return fmt.Errorf("%w: the loss is %g", ErrDiverged, loss)
	}
	n := float64(t.step + 1)
	keep := min(fading, 1-1/n) // the plain mean at first
	t.mean = keep*t.mean + (1-keep)*loss
	if t.step == 0 {
		t.first = loss
	}
	if bound := worse * max(t.first, t.noise); t.step >= patience && t.mean > bound {
		return fmt.Errorf("%w: the mean loss of the last steps is %g, it began with %g, and without denoising it is %g; W has norm %g: lower the rate %g",
			ErrDiverged, t.mean, t.first, t.noise, floats.Norm(t.Form.Operator(t.ofForm()), 2), t.rate())
	}
	return nil
}

// result is what a step needs of its batch.
type result struct {
	loss       float64
	gradient   *Gradient
	duals      []float64
	ties, open int
	iterations int
}

// tooOpen is the gap, relative to ½|y|², with which a solution is none.
const tooOpen = 1e-3

// upper is the mean of (x* - truth)² over a batch, and its gradient.
func upper[T Float](o *Operator, beta float64, y, truth []T, c Config, start []T) (*result, error) {
	if len(start) == 0 {
		start = nil
	}
	s, err := Solve(o, beta, y, c, start)
	if err != nil {
		return nil, err
	}
	r := &result{open: len(s.Open), duals: s.dual, ties: len(s.Ties)}
	for i, gap := range s.Gap {
		r.iterations = max(r.iterations, s.Iterations[i])
		if e := floats.Norm(s.y[i*o.cols:(i+1)*o.cols], 2); gap > tooOpen*e*e/2 {
			return nil, fmt.Errorf("a solution has a gap of %g after %d iterations, for ½|y|² of %g: allow more iterations", gap, s.Iterations[i], e*e/2)
		}
	}
	loss, g, err := s.HalfSquare(truth)
	if err != nil {
		return nil, err
	}
	d, err := s.Gradient(g)
	if err != nil {
		return nil, err
	}
	scale := 2 / float64(len(y))
	floats.Scale(scale, d.W)
	d.Beta *= scale
	r.loss, r.gradient = loss*scale, d
	return r, nil
}
