package bilevel

import (
	"fmt"
	"math"

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
	moved, sizes := make([]float64, len(p)), norms(p, s.Samples)
	for range 3 { // more than one where rounding has left something of W0 p
		if s.beta == 0 || !s.left(wp, sizes) {
			break
		}
		step := make([]float64, len(v))
		s.correct(patterns, step, p, wp, true)
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
	if s.beta == 0 {
		return s.dual, s.x
	}
	u, x, z := s.dual, s.x, s.z
	for i, p := range s.Pattern {
		if p != 0 && s.dual[i] != s.beta*float64(p) {
			if &u[0] == &s.dual[0] {
				u = append([]float64(nil), s.dual...)
			}
			u[i] = s.beta * float64(p)
		}
	}
	sizes := norms(s.y, s.Samples)
	for pass := 0; ; pass++ {
		if pass > 0 || len(u) > 0 && &u[0] != &s.dual[0] {
			x, z = make([]float64, len(x)), make([]float64, len(z))
			s.products(x, z, u, s.y)
		}
		if pass == 2 || !s.left(z, sizes) {
			return u, x
		}
		u = append([]float64(nil), u...)
		s.correct(patterns, u, s.y, z, true)
	}
}

// left says whether W0 times something is not yet 0, to the accuracy that products have; sizes are the norms of what was projected.
func (s *Solution[T]) left(z, sizes []float64) bool {
	k := s.operator.rows
	for i, p := range s.Pattern {
		if p == 0 && math.Abs(z[i]) > 2e-14*s.operator.norms[i%k]*sizes[i/k] {
			return true
		}
	}
	return false
}

// norms are those of the samples of a batch.
func norms(of []float64, samples int) []float64 {
	v := make([]float64, samples)
	for r := range v {
		n := len(of) / samples
		v[r] = floats.Norm(of[r*n:(r+1)*n], 2)
	}
	return v
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
