package denoiser

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"graft/training/signal"
)

// TestTransformLearning: the objective never rises, of square transforms with and without a regulariser and of tight frames, with a
// number of products kept and with a threshold; what has to be orthonormal is.
func TestTransformLearning(t *testing.T) {
	y, _ := planted(t, 400, 16, 24, 3)
	for _, c := range []struct {
		rows int
		TransformConfig
	}{{16, TransformConfig{Sparsity: 4}}, {16, TransformConfig{Threshold: 0.3}}, {16, TransformConfig{Sparsity: 4, Regular: 3.1e-3}}, {16, TransformConfig{Threshold: 0.3, Regular: 0.1}},
		{24, TransformConfig{Sparsity: 5}}, {24, TransformConfig{Threshold: 0.3}}, {16, TransformConfig{Sparsity: 99}}} {
		first, err := CosineFrame(16, c.rows)
		if err != nil {
			t.Fatal(err)
		}
		w, objectives, err := LearnTransform(y, Transform(first), c.TransformConfig)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if len(objectives) != 40 {
			t.Errorf("%+v: %d objectives", c, len(objectives))
		}
		for i := 1; i < len(objectives); i++ {
			if objectives[i] > objectives[i-1]+1e-10*math.Abs(objectives[i-1])+1e-9 {
				t.Errorf("%+v: the objective rises from %.12g to %.12g", c, objectives[i-1], objectives[i])
			}
		}
		if c.Sparsity < 99 && objectives[39] > 0.95*objectives[0] {
			t.Errorf("%+v: objective %g at first, %g at last", c, objectives[0], objectives[39])
		}
		if c.Regular > 0 {
			continue
		}
		for i := range 16 { // W'W = I
			for j := range 16 {
				dot := 0.0
				for k := range w.Count {
					dot += signal.Set(w).Row(k)[i] * signal.Set(w).Row(k)[j]
				}
				if i == j {
					dot--
				}
				if math.Abs(dot) > 1e-10 {
					t.Errorf("%+v: columns %d and %d have product %g", c, i, j, dot+1)
				}
			}
		}
	}
}

// TestTransformUpdate holds the regularised update to what makes it one: the objective's derivative by W, 2 (W Y - X) Y' + lambda (2 W -
// inv(W)'), is 0 there.
func TestTransformUpdate(t *testing.T) {
	const n = 6
	y := normal(t, 50, n, "update")
	first := Transform{Count: n, Length: n, Values: cosineBasis(n)}
	l := transformLearner{y: y, c: TransformConfig{Sparsity: 2}, lambda: 0.7, w: first}
	if err := l.prepare(); err != nil {
		t.Fatal(err)
	}
	l.sparsify()
	if err := l.renew(); err != nil {
		t.Fatal(err)
	}
	const step = 1e-5
	for i := range l.w.Values {
		at := func(by float64) float64 {
			m := l
			m.w.Values = slices.Clone(l.w.Values)
			m.w.Values[i] += by
			m.wy = product(y, signal.Set(m.w))
			return m.objective()
		}
		if d := (at(step) - at(-step)) / (2 * step); math.Abs(d) > 1e-7 {
			t.Errorf("derivative %d is %g", i, d)
		}
	}
}

// TestAnalysis: with weight 0 signals stay, whatever transform of full rank, and a planted one removes what it should.
func TestAnalysis(t *testing.T) {
	w := Transform(normal(t, 20, 12, "rows"))
	floats.Scale(3, w.Values)
	f, err := TransformLine(w)
	if err != nil {
		t.Fatal(err)
	}
	y := normal(t, 1, 12, "signal").Values
	x, err := f(y, 0)
	if err != nil || distance(x, y) > 1e-12 {
		t.Errorf("weight 0 changes a signal by %g, %v", distance(x, y), err)
	}
	if x, err = f(y, 1e3); err != nil || math.Abs(x[0]-x[11]) > 1e-12 {
		t.Errorf("a large weight leaves %v, %v", x, err)
	}
	if _, err := f(y[1:], 1); err == nil {
		t.Error("11 samples for rows of 12")
	}
	double := Transform{Count: 3, Length: 3, Values: []float64{1, 0, 0, 1, 0, 0, 0, 1, 0}}
	if _, err := TransformLine(double); err == nil || !strings.Contains(err.Error(), "span") {
		t.Errorf("rows that span a plane: %v", err)
	}
	if _, err := TransformLine(Transform(normal(t, 3, 4, "few"))); err == nil {
		t.Error("3 rows for 4 samples")
	}
}

func TestTransformRefused(t *testing.T) {
	y := normal(t, 20, 4, "signals")
	square := Transform{Count: 4, Length: 4, Values: cosineBasis(4)}
	frame := Transform(normal(t, 6, 4, "frame"))
	flat := Transform{Count: 4, Length: 4, Values: make([]float64, 16)}
	for _, c := range []struct {
		y     signal.Set
		first Transform
		c     TransformConfig
	}{{signal.Set{}, square, TransformConfig{Sparsity: 1}}, {y, Transform{}, TransformConfig{Sparsity: 1}}, {y, square, TransformConfig{}}, {y, square, TransformConfig{Sparsity: 1, Threshold: 1}},
		{y, frame, TransformConfig{Sparsity: 1, Regular: 1}}, {y, square, TransformConfig{Threshold: math.NaN()}}, {y, square, TransformConfig{Sparsity: 1, Regular: -1}},
		{y, Transform(normal(t, 3, 4, "few")), TransformConfig{Sparsity: 1}}, {y, flat, TransformConfig{Sparsity: 1}}, {y, square, TransformConfig{Sparsity: 1, Iterations: -1}}} {
		if _, _, err := LearnTransform(c.y, c.first, c.c); err == nil {
			t.Errorf("learned %d rows with %+v from %d signals", c.first.Count, c.c, c.y.Count)
		}
	}
	if _, err := TransformFilter(Planes{Pix: make([]float32, 7*9), Channels: 1, Height: 7, Width: 9}, 0.1, TransformPatches{}); err == nil {
		t.Error("a picture smaller than a patch")
	}
	if x, err := TransformFilter(Planes{Pix: make([]float32, 81), Channels: 1, Height: 9, Width: 9}, 0.1, TransformPatches{}); err != nil || slices.Max(x.Pix) > 1e-6 {
		t.Errorf("a black picture becomes %v, %v", x.Pix, err)
	}
	if _, err := TransformFilter(Planes{Pix: make([]float32, 81), Channels: 1, Height: 9, Width: 9}, 0.1, TransformPatches{Transform: square}); err == nil {
		t.Error("rows of 4 samples for patches of 8x8")
	}
}
