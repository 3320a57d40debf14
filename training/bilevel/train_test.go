package bilevel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// staircases are piecewise constant signals that jump with probability 0.1, and the same with noise.
func staircases(seed uint64, count, n int, sigma float64) Pairs {
	r := rand.New(rand.NewPCG(seed, 10))
	p := Pairs{Noisy: make([]float64, count*n), Truth: make([]float64, count*n)}
	for i := range p.Truth {
		if i%n == 0 || r.Float64() < 0.1 {
			p.Truth[i] = r.Float64()
		} else {
			p.Truth[i] = p.Truth[i-1]
		}
		p.Noisy[i] = p.Truth[i] + sigma*r.NormFloat64()
	}
	return p
}

// score is the mean square of what W leaves of the noise.
func score(t *testing.T, o *Operator, beta float64, p Pairs) float64 {
	t.Helper()
	s := solve(t, o, beta, p.Noisy, Config{})
	l, _, err := s.HalfSquare(p.Truth)
	if err != nil {
		t.Fatal(err)
	}
	return 2 * l / float64(len(p.Truth))
}

// Few steps of every form leave less noise in other signals than it was trained on; two filters do nearly what total variation does at its
// best β.
func TestTrainLearns(t *testing.T) {
	const n = 16
	train, test := staircases(1, 200, n, 0.1), staircases(2, 200, n, 0.1)
	tv := math.Inf(1)
	for _, beta := range []float64{0.05, 0.1, 0.15, 0.2, 0.3} {
		tv = min(tv, score(t, operator(t, n-1, n, differences(n)), beta, test))
	}
	noisy := score(t, operator(t, 0, n, nil), 0, test)
	for _, c := range []TrainConfig{
		{Form: Free{n, n}, Start: CentredIdentity, Rule: Adam, Rate: 3e-3, Decay: 0.1, Batch: 20, Steps: 150, Seed: 1},
		{Form: Convolution{Filters: 2, Width: 3, Signal: []int{n}}, Rule: Adam, Rate: 2e-2, Decay: 0.1, Batch: 20, Steps: 150, Seed: 1},
		{Form: Orthonormal{n - 1, n}, Rule: Adam, Rate: 2e-2, Batch: 20, Steps: 60, Beta: 0.05, LearnBeta: true, Seed: 1},
		{Form: TightFrame{n + 4, n}, Start: CentredIdentity, Rule: HeavyBall, Rate: 1, Batch: 20, Steps: 100, Beta: 0.08, LearnBeta: true, Seed: 1},
	} {
		got, err := Train(t.Context(), train, c, Run{})
		if err != nil {
			t.Fatal(err)
		}
		mse := score(t, got.Operator, got.Beta, test)
		t.Logf("%T, start %d: noisy %.5f, learned %.5f, beta %.3f, total variation %.5f", c.Form, c.Start, noisy, mse, got.Beta, tv)
		if _, is := c.Form.(Convolution); is && mse > 1.15*tv || mse > 0.9*noisy {
			t.Errorf("%T, start %d: %g, total variation %g, noise %g", c.Form, c.Start, mse, tv, noisy)
		}
	}
}

func TestFormsHold(t *testing.T) {
	p := staircases(3, 20, 8, 0.1)
	for _, f := range []Form{Orthonormal{5, 8}, Orthonormal{8, 8}, TightFrame{8, 8}, TightFrame{12, 8}} {
		for _, s := range []Start{Random, CentredIdentity} {
			got, err := Train(t.Context(), p, TrainConfig{Form: f, Start: s, Beta: 0.1, Rate: 1, Steps: 5}, Run{})
			if err != nil {
				t.Fatal(err)
			}
			rows, cols := f.Size()
			w := mat.NewDense(rows, cols, got.Operator.W())
			var g mat.Dense
			if g.Mul(w, w.T()); rows > cols {
				g.Reset()
				g.Mul(w.T(), w)
			}
			for i := range min(rows, cols) {
				g.Set(i, i, g.At(i, i)-1)
			}
			if e := mat.Norm(&g, 2); e > 1e-12 {
				t.Errorf("%T %v: off by %g", f, f, e)
			}
		}
	}
}

