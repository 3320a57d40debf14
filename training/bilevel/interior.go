package bilevel

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

const (
	mostInterior  = 60    // Newton steps of a sample
	interiorGap   = 1e-14 // relative to ½|y|²: where complementary slacks and multipliers are far apart
	toTheBoundary = 0.995 // of the way that a step may go
)

// interior is the primal-dual interior point method for the dual min ½|y-Wᵀu|², |u| ≤ β, with Mehrotra's corrector. With slacks a = β-u, b = β+u
// and multipliers l, m whose difference is Wx (slacks are kept, for β-u has no digits left near the bound), a step solves
//
//	(WWᵀ + D) du = r,  D = l/a + m/b,
//
// by (I + WᵀD⁻¹W) dx = -WᵀD⁻¹r and du = D⁻¹(r + W dx): a system as large as the signal, however many rows there are and however they depend on
// each other. It ends in the middle of the optimal duals, where a row has |u| below β unless all optima have it at β: from
// there the pattern is read. The scratch is one goroutine's.
type interior struct {
	operator         *Operator
	beta             float64
	u, z, a, b, l, m []float64
	du, dl, dm, r, d []float64
	x, dx, wdx       []float64
	scaled, system   []float64
}

func newInterior(o *Operator, beta float64) *interior {
	k, n := o.rows, o.cols
	rows := func() []float64 { return make([]float64, k) }
	return &interior{
		operator: o, beta: beta,
		u: rows(), z: rows(), a: rows(), b: rows(), l: rows(), m: rows(), du: rows(), dl: rows(), dm: rows(), r: rows(), d: rows(), wdx: rows(),
		x: make([]float64, n), dx: make([]float64, n), scaled: make([]float64, k*n), system: make([]float64, n*n),
	}
}

// solve goes from u = 0 to the optimum for y, and gives the gap, relative to ½|y|², that it has come to.
func (p *interior) solve(y []float64) float64 {
	k := p.operator.rows
	energy := floats.Dot(y, y) / 2
	for i := range p.u {
		p.u[i], p.a[i], p.b[i] = 0, p.beta, p.beta
	}
	p.products(y)
	most := 0.0
	for i, z := range p.z {
		if n := p.operator.norms[i]; n > 0 {
			most = max(most, math.Abs(z)/n)
		}
	}
	if most == 0 {
		return 0
	}
	for i, z := range p.z {
		floor := 0.1 * most
		if n := p.operator.norms[i]; n > 0 { // else any will do
			floor *= n
		}
		p.l[i], p.m[i] = max(z, 0)+floor, max(-z, 0)+floor
	}
	for range mostInterior {
		gap := p.complementarity(0)
		if gap <= interiorGap*energy {
			break
		}
		if !p.factorize() {
			break
		}
		mean := gap / float64(2*k)
		p.step(0, false)
		affine := p.longest(1)
		centre := math.Pow(p.complementarity(affine)/gap, 3)
		p.step(centre*mean, true)
		length := p.longest(toTheBoundary)
		if length < 1e-8 {
			break
		}
		for i := range p.u {
			p.a[i] -= length * p.du[i]
			p.b[i] += length * p.du[i]
			if p.u[i] = p.b[i] - p.beta; p.a[i] < p.b[i] {
				p.u[i] = p.beta - p.a[i]
			}
			p.l[i] += length * p.dl[i]
			p.m[i] += length * p.dm[i]
		}
		p.products(y)
		for i, z := range p.z { // l - m is z but for rounding: the larger one takes the difference
			if off := z - (p.l[i] - p.m[i]); p.l[i] > p.m[i] {
				p.l[i] = max(p.l[i]+off, p.l[i]/2)
			} else {
				p.m[i] = max(p.m[i]-off, p.m[i]/2)
			}
		}
	}
	if energy == 0 {
		return 0
	}
	return gap(p.beta, p.u, p.z) / energy
}

// products is x = y - Wᵀu and z = Wx.
func (p *interior) products(y []float64) {
	o := p.operator
	multiply(p.x, p.u, o.w, 1, o.rows, o.cols)
	floats.SubTo(p.x, y, p.x)
	multiplyT(p.z, p.x, o.w, 1, o.cols, o.rows)
}

