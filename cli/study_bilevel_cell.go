package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/signal"
	"graft/training/study"
)

// bilevelResult is what a cell comes to: mean squared errors, of pictures PSNR as well.
type bilevelResult struct {
	TestMSE  float64  `json:"test_mse"`
	TrainMSE float64  `json:"train_mse"`
	NoisyMSE float64  `json:"noisy_mse"` // of the test signals as they are
	Weight   *float64 `json:"weight,omitempty"`
	Edge     bool     `json:"weight_at_the_end,omitempty"` // the search ended at an end of where it looks

	PSNR      *float64         `json:"psnr,omitempty"` // mean over the test pictures
	NoisyPSNR *float64         `json:"noisy_psnr,omitempty"`
	Pictures  []bilevelPicture `json:"pictures,omitempty"`

	// Likeness says how much the rows of W are first differences, LikenessBefore those of the start.
	Likeness       *differenceLikeness `json:"difference_likeness,omitempty"`
	LikenessBefore *differenceLikeness `json:"difference_likeness_before,omitempty"`
	Curve          []bilevelSample     `json:"curve,omitempty"`
	Rows           [][]float64         `json:"largest_rows,omitempty"` // of W
	Drawn          []int               `json:"drawn,omitempty"`        // steps of which there is a picture of W

	Timing *gradientTiming `json:"timing,omitempty"`
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
	l := s.settings(c.Get("signals"))
	kind, err := signal.FindKind(c.Get("signals"))
	if err != nil {
		return nil, err
	}
	out := &bilevelSets{}
	if out.train, err = kind.Make(s.signals(l.train, seed, "train")); err != nil {
		return nil, err
	}
	if out.test, err = kind.Make(s.signals(l.test, seed, "test")); err != nil {
		return nil, err
	}
	out.trainNoisy = out.train.WithNoise(l.sigma, seed, "train")
	out.testNoisy = out.test.WithNoise(l.sigma, seed, "test")
	return out, nil
}

// Run does a cell.
func (s *bilevelStudy) Run(ctx context.Context, c study.Cell, work string, folder *study.Folder) (any, error) {
	if n := c.Get(cellTiming); n != "" {
		s.alone.Lock()
		defer s.alone.Unlock()
		return s.time(ctx, c)
	}
	s.alone.RLock()
	defer s.alone.RUnlock()
	learned := c.Get("method") == bilevelLearned
	if c.Get("signals") == kindPictures {
		if learned {
			return s.learnPictures(ctx, c, work, folder)
		}
		return s.filterPictures(ctx, c)
	}
	sets, err := s.sets(c)
	if err != nil {
		return nil, err
	}
	if learned {
		return s.learn(ctx, c, sets, work, folder)
	}
	return s.tune(c.Get("method"), s.settings(c.Get("signals")).sigma, sets)
}

