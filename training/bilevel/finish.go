package bilevel

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// The active-set steps take the pattern of a dual, (I0, s), for the right one: u = βs on the other rows, and on I0
//
//	u0' = u0 + (W0ᵀ)⁺ (y - Wᵀu),
//
// the correction of least norm that makes W0 x = 0. Rows of I0 whose |u| is then above β leave it, and rows whose product with x has
// the other sign than s enter it: a semismooth Newton method, which arrives in few rounds or not at all. Where it does not, iterations
// go on, and single steps are walked.
const (
	mostRounds  = 12
	mostWorse   = 3     // rounds in a row without fewer rows that are wrong
	uncertainty = 1e-12 // of β, and of |w_i| |y|: what a row may be wrong by through rounding
)

// attempt is one sample's active-set steps.
type attempt struct {
	id           int // number of the sample
	pattern      []int8
	fewest       int
	worse        int
	settled, out bool
}

// finish tries the patterns that the duals of the batch have. Where that arrives, the solution's dual is written and exact is true.
func (s *Solution[T]) finish(b *batch[T], c Config, done int) []bool {
	exact := make([]bool, len(b.ids))
	if c.Plain || s.beta == 0 || s.operator.rows == 0 || done == 0 && c.Iterations > 0 && !b.moving() {
		return exact
	}
	k, n := s.operator.rows, s.operator.cols
	u, y := convert[float64](b.u), make([]float64, len(b.ids)*n)
	attempts := make([]*attempt, len(b.ids))
	for r, id := range b.ids {
		copy(y[r*n:(r+1)*n], s.y[id*n:(id+1)*n])
		a := &attempt{id: id, pattern: make([]int8, k), fewest: k + 1}
		for i, v := range u[r*k : (r+1)*k] {
			if math.Abs(v) >= s.beta*(1-uncertainty) {
				a.pattern[i] = signOf(v)
			}
		}
		attempts[r] = a
	}
	rows := make([]int, len(attempts))
	for r := range rows {
		rows[r] = r
	}
	for round := 0; round < mostRounds && len(attempts) > 0; round++ {
		s.factors.forget()
		s.pivot(attempts, u, y)
		var keep []int
		for r, a := range attempts {
			switch {
			case a.settled:
				exact[rows[r]] = true
				for i, v := range u[r*k : (r+1)*k] {
					s.dual[a.id*k+i] = clip(v, s.beta)
				}
			case !a.out:
				keep = append(keep, r)
			}
		}
		of := len(attempts)
		u, y = keepRows(u, of, keep), keepRows(y, of, keep)
		rows, attempts = keepRows(rows, of, keep), keepRows(attempts, of, keep)
	}
	if done >= walkAfter || done >= c.Iterations {
		parallel(len(b.ids), func(r int) {
			if id := b.ids[r]; !exact[r] {
				u := convert[float64](b.row(b.u, r))
				if exact[r] = s.walk(u, s.y[id*n:(id+1)*n]); exact[r] {
					copy(s.dual[id*k:(id+1)*k], u)
				}
			}
		})
	}
	return exact
}

// moving says whether there is a dual to begin with: the pattern of 0 is worth no factorisation of all of W.
func (b *batch[T]) moving() bool {
	for _, u := range b.u {
		if u != 0 {
			return true
		}
	}
	return false
}

func signOf[T Float](v T) int8 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// pivot is one round: two corrections, the second for what rounding leaves of the first, and a new pattern where one is wanted.
func (s *Solution[T]) pivot(attempts []*attempt, u, y []float64) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	x, z := make([]float64, len(y)), make([]float64, len(u))
	for r, a := range attempts {
		for i, p := range a.pattern {
			if p != 0 {
				u[r*k+i] = s.beta * float64(p)
			}
		}
	}
	products := func() {
		multiply(x, u, o.w, len(attempts), k, n)
		floats.SubTo(x, y, x)
		multiplyT(z, x, o.w, len(attempts), n, k)
	}
	products()
	fs := make([]*factor, len(attempts))
	for range 2 {
		parallel(len(attempts), func(r int) {
			if fs[r] == nil {
				fs[r] = s.factors.get(attempts[r].pattern)
			}
			fs[r].correct(u[r*k:(r+1)*k], x[r*n:(r+1)*n], z[r*k:(r+1)*k])
		})
		products()
	}
	parallel(len(attempts), func(r int) {
		attempts[r].repair(o, s.beta, u[r*k:(r+1)*k], z[r*k:(r+1)*k], floats.Norm(y[r*n:(r+1)*n], 2))
	})
}

// correct adds (W0ᵀ)⁺ x to the rows of u.
func (f *factor) correct(u, x, z []float64) {
	some, du := make([]float64, len(f.rows)), make([]float64, len(f.rows))
	for a, i := range f.rows {
		some[a] = z[i]
	}
	f.multiplier(du, x, some)
	for a, i := range f.rows {
		u[i] += du[a]
	}
}

// repair finds the rows that are wrong, and says so in settled or out, or changes the pattern.
func (a *attempt) repair(o *Operator, beta float64, u, z []float64, size float64) {
	wrong, open := 0, false
	for i, p := range a.pattern {
		slack := uncertainty * o.norms[i] * size
		switch {
		case p == 0 && math.Abs(u[i]) > beta*(1+uncertainty):
			a.pattern[i] = signOf(u[i])
			wrong++
		case p == 0 && math.Abs(z[i]) > slack:
			open = true // not 0: the correction is too ill conditioned
		case p != 0 && float64(p)*z[i] < -slack:
			a.pattern[i] = 0
			wrong++
		}
	}
	if wrong == 0 {
		a.settled, a.out = !open, open
		return
	}
	if wrong < a.fewest {
		a.fewest, a.worse = wrong, 0
		return
	}
	a.worse++
	a.out = a.worse > mostWorse
}
