package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/training/bilevel"
	"graft/training/signal"
	"graft/training/study"
)

// cellTiming is the parameter that cells of the timing have: the samples of a signal, and rows of W.
const cellTiming = "timing"

// What is timed.
const (
	timedBatch    = 64
	timedBeta     = 0.15
	timedSigma    = 0.1
	timedAccuracy = 1e-6 // of the unrolled solver's gradient, relative to its largest element
	firstUnrolled = 50   // iterations, doubled until that is reached,
	mostUnrolled  = 800  // or these are: opening takes their square
	timedSeconds  = 1.0  // for each number, the least of the runs that go into it
	timedRuns     = 3    // at least
)

// secondsOfTiming is about what a cell takes, most of it to open the unrolled solvers.
const secondsOfTiming = 60

// gradientTiming is the time of a gradient with respect to W for a batch, forward solve and all.
type gradientTiming struct {
	Samples int `json:"samples"` // of a signal, and rows of W
	Batch   int `json:"batch"`
	// Closed is solve and closed form in double, Solve the solve alone, Single iterated in float. Unrolled is automatic differentiation through
	// FISTA on ONNX Runtime, in double, of the fewest iterations that have the gradient to a millionth, or the most that are tried: Error says how
	// far it is off then.
	Closed   runTime `json:"closed"`
	Solve    runTime `json:"solve"`
	Single   runTime `json:"closed_single"`
	Unrolled runTime `json:"unrolled"`
	Steps    int     `json:"unrolled_iterations"`
	Error    float64 `json:"unrolled_error"`
	Open     float64 `json:"unrolled_open_seconds"` // before its first run
	Faster   float64 `json:"faster"`                // Unrolled over Closed, by processor time where that is known
}

// runTime is what a run takes: by the clock the least of the runs, and of the processors the mean, absent where that is not known.
type runTime struct {
	Milliseconds float64  `json:"ms"`
	Processor    *float64 `json:"cpu_ms,omitempty"`
}

// over is how many times as long r takes as q.
func (r runTime) over(q runTime) float64 {
	if r.Processor != nil && q.Processor != nil && *q.Processor > 0 {
		return *r.Processor / *q.Processor
	}
	return r.Milliseconds / q.Milliseconds
}

func (r runTime) String() string {
	if r.Processor == nil {
		return fmt.Sprintf("%.3g ms", r.Milliseconds)
	}
	return fmt.Sprintf("%.3g ms, %.3g of processors", r.Milliseconds, *r.Processor)
}

func (t *gradientTiming) String() string {
	return fmt.Sprintf("closed form %v, unrolled %v with %d iterations, error %.1g", t.Closed, t.Unrolled, t.Steps, t.Error)
}

// timingCells are those of --timing.
func (s *bilevelStudy) timingCells() (cells []study.Cell) {
	if !s.Bool("timing") {
		return nil
	}
	sizes, most := []int{32, 64, 256}, mostUnrolled
	if s.Bool("quick") {
		sizes, most = []int{16}, 2*firstUnrolled
	}
	for _, n := range sizes {
		cells = append(cells, study.Cell{{Name: cellTiming, Value: n}, {Name: "batch", Value: timedBatch}, {Name: "most_iterations", Value: most}})
	}
	return cells
}

// timedProblem is piecewise constant signals, and first differences that are as much off as a learned operator's, with a row of nothing but that.
type timedProblem struct {
	n        int
	w        []float64
	y, truth []float64
}

func newTimedProblem(n int) (*timedProblem, error) {
	truth, err := signal.PiecewiseConstant(signal.Config{Count: timedBatch, Length: n, Stream: "timing"})
	if err != nil {
		return nil, err
	}
	p := &timedProblem{n: n, w: make([]float64, n*n), truth: truth.Values, y: truth.WithNoise(timedSigma, 0, "timing").Values}
	off := make([]float32, n*n)
	noise.Normal(off, noise.NewKey(0, "timing", 0))
	for i := range n {
		for j := range n {
			p.w[i*n+j] = 0.02 * float64(off[i*n+j])
		}
		if i+1 < n {
			p.w[i*n+i]--
			p.w[i*n+i+1]++
		}
	}
	return p, nil
}

// solved is an operator and its solutions from nothing.
func solved[T bilevel.Float](p *timedProblem, y []T) (*bilevel.Solution[T], error) {
	o, err := bilevel.NewOperator(p.n, p.n, p.w)
	if err != nil {
		return nil, err
	}
	return bilevel.Solve(o, timedBeta, y, bilevel.Config{}, nil)
}

