package bilevel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// solved is x*(W).
func solved(t *testing.T, k, n int, w []float64, beta float64, y []float64) []float64 {
	t.Helper()
	o, err := NewOperator(k, n, w)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Solve(o, beta, y, Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.X
}

// central is the central difference of fourth order of Σ ½|x-truth|², the difference of two losses taken as
// ½(x₊-x₋)·(x₊+x₋-2 truth), which cancels less.
func central(truth []float64, x func(at float64) []float64) float64 {
	const h = 1e-4
	between := func(h float64) (sum float64) {
		high, low := x(h), x(-h)
		for i, t := range truth {
			sum += (high[i] - low[i]) * (high[i] + low[i] - 2*t) / 2
		}
		return sum
	}
	return (8*between(h) - between(2*h)) / (12 * h)
}

func TestGradientAgainstDifferences(t *testing.T) {
	const samples = 4
	worst := 0.0
	for _, size := range [][2]int{{3, 8}, {7, 8}, {8, 8}, {11, 8}, {16, 8}, {31, 32}} {
		k, n := size[0], size[1]
		t.Run(fmt.Sprintf("%dx%d", k, n), func(t *testing.T) {
			checked := 0
			for seed := range uint64(12) {
				r := rand.New(rand.NewPCG(seed, 2))
				w, y, truth, beta := normals(r, k*n), normals(r, samples*n), normals(r, samples*n), 0.1+0.4*r.Float64()
				for i := range w {
					w[i] /= math.Sqrt(float64(n))
				}
				o, err := NewOperator(k, n, w)
				if err != nil {
					t.Fatal(err)
				}
				s, err := Solve(o, beta, y, Config{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if near(s) {
					continue // the difference may cross to another pattern
				}
				_, g, err := s.HalfSquare(truth)
				if err != nil {
					t.Fatal(err)
				}
				d, err := s.Gradient(g)
				if err != nil {
					t.Fatal(err)
				}
				check := func(what string, got float64, x func(h float64) []float64) {
					t.Helper()
					want := central(truth, x)
					e := math.Abs(got - want)
					if e > 1e-9 {
						t.Errorf("seed %d: %s is %g, by differences %g", seed, what, got, want)
					}
					worst = math.Max(worst, e)
				}
				for range 12 {
					i := r.IntN(len(w))
					check(fmt.Sprintf("dW[%d,%d]", i/n, i%n), d.W[i], func(h float64) []float64 {
						moved := append([]float64(nil), w...)
						moved[i] += h
						return solved(t, k, n, moved, beta, y)
					})
				}
				checked++
				check("dbeta", d.Beta, func(h float64) []float64 { return solved(t, k, n, w, beta+h, y) })
				i := r.IntN(len(y))
				check("dy", d.Y[i], func(h float64) []float64 {
					moved := append([]float64(nil), y...)
					moved[i] += h
					return solved(t, k, n, w, beta, moved)
				})
			}
			if checked < 3 {
				t.Errorf("%d problems are away from ties", checked)
			}
		})
	}
	t.Logf("largest difference %.2g", worst)
}

// near says whether a step of the differences could change a pattern.
func near(s *Solution[float64]) bool {
	const margin = 1e-3
	o := s.operator
	z := make([]float64, len(s.Dual))
	multiplyT(z, s.X, o.w, s.Samples, o.cols, o.rows)
	for i, p := range s.Pattern {
		if p == 0 && math.Abs(s.Dual[i]) > s.beta-margin || p != 0 && math.Abs(z[i]) < margin {
			return true
		}
	}
	return false
}