// The gradient with respect to filters is the central difference of the loss in them.
func TestConvolutionGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	for _, c := range []Convolution{{Filters: 2, Width: 3, Signal: []int{9}}, {Filters: 2, Width: 3, Signal: []int{4, 5}}} {
		rows, cols := c.Size()
		filters, y, truth := normals(r, c.Filters*c.Taps()), normals(r, 3*cols), normals(r, 3*cols)
		s := solve(t, operator(t, rows, cols, c.Operator(filters)), 0.1, y, Config{})
		_, g, err := s.HalfSquare(truth)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Gradient(g)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range c.Pullback(d.W) {
			want := central(truth, func(h float64) []float64 {
				moved := slices.Clone(filters)
				moved[i] += h
				return solved(t, rows, cols, c.Operator(moved), 0.1, y)
			})
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%v, tap %d: %g, by differences %g", c, i, got, want)
			}
		}
		x := normals(r, cols) // each row is a filter at a place
		z := mat.NewVecDense(rows, nil)
		z.MulVec(mat.NewDense(rows, cols, c.Operator(filters)), mat.NewVecDense(cols, x))
		if len(c.Signal) == 1 {
			for p := range cols - 2 {
				if e := math.Abs(z.AtVec(p) - floats.Dot(filters[:3], x[p:p+3])); e > 1e-14 {
					t.Errorf("place %d: off by %g", p, e)
				}
			}
		}
	}
	at, err := Convolution{Filters: 2, Width: 3, Signal: []int{9}}.At(100)
	if rows, cols := at.Size(); err != nil || rows != 196 || cols != 100 {
		t.Errorf("at 100: %d by %d, %v", rows, cols, err)
	}
}