// tune finds a baseline's weight on the training signals.
func (s *bilevelStudy) tune(name string, sigma float64, sets *bilevelSets) (*bilevelResult, error) {
	b, err := denoiser.FindBaseline(name)
	if err != nil {
		return nil, err
	}
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
func (s *bilevelStudy) learn(ctx context.Context, c study.Cell, sets *bilevelSets, work string, folder *study.Folder) (*bilevelResult, error) {
	out := &bilevelResult{NoisyMSE: signal.MSE(sets.testNoisy, sets.test)}
	trained, err := s.train(ctx, c, bilevel.Pairs{Noisy: sets.trainNoisy.Values, Truth: sets.train.Values}, out, work, folder)
	if err != nil {
		return nil, err
	}
	if out.TestMSE, err = solvedMSE(trained, sets.testNoisy, sets.test); err != nil {
		return nil, err
	}
	if out.TrainMSE, err = solvedMSE(trained, sets.trainNoisy, sets.train); err != nil {
		return nil, err
	}
	return out, s.keepOperator(c, trained.Operator, trained.Beta, folder)
}

// train learns W from pairs; what is said of W on the way, and of its rows, goes into out.
func (s *bilevelStudy) train(ctx context.Context, c study.Cell, pairs bilevel.Pairs, out *bilevelResult, work string, folder *study.Folder) (*bilevel.Trained, error) {
	config, err := s.trainConfig(c)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	begun, err := s.form.Begin(config.Start, 1, config.Seed)
	if err != nil {
		return nil, err
	}
	before := s.form.Operator(begun)
	if err := s.draw(c, 0, before, folder); err != nil {
		return nil, err
	}
	every, drawn := max(1, config.Steps/200), drawnSteps(config.Steps)
	trained, err := bilevel.Train(ctx, pairs, config, bilevel.Run{
		Checkpoint: filepath.Join(work, "state"), Watch: func(st *bilevel.State) error {
			if st.Step%every == 0 || st.Step == config.Steps {
				out.Curve = append(out.Curve, bilevelSample{st.Step, st.Mean})
			}
			if slices.Contains(drawn, st.Step) {
				if err := s.draw(c, st.Step, st.W, folder); err != nil {
					return err
				}
			}
			return ctx.Err()
		}})
	if err != nil {
		return nil, err
	}
	out.Drawn = drawn
	if c.Get("signals") != kindPictures {
		n := s.Int("length")
		out.LikenessBefore, out.Likeness = likeness(before, n), likeness(trained.Operator.W(), n)
		out.Rows = largestRows(trained.Operator, 8)
	}
	return trained, nil
}

func (s *bilevelStudy) trainConfig(c study.Cell) (bilevel.TrainConfig, error) {
	seed, err := seedOfCell(c)
	if err != nil {
		return bilevel.TrainConfig{}, err
	}
	l := s.settings(c.Get("signals"))
	t := bilevel.TrainConfig{Form: s.form, Start: s.start, Rule: s.rule, Rate: l.lr, Decay: 0.01, Batch: s.Int("batch"), Steps: l.steps, Seed: seed}
	if l.tolerance > 0 {
		t.Solver = bilevel.Config{Tolerance: l.tolerance, Plain: true}
	}
	switch s.form.(type) {
	case bilevel.Orthonormal, bilevel.TightFrame: // whose scale is fixed
		t.Beta, t.LearnBeta = l.sigma, true
	}
	return t, nil
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

// errMeasured ends a training that is only timed.
var errMeasured = errors.New("measured")

// measuredBilevelSteps are run to find out what one costs.
const measuredBilevelSteps = 20

// Cost times some steps of a training, and takes a baseline for a hundred looks at a signal a millisecond long together; of pictures it has
// one look at a small part.
func (s *bilevelStudy) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	known := map[string]float64{}
	once := func(key string, measure func() (float64, error)) (float64, error) {
		if t, ok := known[key]; ok {
			return t, nil
		}
		t, err := measure()
		known[key] = t
		return t, err
	}
	return costOf(s.call, todo, func(c study.Cell) (int64, float64, error) {
		kind, method := c.Get("signals"), c.Get("method")
		l := s.settings(kind)
		switch {
		case c.Get(cellTiming) != "":
			return 0, secondsOfTiming, nil
		case method == bilevelLearned:
			step, err := once(kind, func() (float64, error) { return s.stepTime(ctx, c) })
			return int64(l.steps), step * float64(l.steps), err
		case kind == kindPictures:
			took, err := once(method, func() (float64, error) { return s.pictures.look(method, l.sigma) })
			return 0, took, err
		}
		return 0, 1e-3 * float64(l.train), nil
	})
}

// pairs are what a cell learns W from.
func (s *bilevelStudy) pairs(c study.Cell) (bilevel.Pairs, error) {
	if c.Get("signals") == kindPictures {
		return s.patches(c)
	}
	sets, err := s.sets(c)
	if err != nil {
		return bilevel.Pairs{}, err
	}
	return bilevel.Pairs{Noisy: sets.trainNoisy.Values, Truth: sets.train.Values}, nil
}

func (s *bilevelStudy) stepTime(ctx context.Context, c study.Cell) (float64, error) {
	pairs, err := s.pairs(c)
	if err != nil {
		return 0, err
	}
	config, err := s.trainConfig(c)
	if err != nil {
		return 0, err
	}
	begun, taken := time.Now(), 0
	_, err = bilevel.Train(ctx, pairs, config, bilevel.Run{Watch: func(*bilevel.State) error {
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
	line := fmt.Sprintf("%s, seed %s, %s: ", r.Cell.Get("signals"), r.Cell.Get("seed"), r.Cell.Get("method"))
	switch {
	case x.Timing != nil:
		return fmt.Sprintf("timing, %s samples: %s", r.Cell.Get(cellTiming), x.Timing)
	case x.PSNR != nil && x.NoisyPSNR != nil:
		line += fmt.Sprintf("%.2f dB of %.2f", *x.PSNR, *x.NoisyPSNR)
	default:
		line += fmt.Sprintf("mean squared error %.4g of %.4g", x.TestMSE, x.NoisyMSE)
	}
	return fmt.Sprintf("%s (%.1f s)", line, r.Seconds)
}
