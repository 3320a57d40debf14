package bilevel

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
)

// Gradient is what a loss of the solutions changes by: summed over the batch in W and Beta.
type Gradient struct {
	W    []float64 // rows by columns
	Beta float64
	Y    []float64 // samples by columns
}

// Gradient is the closed form for given cotangents g = dL/dx*, samples by columns. While the pattern (I0, s) stays, with N = I - W0⁺W0,
//
//	x = N (y - βW±ᵀs),       u = (W0ᵀ)⁺(y - βW±ᵀs) on I0, βs elsewhere   (the solution and its dual)
//	p = N g,                 v = (W0ᵀ)⁺ g on I0, 0 elsewhere             (the same map of g)
//	dL/dW = -(u pᵀ + v xᵀ),  dL/dβ = -sᵀW± p,  dL/dy = p.
//
// On the rows of I± that is -βs (Ng)ᵀ, on those of I0 -(W0⁺)ᵀ(g xᵀ + q (Ng)ᵀ) with q = y - βW±ᵀs: the primal derivation. It is computed in
// float64 by the dual one, two products a batch. (W0ᵀ)⁺ takes singular values below CutOff for 0. With linearly dependent rows in I0
// a solution is not differentiable in W; this is then what the pseudo-inverse gives, and u the dual as it was solved for.
func (s *Solution[T]) Gradient(g []T) (*Gradient, error) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	if len(g) != s.Samples*n {
		return nil, fmt.Errorf("gradient: %d numbers for %d solutions of length %d", len(g), s.Samples, n)
	}
	for i, v := range g {
		if v-v != 0 {
			return nil, fmt.Errorf("gradient: cotangent of sample %d, element %d is %g: wants finite numbers", i/n, i%n, v)
		}
	}
	d := &Gradient{W: make([]float64, k*n), Y: convert[float64](g)}
	p, v, wp := d.Y, make([]float64, s.Samples*k), make([]float64, s.Samples*k)
	patterns := s.patterns()
	u, x := s.onPattern(patterns)
	multiplyT(wp, p, o.w, s.Samples, n, k)
	moved := make([]float64, len(p))
	for range 2 { // the second takes away what rounding leaves of W0 p
		step := make([]float64, len(v))
		if s.beta > 0 {
			s.correct(patterns, step, p, wp)
		}
		floats.Add(v, step)
		multiply(moved, step, o.w, s.Samples, k, n)
		floats.Sub(p, moved)
		multiplyT(wp, p, o.w, s.Samples, n, k)
	}
	transposeMultiplyAdd(d.W, u, p, k, s.Samples, n)
	transposeMultiplyAdd(d.W, v, x, k, s.Samples, n)
	floats.Scale(-1, d.W)
	for i, sign := range s.Pattern {
		d.Beta -= float64(sign) * wp[i]
	}
	return d, nil
}

// onPattern is the dual and the solution on the patterns: those of the solver but for what its gap and its iterations leave.
func (s *Solution[T]) onPattern(patterns [][]int8) (u, x []float64) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	if s.beta == 0 {
		return s.dual, s.x
	}
	u, x, z := append([]float64(nil), s.dual...), make([]float64, len(s.x)), make([]float64, len(s.dual))
	for i, p := range s.Pattern {
		if p != 0 {
			u[i] = s.beta * float64(p)
		}
	}
	for pass := range 2 {
		multiply(x, u, o.w, s.Samples, k, n)
		floats.SubTo(x, s.y, x)
		if pass == 1 {
			break
		}
		multiplyT(z, x, o.w, s.Samples, n, k)
		s.correct(patterns, u, x, z)
	}
	return u, x
}

// patterns is Pattern by samples.
func (s *Solution[T]) patterns() [][]int8 {
	k, of := s.operator.rows, make([][]int8, s.Samples)
	for r := range of {
		of[r] = s.Pattern[r*k : (r+1)*k]
	}
	return of
}

// HalfSquare is the upper loss Σ ½|x - truth|² over the batch, and its cotangent.
func (s *Solution[T]) HalfSquare(truth []T) (loss float64, cotangent []T, err error) {
	if len(truth) != len(s.X) {
		return 0, nil, fmt.Errorf("loss: %d numbers for %d solutions of length %d", len(truth), s.Samples, s.operator.cols)
	}
	cotangent = make([]T, len(truth))
	for i, v := range truth {
		cotangent[i] = s.X[i] - v
		d := s.x[i] - float64(v)
		loss += d * d / 2
	}
	return loss, cotangent, nil
}