// Filters without a mean over a signal of pieces: the rows over a piece are dependent, and stay so whatever the filters become.
func TestCentredFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	c := Convolution{Filters: 2, Width: 3, Signal: []int{16}, Extended: true, Centred: true}
	rows, cols := c.Size()
	if rows != 2*16 || cols != 16 {
		t.Fatalf("%d by %d", rows, cols)
	}
	compared := 0
	for problem := range 20 {
		filters, y, truth := normals(r, c.Filters*c.Taps()), normals(r, cols), normals(r, cols)
		c.centre(filters)
		s := solve(t, operator(t, rows, cols, c.Operator(filters)), 0.3, y, Config{})
		_, g, err := s.HalfSquare(truth)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Gradient(g)
		if err != nil {
			t.Fatal(err)
		}
		p := c.Pullback(d.W)
		for i := range filters {
			along := make([]float64, len(filters)) // tap i, and the others of its filter less
			along[i] = 1
			c.centre(along)
			kink := false
			want := central(truth, func(h float64) []float64 {
				moved := slices.Clone(filters)
				floats.AddScaled(moved, h, along)
				at := solve(t, operator(t, rows, cols, c.Operator(moved)), 0.3, y, Config{})
				kink = kink || !slices.Equal(at.Pattern, s.Pattern)
				return at.X
			})
			if kink {
				continue
			}
			compared++
			if got := floats.Dot(p, along); math.Abs(got-want) > 1e-9 {
				t.Errorf("problem %d, tap %d: %g, by differences %g, %d ties", problem, i, got, want, len(s.Ties))
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d of 120 are without a kink", compared)
	}
}

// A run that is cut off anywhere goes on with the same bits.
func TestResume(t *testing.T) {
	p := staircases(4, 30, 8, 0.1)
	for _, c := range []TrainConfig{
		{Form: Free{8, 8}, Start: CentredIdentity, Rate: 0.1},
		{Form: Orthonormal{7, 8}, Rule: HeavyBall, Rate: 0.1, Beta: 0.1, LearnBeta: true, Single: true},
		{Form: Convolution{Filters: 2, Width: 3, Signal: []int{8}}, Rule: Adam, Rate: 0.01, Decay: 0.1, Cold: true},
	} {
		c.Batch, c.Steps, c.Seed = 7, 23, 5
		whole, err := Train(t.Context(), p, c, Run{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "state.safetensors")
		for _, stop := range []int{3, 4, 17} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := Train(ctx, p, c, Run{Checkpoint: path, Watch: func(s *State) error {
				if s.Step == stop {
					cancel()
				}
				return nil
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		steps := 0
		got, err := Train(t.Context(), p, c, Run{Checkpoint: path, Watch: func(*State) error { steps++; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Operator.W(), whole.Operator.W()) || got.Beta != whole.Beta || got.Mean != whole.Mean || steps != 6 {
			t.Errorf("%T, %v: other bits, or %d steps", c.Form, c.Rule, steps)
		}
		for what, change := range map[string]func(*TrainConfig){
			"rate": func(c *TrainConfig) { c.Rate *= 2 }, "seed": func(c *TrainConfig) { c.Seed++ }, "form": func(c *TrainConfig) { c.Form = Free{7, 8} },
		} {
			other := c
			change(&other)
			if _, err := Train(t.Context(), p, other, Run{Checkpoint: path}); err == nil || !strings.Contains(err.Error(), "other settings") {
				t.Errorf("other %s: %v", what, err)
			}
		}
	}
	// Damaged files are refused, and left.
	path := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(path, []byte("12345678{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), p, TrainConfig{Form: Free{8, 8}, Steps: 1}, Run{Checkpoint: path}); err == nil {
		t.Error("a damaged checkpoint is taken")
	}
}

func TestDiverging(t *testing.T) {
	p := staircases(5, 50, 8, 0.1)
	for _, c := range []TrainConfig{
		{Form: Free{8, 8}, Start: CentredIdentity, Rate: 1e3, Steps: 500},
		{Form: Free{8, 8}, Rule: HeavyBall, Rate: 1e200, Steps: 500},
		{Form: Free{8, 8}, Rule: Adam, Rate: 1, Steps: 500},
	} {
		_, err := Train(t.Context(), p, c, Run{})
		if err == nil || !strings.Contains(err.Error(), "train: step ") || !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "norm") {
			t.Errorf("%v at rate %g: %v", c.Rule, c.Rate, err)
		}
		t.Log(err)
	}
}

func TestTrainRefusals(t *testing.T) {
	p := staircases(6, 4, 8, 0.1)
	bad := Pairs{Noisy: slices.Clone(p.Noisy), Truth: p.Truth}
	bad.Noisy[9] = math.Inf(1)
	for i, c := range []struct {
		pairs Pairs
		with  TrainConfig
		want  string
	}{
		{p, TrainConfig{Steps: 1}, "no form"},
		{p, TrainConfig{Form: Free{4, 8}}, "0 steps"},
		{p, TrainConfig{Form: Free{4, 7}, Steps: 1}, "signals of length 7"},
		{p, TrainConfig{Form: Orthonormal{9, 8}, Steps: 1}, "no more than 8"},
		{p, TrainConfig{Form: TightFrame{7, 8}, Steps: 1}, "8 at least"},
		{p, TrainConfig{Form: Convolution{Filters: 1, Width: 9, Signal: []int{8}}, Steps: 1}, "smaller than a filter"},
		{p, TrainConfig{Form: Convolution{Filters: 1, Width: 13, Signal: []int{80}}, Steps: 1}, "widths of 3 to 11"},
		{p, TrainConfig{Form: Free{8, 8}, Rate: -1, Steps: 1}, "rate -1"},
		{p, TrainConfig{Form: Free{8, 8}, Momentum: 1, Steps: 1}, "momentum 1"},
		{bad, TrainConfig{Form: Free{8, 8}, Steps: 1}, "pair 1, element 1 is +Inf"},
		{Pairs{}, TrainConfig{Form: Free{8, 8}, Steps: 1}, "0 noisy numbers"},
	} {
		if _, err := Train(t.Context(), c.pairs, c.with, Run{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v, want ...%s...", i, err, c.want)
		}
	}
	if _, err := ParseRule("lion"); err == nil || fmt.Sprint(Adam, Rule(9)) != "adam rule 9" {
		t.Error("names of rules")
	}
}
