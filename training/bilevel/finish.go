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
	wrong        []int // rows, of the last round
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

// pivot is one round: a correction, and a new pattern where one is wanted; else a second correction, for what rounding leaves of the first.
func (s *Solution[T]) pivot(attempts []*attempt, u, y []float64) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	x, z, patterns := make([]float64, len(y)), make([]float64, len(u)), make([][]int8, len(attempts))
	for r, a := range attempts {
		patterns[r] = a.pattern
		for i, p := range a.pattern {
			if p != 0 {
				u[r*k+i] = s.beta * float64(p)
			}
		}
	}
	s.products(x, z, u, y)
	s.correct(patterns, u, x, z)
	s.products(x, z, u, y)
	var right []int
	for r, a := range attempts {
		if a.wrong = a.find(o, s.beta, u[r*k:(r+1)*k], z[r*k:(r+1)*k], floats.Norm(y[r*n:(r+1)*n], 2)); len(a.wrong) == 0 {
			right = append(right, r)
		} else {
			a.repair(u[r*k : (r+1)*k])
		}
	}
	if len(right) == 0 {
		return
	}
	again := &Solution[T]{operator: o, beta: s.beta, factors: s.factors}
	part := func(of []float64, n int) []float64 {
		var rows []float64
		for _, r := range right {
			rows = append(rows, of[r*n:(r+1)*n]...)
		}
		return rows
	}
	ux, yx, xx, zx := part(u, k), part(y, n), part(x, n), part(z, k)
	for at, r := range right {
		patterns[at] = attempts[r].pattern
	}
	again.correct(patterns[:len(right)], ux, xx, zx)
	again.products(xx, zx, ux, yx)
	for at, r := range right {
		copy(u[r*k:(r+1)*k], ux[at*k:(at+1)*k])
		attempts[r].settle(o, s.beta, u[r*k:(r+1)*k], zx[at*k:(at+1)*k], floats.Norm(y[r*n:(r+1)*n], 2))
	}
}

// products is x = y - Wᵀu and z = Wx.
func (s *Solution[T]) products(x, z, u, y []float64) {
	o := s.operator
	samples := len(y) / o.cols
	multiply(x, u, o.w, samples, o.rows, o.cols)
	floats.SubTo(x, y, x)
	multiplyT(z, x, o.w, samples, o.cols, o.rows)
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

// find is the rows that are wrong.
func (a *attempt) find(o *Operator, beta float64, u, z []float64, size float64) []int {
	var wrong []int
	for i, p := range a.pattern {
		if p == 0 && math.Abs(u[i]) > beta*(1+uncertainty) || p != 0 && float64(p)*z[i] < -uncertainty*o.norms[i]*size {
			wrong = append(wrong, i)
		}
	}
	return wrong
}

// repair changes the pattern of the rows that are wrong, or gives up.
func (a *attempt) repair(u []float64) {
	for _, i := range a.wrong {
		if a.pattern[i] == 0 {
			a.pattern[i] = signOf(u[i])
		} else {
			a.pattern[i] = 0
		}
	}
	if len(a.wrong) < a.fewest {
		a.fewest, a.worse = len(a.wrong), 0
		return
	}
	a.worse++
	a.out = a.worse > mostWorse
}

// settle takes a pattern without wrong rows for the solution's, unless the corrections were too ill conditioned to show it.
func (a *attempt) settle(o *Operator, beta float64, u, z []float64, size float64) {
	a.out = len(a.find(o, beta, u, z, size)) > 0
	for i, p := range a.pattern {
		if p == 0 && math.Abs(z[i]) > uncertainty*o.norms[i]*size {
			a.out = true
		}
	}
	a.settled = !a.out
}
