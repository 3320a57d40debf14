package momentum

import (
	"errors"
	"math"
	"testing"
)

// Solutions that are known, within what is asked for.
func TestIntegrator(t *testing.T) {
	for _, tol := range []float64{1e-4, 1e-7, 1e-10} {
		in := Integrator{Absolute: tol, Relative: tol}
		x := []float64{1, 0}
		// A pendulum of small swings: x'' = -x, through a whole turn in two parts.
		f := func(_ float64, x, s []float64) error { s[0], s[1] = x[1], -x[0]; return nil }
		if err := errors.Join(in.Go(f, x, 0, 2), in.Go(f, x, 2, 2*math.Pi)); err != nil {
			t.Fatal(err)
		}
		if d := math.Hypot(x[0]-1, x[1]); d > 50*tol {
			t.Errorf("tolerance %g: off by %g after a turn, %d steps", tol, d, in.Steps)
		}
		t.Logf("tolerance %g: %d steps, %d refused, %d evaluations", tol, in.Steps, in.Refused, in.Evaluations)
		// Time in the equation: x' = -2 t x², from 1: 1/(1+t²).
		in = Integrator{Absolute: tol, Relative: tol}
		y := []float64{1}
		if err := in.Go(func(t float64, x, s []float64) error { s[0] = -2 * t * x[0] * x[0]; return nil }, y, 0, 3); err != nil {
			t.Fatal(err)
		}
		if math.Abs(y[0]-0.1) > 10*tol {
			t.Errorf("tolerance %g: %g at 3, want 0.1", tol, y[0])
		}
	}
}

// Polynomials of degree 5 are followed without error, those of degree 6 are not.
func TestIntegratorOrder(t *testing.T) {
	run := func(n int, h float64) float64 {
		in := Integrator{Absolute: 1e9, Relative: 1, step: h, try: make([]float64, 1)}
		for i := range in.slope {
			in.slope[i] = make([]float64, 1)
		}
		x := []float64{0}
		if err := in.Go(func(t float64, _, s []float64) error { s[0] = float64(n) * math.Pow(t, float64(n-1)); return nil }, x, 0, h); err != nil {
			t.Fatal(err)
		}
		return math.Abs(x[0] - math.Pow(h, float64(n)))
	}
	for n := 1; n <= 5; n++ {
		if e := run(n, 1); e > 1e-14 {
			t.Errorf("degree %d: off by %g", n, e)
		}
	}
	if e := run(6, 1); e < 1e-6 {
		t.Errorf("degree 6: off by %g only: the order is not 5", e)
	}
}

func TestIntegratorRefuses(t *testing.T) {
	f := func(_ float64, x, s []float64) error { s[0] = x[0] * x[0]; return nil }
	in := Integrator{Absolute: 1e-8, Relative: 1e-8}
	if err := in.Go(f, []float64{1}, 0, 2); err == nil { // 1/(1-t)
		t.Error("a solution that leaves every bound is followed")
	}
	if err := (&Integrator{}).Go(f, []float64{1}, 0, 0.5); err == nil {
		t.Error("no tolerance is taken")
	}
	if err := in.Go(f, []float64{1}, 1, 0); err == nil {
		t.Error("an end before the beginning is taken")
	}
	told := errors.New("told")
	if err := in.Go(func(float64, []float64, []float64) error { return told }, []float64{1}, 0, 1); !errors.Is(err, told) {
		t.Errorf("the error of f is %v", err)
	}
}
