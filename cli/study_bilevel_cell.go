package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/gonum/floats"

	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/signal"
	"graft/training/study"
)

// bilevelResult is what a cell comes to: mean squared errors.
type bilevelResult struct {
	TestMSE  float64  `json:"test_mse"`
	TrainMSE float64  `json:"train_mse"`
	NoisyMSE float64  `json:"noisy_mse"` // of the test signals as they are
	Weight   *float64 `json:"weight,omitempty"`
	Edge     bool     `json:"weight_at_the_end,omitempty"` // the search ended at an end of where it looks
	// Differences is how much of W's rows is a difference of neighbours: the largest part of a row's energy that lies in one, the mean
	// over the rows by their energy. DifferencesBefore is that of the start.
	Differences       *float64        `json:"differences,omitempty"`
	DifferencesBefore *float64        `json:"differences_before,omitempty"`
	Curve             []bilevelSample `json:"curve,omitempty"`
	Rows              [][]float64     `json:"largest_rows,omitempty"` // of W
}

type bilevelSample struct {
	Step int     `json:"step"`
	Loss float64 `json:"loss"`
}

// bilevelSets are the signals of a cell.
type bilevelSets struct{ train, trainNoisy, test, testNoisy signal.Set }

func (s *bilevelStudy) sets(c study.Cell) (*bilevelSets, error) {
	seed, err := seedOfCell(c)
	if err != nil {
		return nil, err
	}
	kind, err := signal.FindKind(c.Get("signals"))
	if err != nil {
		return nil, err
	}
	out := &bilevelSets{}
	if out.train, err = kind.Make(s.signals(s.train, seed, "train")); err != nil {
		return nil, err
	}
	if out.test, err = kind.Make(s.signals(s.test, seed, "test")); err != nil {
		return nil, err
	}
	out.trainNoisy = out.train.WithNoise(s.Float("sigma"), seed, "train")
	out.testNoisy = out.test.WithNoise(s.Float("sigma"), seed, "test")
	return out, nil
}

// Run does a cell.
func (s *bilevelStudy) Run(ctx context.Context, c study.Cell, work string, _ *study.Folder) (any, error) {
	sets, err := s.sets(c)
	if err != nil {
		return nil, err
	}
	if c.Get("method") == bilevelLearned {
		return s.learn(ctx, c, sets, work)
	}
	return s.tune(c.Get("method"), sets)
}

// tune finds a baseline's weight on the training signals.
func (s *bilevelStudy) tune(name string, sets *bilevelSets) (*bilevelResult, error) {
	b, err := denoiser.FindBaseline(name)
	if err != nil {
		return nil, err
	}
	sigma := s.Float("sigma")
	filter, err := b.Lines(denoiser.Given{Sigma: sigma, Signals: sets.train})
	if err != nil {
		return nil, err
	}
	best, err := filter.Tune(sets.train, sets.trainNoisy, denoiser.Search{Start: b.Usual * sigma})
	if err != nil {
		return nil, err
	}
	x, err := filter.Each(sets.testNoisy, best.Weight)
	if err != nil {
		return nil, err
	}
	return &bilevelResult{TestMSE: signal.MSE(x, sets.test), TrainMSE: best.MSE, NoisyMSE: signal.MSE(sets.testNoisy, sets.test), Weight: &best.Weight, Edge: best.Edge}, nil
}

// learn trains W.
func (s *bilevelStudy) learn(ctx context.Context, c study.Cell, sets *bilevelSets, work string) (*bilevelResult, error) {
	seed, err := seedOfCell(c)
	if err != nil {
		return nil, err
	}
	config := s.trainConfig(seed)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	out := &bilevelResult{NoisyMSE: signal.MSE(sets.testNoisy, sets.test)}
	every := max(1, s.steps/200)
	trained, err := bilevel.Train(ctx, bilevel.Pairs{Noisy: sets.trainNoisy.Values, Truth: sets.train.Values}, config, bilevel.Run{
		Checkpoint: filepath.Join(work, "state"), Watch: func(st *bilevel.State) error {
			if st.Step%every == 0 || st.Step == s.steps {
				out.Curve = append(out.Curve, bilevelSample{st.Step, st.Mean})
			}
			return ctx.Err()
		}})
	if err != nil {
		return nil, err
	}
	if out.TestMSE, err = solvedMSE(trained, sets.testNoisy, sets.test); err != nil {
		return nil, err
	}
	if out.TrainMSE, err = solvedMSE(trained, sets.trainNoisy, sets.train); err != nil {
		return nil, err
	}
	begun, err := s.form.Begin(config.Start, 1, seed)
	if err != nil {
		return nil, err
	}
	n := s.Int("length")
	before, after := differences(s.form.Operator(begun), n), differences(trained.Operator.W(), n)
	out.DifferencesBefore, out.Differences = &before, &after
	out.Rows = largestRows(trained.Operator, 8)
	return out, nil
}