// complementarity is Σ a l + b m after a part of the step.
func (p *interior) complementarity(part float64) float64 {
	sum := 0.0
	for i, du := range p.du {
		sum += (p.a[i]-part*du)*(p.l[i]+part*p.dl[i]) + (p.b[i]+part*du)*(p.m[i]+part*p.dm[i])
	}
	return sum
}

// factorize makes D and the Cholesky factor of I + WᵀD⁻¹W.
func (p *interior) factorize() bool {
	o, n := p.operator, p.operator.cols
	for i := range p.d {
		p.d[i] = p.l[i]/p.a[i] + p.m[i]/p.b[i]
		scale := 1 / math.Sqrt(p.d[i])
		to := p.scaled[i*n : (i+1)*n]
		for j, w := range o.Row(i) {
			to[j] = scale * w
		}
	}
	transposeMultiply(p.system, p.scaled, p.scaled, n, o.rows, n)
	for j := range n {
		p.system[j*n+j]++
	}
	_, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: p.system, Uplo: blas.Upper})
	return ok
}

// step is the Newton step to a complementarity of mu in each row; corrected: with the products of the step before, which is affine.
func (p *interior) step(mu float64, corrected bool) {
	o, n := p.operator, p.operator.cols
	upper := func(i int) (a, b float64) {
		a, b = mu, mu
		if corrected {
			a += p.du[i] * p.dl[i] // da = -du
			b -= p.du[i] * p.dm[i]
		}
		return a, b
	}
	for i := range p.r {
		a, b := upper(i)
		p.r[i] = p.z[i] - a/p.a[i] + b/p.b[i]
		p.wdx[i] = -p.r[i] / p.d[i]
	}
	multiply(p.dx, p.wdx, o.w, 1, o.rows, n)
	solveTriangles(blas64.Triangular{N: n, Stride: n, Data: p.system, Uplo: blas.Upper, Diag: blas.NonUnit}, p.dx)
	multiplyT(p.wdx, p.dx, o.w, 1, n, o.rows)
	for i := range p.r {
		a, b := upper(i)
		du := (p.r[i] + p.wdx[i]) / p.d[i]
		p.dl[i] = a/p.a[i] - p.l[i] + p.l[i]*du/p.a[i]
		p.dm[i] = b/p.b[i] - p.m[i] - p.m[i]*du/p.b[i]
		p.du[i] = du
	}
}

// longest is the part of the step, at most 1, that keeps all above 0, times part where that is less.
func (p *interior) longest(part float64) float64 {
	t := 1.0
	for i, du := range p.du {
		for _, v := range [...][2]float64{{p.a[i], -du}, {p.b[i], du}, {p.l[i], p.dl[i]}, {p.m[i], p.dm[i]}} {
			if v[1] < 0 {
				t = min(t, -part*v[0]/v[1])
			}
		}
	}
	return t
}

// pattern is what the signs are at the end: a row is at its bound where its slack is less than its multiplier, both relative to what
// they can be.
func (p *interior) pattern(size float64) []int8 {
	signs := make([]int8, len(p.u))
	for i := range p.u {
		scale := p.operator.norms[i] * size
		if scale == 0 {
			continue
		}
		switch {
		case p.a[i]/p.beta < p.l[i]/scale:
			signs[i] = 1
		case p.b[i]/p.beta < p.m[i]/scale:
			signs[i] = -1
		}
	}
	return signs
}

// inside solves one sample by the interior point method, and makes the solution exact on the pattern that it ends with. It says whether
// u, which it writes, is that or has the tolerance's gap.
func (s *Solution[T]) inside(p *interior, u, y []float64, tolerance float64) bool {
	o := s.operator
	reached := p.solve(y)
	size := floats.Norm(y, 2)
	a := &attempt{pattern: p.pattern(size)}
	copy(u, p.u)
	for i, sign := range a.pattern {
		if sign != 0 {
			u[i] = s.beta * float64(sign)
		}
	}
	f := s.factors.get(a.pattern)
	x, z := make([]float64, o.cols), make([]float64, o.rows)
	for pass := range 4 {
		s.products(x, z, u, y)
		if pass > 0 && a.settle(o, s.beta, u, z, size) {
			for i, v := range u {
				u[i] = clip(v, s.beta)
			}
			return true
		}
		f.correct(u, y, z, false)
	}
	copy(u, p.u)
	return reached <= tolerance
}