// closedGradient is that, and the gradient.
func closedGradient[T bilevel.Float](p *timedProblem, y, truth []T) (*bilevel.Gradient, error) {
	s, err := solved(p, y)
	if err != nil {
		return nil, err
	}
	_, cotangent, err := s.HalfSquare(truth)
	if err != nil {
		return nil, err
	}
	return s.Gradient(cotangent)
}

// timeRuns is the time of some runs.
func timeRuns(ctx context.Context, run func() error) (t runTime, err error) {
	t.Milliseconds = math.Inf(1)
	begun, used, runs := time.Now(), processorSeconds(), 0
	for ; runs < timedRuns || time.Since(begun).Seconds() < timedSeconds; runs++ {
		at := time.Now()
		if err := errors.Join(ctx.Err(), run()); err != nil {
			return t, err
		}
		t.Milliseconds = min(t.Milliseconds, 1e3*time.Since(at).Seconds())
	}
	if used = 1e3 * (processorSeconds() - used) / float64(runs); !math.IsNaN(used) {
		t.Processor = &used
	}
	return t, nil
}

// time does a cell of the timing.
func (s *bilevelStudy) time(ctx context.Context, c study.Cell) (*bilevelResult, error) {
	n := int(c.Float(cellTiming))
	p, err := newTimedProblem(n)
	if err != nil {
		return nil, err
	}
	t := &gradientTiming{Samples: n, Batch: timedBatch}
	exact, err := closedGradient(p, p.y, p.truth)
	if err != nil {
		return nil, err
	}
	y, truth := singles(p.y), singles(p.truth)
	for _, one := range []struct {
		to  *runTime
		run func() error
	}{
		{&t.Closed, func() error { _, err := closedGradient(p, p.y, p.truth); return err }},
		{&t.Solve, func() error { _, err := solved(p, p.y); return err }},
		{&t.Single, func() error { _, err := closedGradient(p, y, truth); return err }},
	} {
		if *one.to, err = timeRuns(ctx, one.run); err != nil {
			return nil, err
		}
	}
	if err := s.timeUnrolled(ctx, p, exact.W, int(c.Float("most_iterations")), t); err != nil {
		return nil, err
	}
	t.Faster = t.Unrolled.over(t.Closed)
	return &bilevelResult{Timing: t}, nil
}

// timeUnrolled doubles the iterations until the gradient is exact. One thread runs them: more only wait for each other at these sizes.
func (s *bilevelStudy) timeUnrolled(ctx context.Context, p *timedProblem, exact []float64, most int, t *gradientTiming) error {
	norm := mat.Norm(mat.NewDense(p.n, p.n, p.w), 2)
	options := s.runtimeOptions()
	options.Provider, options.Threads = "", 1
	options.Optimization = runtime.OptimizeNone // runs as fast, and opens in half the time
	signals := []int64{timedBatch, int64(p.n)}
	feeds := map[string]*onnx.Tensor{bilevel.UnrolledSignals: onnx.FromSlice(p.y, signals...), bilevel.UnrolledTruth: onnx.FromSlice(p.truth, signals...),
		bilevel.UnrolledOperator: onnx.FromSlice(p.w, int64(p.n), int64(p.n))}
	for steps := firstUnrolled; ; steps *= 2 {
		begun := time.Now()
		m, err := bilevel.Unrolled{Rows: p.n, Cols: p.n, Samples: timedBatch, Type: onnx.Double, Steps: steps, Step: 1 / (norm * norm), Beta: timedBeta}.Build()
		if err != nil {
			return err
		}
		session, err := runtime.OpenModel(m, options)
		if err != nil {
			return err
		}
		t.Open, t.Steps = time.Since(begun).Seconds(), steps
		var out map[string]*onnx.Tensor
		run := func() (err error) {
			out, err = session.Run(ctx, feeds)
			return err
		}
		if err = run(); err == nil {
			t.Error = floats.Distance(onnx.Read[float64](out[bilevel.UnrolledGradient]), exact, math.Inf(1)) / floats.Norm(exact, math.Inf(1))
			if t.Error <= timedAccuracy || steps*2 > most {
				t.Unrolled, err = timeRuns(ctx, run)
			}
		}
		session.Close()
		if err != nil || t.Unrolled.Milliseconds > 0 {
			return err
		}
	}
}

func singles(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
