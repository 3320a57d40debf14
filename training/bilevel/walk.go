package bilevel

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// walkAfter is how many iterations precede single steps on the active set.
const walkAfter = 64

// walk goes from a dual within its bounds to the optimum by single steps on the active set (Stark and Parker 1995): towards the least
// squares of the free rows until the first bound, whose row is then bound; where there is none, the bound row whose product has the
// wrong sign by most becomes free. The dual objective never falls, so that it arrives where the steps of whole patterns go round in
// circles; it makes one factorisation a step. It says whether it has arrived; u is within its bounds either way.
func (s *Solution[T]) walk(u, y []float64) bool {
	o := s.operator
	k, n := o.rows, o.cols
	pattern := make([]int8, k)
	for i, v := range u {
		if math.Abs(v) >= s.beta*(1-uncertainty) {
			pattern[i] = signOf(v)
			u[i] = s.beta * float64(pattern[i])
		}
	}
	x, z, target := make([]float64, n), make([]float64, k), make([]float64, k)
	products := func(u []float64) {
		multiply(x, u, o.w, 1, k, n)
		floats.SubTo(x, y, x)
		multiplyT(z, x, o.w, 1, n, k)
	}
	size := floats.Norm(y, 2)
	for range 6*k + 20 {
		f := newFactors(o).get(pattern)
		copy(target, u)
		for range 2 {
			products(target)
			f.correct(target, y, z, false)
		}
		step, stop := 1.0, -1
		for _, i := range f.rows {
			if v := target[i]; math.Abs(v) > s.beta {
				if t := (math.Copysign(s.beta, v) - u[i]) / (v - u[i]); t < step {
					step, stop = max(t, 0), i
				}
			}
		}
		for _, i := range f.rows {
			u[i] = clip(u[i]+step*(target[i]-u[i]), s.beta)
		}
		if stop >= 0 {
			pattern[stop] = signOf(target[stop])
			u[stop] = s.beta * float64(pattern[stop])
			continue
		}
		products(u)
		free, most := -1, 0.0
		for i, p := range pattern {
			switch wrong := -float64(p) * z[i]; {
			case o.norms[i] == 0:
			case p == 0 && math.Abs(z[i]) > uncertainty*o.norms[i]*size:
				return false // the correction is too ill conditioned
			case p != 0 && wrong > uncertainty*o.norms[i]*size && wrong/o.norms[i] > most:
				free, most = i, wrong/o.norms[i]
			}
		}
		if free < 0 {
			return true
		}
		pattern[free] = 0
	}
	return false
}