func (s *bilevelStudy) trainConfig(seed uint64) bilevel.TrainConfig {
	c := bilevel.TrainConfig{Form: s.form, Start: s.start, Rule: s.rule, Rate: s.Float("lr"), Decay: 0.01, Batch: s.Int("batch"), Steps: s.steps, Seed: seed}
	switch s.form.(type) {
	case bilevel.Orthonormal, bilevel.TightFrame: // whose scale is fixed
		c.Beta, c.LearnBeta = s.Float("sigma"), true
	}
	return c
}

// solvedMSE is the mean squared error of an operator's solutions.
func solvedMSE(t *bilevel.Trained, noisy, clean signal.Set) (float64, error) {
	solved, err := bilevel.Solve(t.Operator, t.Beta, noisy.Values, bilevel.Config{}, nil)
	if err != nil {
		return 0, err
	}
	if len(solved.Open) > 0 {
		return 0, fmt.Errorf("%s of %d are not solved to the tolerance", counted(len(solved.Open), "signal"), noisy.Count)
	}
	x := noisy
	x.Values = solved.X
	return signal.MSE(x, clean), nil
}

// differences is bilevelResult's number of that name, of a W with n columns.
func differences(w []float64, n int) float64 {
	sum, all := 0.0, 0.0
	for ; len(w) >= n; w = w[n:] {
		row, most := w[:n], 0.0
		for i := range n - 1 {
			d := row[i+1] - row[i] // the product with a difference of length root 2
			most = max(most, d*d/2)
		}
		sum += most
		all += floats.Dot(row, row)
	}
	if all == 0 {
		return 0
	}
	return sum / all
}

// largestRows are the rows of the largest norm.
func largestRows(o *bilevel.Operator, most int) [][]float64 {
	norms, order := make([]float64, o.Rows()), make([]int, o.Rows())
	for i := range norms {
		norms[i] = -floats.Norm(o.Row(i), 2)
	}
	floats.Argsort(norms, order)
	var rows [][]float64
	for _, i := range order[:min(most, len(order))] {
		rows = append(rows, o.Row(i))
	}
	return rows
}

// errMeasured ends a training that is only timed.
var errMeasured = errors.New("measured")

// measuredBilevelSteps are run to find out what one costs.
const measuredBilevelSteps = 20

// Cost times some steps of a training, and takes a baseline for a hundred looks at a signal a millisecond long together.
func (s *bilevelStudy) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	step := map[string]float64{}
	return costOf(s.call, todo, func(c study.Cell) (int64, float64, error) {
		if c.Get("method") != bilevelLearned {
			return 0, 1e-3 * float64(s.train), nil
		}
		kind := c.Get("signals")
		if step[kind] == 0 {
			var err error
			if step[kind], err = s.stepTime(ctx, c); err != nil {
				return 0, 0, err
			}
		}
		return int64(s.steps), step[kind] * float64(s.steps), nil
	})
}

func (s *bilevelStudy) stepTime(ctx context.Context, c study.Cell) (float64, error) {
	sets, err := s.sets(c)
	if err != nil {
		return 0, err
	}
	begun, taken := time.Now(), 0
	_, err = bilevel.Train(ctx, bilevel.Pairs{Noisy: sets.trainNoisy.Values, Truth: sets.train.Values}, s.trainConfig(s.seeds[0]), bilevel.Run{Watch: func(*bilevel.State) error {
		if taken++; taken == measuredBilevelSteps {
			return errMeasured
		}
		return nil
	}})
	if err != nil && !errors.Is(err, errMeasured) {
		return 0, err
	}
	return time.Since(begun).Seconds() / float64(taken), nil
}

// Line is a finished cell.
func (s *bilevelStudy) Line(r *study.Record) string {
	x, err := resultOf[bilevelResult](r)
	if err != nil {
		return r.Cell.String()
	}
	return fmt.Sprintf("%s, seed %s, %s: mean squared error %.4g of %.4g (%.1f s)", r.Cell.Get("signals"), r.Cell.Get("seed"), r.Cell.Get("method"), x.TestMSE, x.NoisyMSE, r.Seconds)
}
