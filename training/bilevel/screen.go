package bilevel

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// screen decides the pattern of a sample by what its gap proves. The objective is strongly convex: |x-x*| is no more than
// r = √(2 gap). Hence
//
//   - (Wx*)_i has the sign of (Wx)_i where |(Wx)_i| > |w_i| r.
//   - (Wx*)_i is 0 where a dual optimum has |u_i| < β. If W has full row rank, there is one optimum, and it is no further from u than |row i of (Wᵀ)⁺| r
//     in row i. If not: let F be the rows whose |u| is below β, and all others either have their sign
//     decided or lie in the span of F. Then u moves to an optimum on F alone, by no more than |row i of (W_Fᵀ)⁺| (r + e) in row i,
//     e = |Σ w_j (u_j - β s_j)| over the rows that have their sign decided; the rows in the span of F are 0 with it.
//
// A pattern of 0 that active-set steps have arrived at is a guess like any other until this decides it. Rows that it does not decide
// are ties: they get the sign that u suggests.
func (s *Solution[T]) screen(sample int, z []float64) []Tie {
	o, k := s.operator, s.operator.rows
	u, pattern := s.dual[sample*k:(sample+1)*k], s.Pattern[sample*k:(sample+1)*k]
	x, y := s.x[sample*o.cols:(sample+1)*o.cols], s.y[sample*o.cols:(sample+1)*o.cols]
	radius, slip := s.radius(s.Gap[sample], x, y, u, z)
	if s.beta == 0 {
		return s.screenFree(sample, pattern, z, slip)
	}
	var signed, bound, free []int // decided, not decided with |u| at β, the others
	for i := range pattern {
		switch {
		case math.Abs(z[i]) > o.norms[i]*radius:
			pattern[i] = signOf(z[i])
			signed = append(signed, i)
		case o.norms[i] == 0:
			pattern[i] = 0
		case math.Abs(u[i]) >= s.beta*(1-uncertainty):
			pattern[i] = signOf(u[i])
			bound = append(bound, i)
		default:
			pattern[i] = 0
			free = append(free, i)
		}
	}
	undecided := append([]int(nil), bound...)
	if least := o.smallest(); least > 0 {
		p := o.inverse()
		for _, i := range free {
			reach := 1 / least
			if p != nil { // row i of (Wᵀ)⁺ has this norm
				reach = min(reach, math.Sqrt(p[i*k+i])*(1+1e-6))
			}
			if math.Abs(u[i])+reach*radius >= s.beta {
				undecided = append(undecided, i)
			}
		}
	}
	if len(undecided) > 0 || o.smallest() == 0 {
		undecided = s.screenJointly(pattern, u, signed, bound, undecided, radius)
	}
	ties := make([]Tie, len(undecided))
	for j, i := range undecided {
		ties[j] = Tie{Sample: sample, Row: i, Product: z[i], Dual: u[i]}
	}
	return ties
}

// screenJointly is what remains undecided of the given rows when the rows with |u| below β move together.
func (s *Solution[T]) screenJointly(pattern []int8, u []float64, signed, bound, undecided []int, radius float64) []int {
	o := s.operator
	for _, i := range bound {
		pattern[i] = signOf(u[i]) // not of F
	}
	f := s.factors.get(pattern)
	var rest []int
	for _, i := range bound {
		if f.spans(o.Row(i)) {
			pattern[i] = 0
		} else {
			rest = append(rest, i)
		}
	}
	if len(rest) > 0 {
		if o.smallest() > 0 {
			return append(rest, except(undecided, bound)...)
		}
		return append(rest, f.rows...)
	}
	off := make([]float64, o.cols)
	for _, i := range signed {
		if d := u[i] - s.beta*float64(pattern[i]); d != 0 {
			floats.AddScaled(off, d, o.Row(i))
		}
	}
	move := radius + floats.Norm(off, 2)
	var open []int
	for a, reach := range f.reaches() {
		if i := f.rows[a]; math.Abs(u[i])+reach*move >= s.beta {
			open = append(open, i)
		}
	}
	if len(open) > 0 { // the rows in the span of F are 0 only where all of F is
		open = append(open, bound...)
	}
	return open
}

func except(rows, without []int) []int {
	var rest []int
	skip := map[int]bool{}
	for _, i := range without {
		skip[i] = true
	}
	for _, i := range rows {
		if !skip[i] {
			rest = append(rest, i)
		}
	}
	return rest
}

// radius is how far x* may be from x, what rounding may have done to x, z and the gap among it; slip is what it may have done to a product
// with a row of norm 1.
func (s *Solution[T]) radius(gap float64, x, y, u, z []float64) (radius, slip float64) {
	const unit = 0x1p-52
	o := s.operator
	size := floats.Norm(y, 2) + math.Sqrt(o.lipschitz())*floats.Norm(u, 2)
	moved := unit * math.Sqrt(float64(o.rows+o.cols)) * size
	slip = moved + unit*math.Sqrt(float64(o.cols))*floats.Norm(x, 2)
	sum := 0.0
	for i, n := range o.norms {
		if math.Abs(u[i]) < s.beta || u[i]*z[i] <= s.beta*n*slip { // else its term is 0, with or without rounding
			sum += n
		}
	}
	return math.Sqrt(2*(gap+2*s.beta*slip*sum)) + moved, slip
}

// screenFree is for β = 0, where x = y and the rows of W have no part in it.
func (s *Solution[T]) screenFree(sample int, pattern []int8, z []float64, slip float64) []Tie {
	var ties []Tie
	for i := range pattern {
		if n := s.operator.norms[i]; math.Abs(z[i]) > n*slip {
			pattern[i] = signOf(z[i])
		} else if n > 0 {
			ties = append(ties, Tie{Sample: sample, Row: i, Product: z[i]})
		}
	}
	return ties
}
