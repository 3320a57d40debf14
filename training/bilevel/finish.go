package bilevel

import (
	"math"
	"sync"

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
	fewRounds   = 4
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
	for r, a := range attempts {
		rows[r] = r
		for i, p := range a.pattern {
			if p != 0 {
				u[r*k+i] = s.beta * float64(p)
			}
		}
	}
	z := make([]float64, len(u))
	s.products(make([]float64, len(y)), z, u, y)
	rounds := mostRounds
	if s.operator.smallest() == 0 { // finishInside does what a few rounds do not
		rounds = fewRounds
	}
	for round := 0; round < rounds && len(attempts) > 0; round++ {
		s.factors.forget()
		s.pivot(attempts, u, y, z)
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
		u, y, z = keepRows(u, of, keep), keepRows(y, of, keep), keepRows(z, of, keep)
		rows, attempts = keepRows(rows, of, keep), keepRows(attempts, of, keep)
	}
	if s.operator.smallest() == 0 && done >= firstCheck {
		s.finishInside(b, c, exact)
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

// finishInside solves what is left by the interior point method.
func (s *Solution[T]) finishInside(b *batch[T], c Config, exact []bool) {
	k, n := s.operator.rows, s.operator.cols
	var scratch sync.Pool
	parallel(len(b.ids), func(r int) {
		if exact[r] {
			return
		}
		p, ok := scratch.Get().(*interior)
		if !ok {
			p = newInterior(s.operator, s.beta)
		}
		id := b.ids[r]
		exact[r] = s.inside(p, s.dual[id*k:(id+1)*k], s.y[id*n:(id+1)*n], c.Tolerance)
		scratch.Put(p)
	})
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

// pivot is one round: a correction, and a new pattern where one is wanted; else the solution is looked at closely. z is W(y - Wᵀu) before
// and after, to the accuracy that choosing patterns needs.
func (s *Solution[T]) pivot(attempts []*attempt, u, y, z []float64) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	patterns := make([][]int8, len(attempts))
	for r, a := range attempts {
		patterns[r] = a.pattern
	}
	du := append([]float64(nil), u...)
	s.correct(patterns, u, y, z, false)
	if g := o.gram(); g != nil {
		dz := make([]float64, len(z))
		floats.SubTo(du, u, du)
		multiply(dz, du, g, len(attempts), k, k)
		floats.Sub(z, dz)
	} else {
		s.products(make([]float64, len(y)), z, u, y)
	}
	var right []int
	for r, a := range attempts {
		u, y, z := u[r*k:(r+1)*k], y[r*n:(r+1)*n], z[r*k:(r+1)*k]
		if a.wrong = a.find(o, s.beta, u, z, floats.Norm(y, 2)); len(a.wrong) == 0 {
			right = append(right, r)
			continue
		}
		if a.repair(); !a.out {
			a.bind(o, s.beta, u, y, z)
		}
	}
	if len(right) == 0 {
		return
	}
	part := func(of []float64, n int) []float64 {
		rows := make([]float64, 0, len(right)*n)
		for _, r := range right {
			rows = append(rows, of[r*n:(r+1)*n]...)
		}
		return rows
	}
	someU, someY, someX, someZ := part(u, k), part(y, n), make([]float64, len(right)*n), make([]float64, len(right)*k)
	for at, r := range right {
		patterns[at] = attempts[r].pattern
	}
	for pass := range 3 { // the second takes away what rounding has left of the first
		s.products(someX, someZ, someU, someY)
		left := false
		for at, r := range right {
			a := attempts[r]
			a.settled = a.settle(o, s.beta, someU[at*k:(at+1)*k], someZ[at*k:(at+1)*k], floats.Norm(y[r*n:(r+1)*n], 2))
			a.out = !a.settled
			left = left || a.out
		}
		if pass > 0 && !left || pass == 2 {
			break
		}
		s.correct(patterns[:len(right)], someU, someY, someZ, false)
	}
	for at, r := range right {
		copy(u[r*k:(r+1)*k], someU[at*k:(at+1)*k])
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

// correct adds (W0ᵀ)⁺ (y - Wᵀu) to the rows of u, for z = W(y - Wᵀu).
func (f *factor) correct(u, y, z []float64, firmly bool) {
	var x []float64
	if f.chol == nil {
		x = make([]float64, len(y))
		multiply(x, u, f.operator.w, 1, len(u), len(y))
		floats.SubTo(x, y, x)
	}
	some, du := make([]float64, len(f.rows)), make([]float64, len(f.rows))
	for a, i := range f.rows {
		some[a] = z[i]
	}
	f.multiplier(du, x, some, firmly)
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
func (a *attempt) repair() {
	if len(a.wrong) < a.fewest {
		a.fewest, a.worse = len(a.wrong), 0
		return
	}
	a.worse++
	a.out = a.worse > mostWorse
}

// bind is the new pattern: wrong rows that were bound are free, those that were free go to the bound that they have passed, and z with them.
func (a *attempt) bind(o *Operator, beta float64, u, y, z []float64) {
	g := o.gram()
	for _, i := range a.wrong {
		if a.pattern[i] != 0 {
			a.pattern[i] = 0
			continue
		}
		a.pattern[i] = signOf(u[i])
		to := beta * float64(a.pattern[i])
		if g != nil {
			floats.AddScaled(z, u[i]-to, g[i*o.rows:(i+1)*o.rows])
		}
		u[i] = to
	}
	if g == nil {
		x := make([]float64, o.cols)
		multiply(x, u, o.w, 1, o.rows, o.cols)
		floats.SubTo(x, y, x)
		multiplyT(z, x, o.w, 1, o.cols, o.rows)
	}
}

// settle says whether a pattern is the solution's: there are no wrong rows, and the products on I0 are 0 but for rounding.
func (a *attempt) settle(o *Operator, beta float64, u, z []float64, size float64) bool {
	for i, p := range a.pattern {
		if p == 0 && math.Abs(z[i]) > uncertainty*o.norms[i]*size {
			return false
		}
	}
	return len(a.find(o, beta, u, z, size)) == 0
}
