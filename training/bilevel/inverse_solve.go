package bilevel

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// errNotUnique is that the data and W both leave a direction free.
var errNotUnique = errors.New("inverse: A and W both vanish on a direction: there is no one solution; give W rows that see it")

// Solve solves the problem for each measurement in y, one after the other. ADMM finds the groups that are 0; on what these leave free,
// Newton's method makes the solution exact, and its multipliers show whether they are the right ones. Of the config, method and Plain are
// not looked at.
func (p Inverse) Solve(y []float64, c Config) ([]*Recovery, error) {
	c, err := c.withDefaults(false)
	if err != nil {
		return nil, err
	}
	q, err := p.ready()
	if err != nil {
		return nil, err
	}
	if len(y)%q.Map.Out != 0 {
		return nil, fmt.Errorf("inverse: %d numbers are no measurements of length %d", len(y), q.Map.Out)
	}
	if i := firstBad(y); i >= 0 {
		return nil, fmt.Errorf("inverse: sample %d, element %d is %g: wants finite numbers", i/q.Map.Out, i%q.Map.Out, y[i])
	}
	out, errs := make([]*Recovery, len(y)/q.Map.Out), make([]error, len(y)/q.Map.Out)
	parallel(len(out), func(i int) {
		out[i], errs[i] = q.solve(y[i*q.Map.Out:(i+1)*q.Map.Out], c)
	})
	return out, errors.Join(errs...)
}

// inverseEvery is after how many iterations of ADMM its groups are tried.
const inverseEvery = 50

func (q *inverse) solve(y []float64, c Config) (*Recovery, error) {
	r := &Recovery{problem: q, y: y, X: make([]float64, q.n), Zero: make([]bool, len(q.groups))}
	if q.Beta == 0 {
		return r, r.leastSquares()
	}
	a := &splitting{inverse: q, y: make([]float64, q.n), x: r.X, d: make([]float64, q.k), e: make([]float64, q.k)}
	q.Map.Transpose(a.y, y)
	if err := a.set(c.Rho); err != nil {
		return nil, err
	}
	energy := floats.Dot(y, y) / 2
	r.Dual, r.z = make([]float64, q.k), make([]float64, q.k)
	for r.Iterations < c.Iterations {
		n := min(inverseEvery, c.Iterations-r.Iterations)
		for range n {
			a.step(r.Dual, r.z)
		}
		r.Iterations += n
		a.adapt()
		// Guesses, which multipliers verify: what is 0, and, for groups whose dual lies on its bound all the same, what is nearly 0.
		for _, least := range []float64{0, 1e-6 * floats.Norm(a.d, math.Inf(1))} {
			for g := range q.groups {
				r.Zero[g] = q.norm(a.d, g) <= least
			}
			if r.settle() {
				return r, nil
			}
		}
		if r.Gap = q.gap(a.x, r.Dual, r.z, y); r.Gap <= c.Tolerance*energy && r.Iterations >= 20*inverseEvery {
			return r, nil
		}
	}
	return r, nil
}

// leastSquares is β = 0.
func (r *Recovery) leastSquares() error {
	q := r.problem
	var c mat.Cholesky
	if !c.Factorize(q.gram) || c.Cond() > 1e14 {
		return errNotUnique
	}
	b := make([]float64, q.n)
	q.Map.Transpose(b, r.y)
	_ = c.SolveVecTo(mat.NewVecDense(q.n, r.X), mat.NewVecDense(q.n, b))
	r.Dual, r.z, r.Settled = make([]float64, q.k), make([]float64, q.k), true
	product1(r.z, q.w, r.X)
	for g := range q.groups {
		r.Zero[g] = q.norm(r.z, g) == 0
		if r.Zero[g] {
			r.Ties = append(r.Ties, g)
		}
	}
	return nil
}

// splitting is ADMM:
//
//	x = (AᵀA + ρWᵀW)⁻¹ (Aᵀy + ρWᵀ(d - e)),  d' = shrink(Wx + e, β/ρ),  e' = Wx + e - d'.
type splitting struct {
	*inverse
	y            []float64 // Aᵀy
	x, d, e      []float64
	rho          float64
	chol         mat.Cholesky
	primal, dual float64
}

func (a *splitting) set(rho float64) error {
	var g mat.Dense
	g.Mul(a.w.T(), a.w)
	s := mat.NewSymDense(a.n, nil)
	for i := range a.n {
		for j := i; j < a.n; j++ {
			s.SetSym(i, j, a.gram.At(i, j)+rho*g.At(i, j))
		}
	}
	if !a.chol.Factorize(s) || a.chol.Cond() > 1e15 {
		return errNotUnique
	}
	if a.rho != 0 {
		floats.Scale(a.rho/rho, a.e)
	}
	a.rho = rho
	return nil
}

// step is one; u and z are a multiplier with Wᵀu = Aᵀ(y-Ax), and Wx.
func (a *splitting) step(u, z []float64) {
	b := append([]float64(nil), a.y...)
	from := make([]float64, a.k)
	for i := range from {
		from[i] = a.rho * (a.d[i] - a.e[i])
	}
	back := make([]float64, a.n)
	product1(back, a.w.T(), from)
	floats.Add(b, back)
	_ = a.chol.SolveVecTo(mat.NewVecDense(a.n, a.x), mat.NewVecDense(a.n, b))
	product1(z, a.w, a.x)
	a.primal, a.dual = 0, 0
	for g, at := range a.groups {
		size := 0.0
		for i := at[0]; i < at[1]; i++ {
			u[i] = a.rho*z[i] - from[i]
			a.e[i] += z[i]
			size = math.Hypot(size, a.e[i])
		}
		keep := 0.0
		if size > a.Beta/a.rho {
			keep = 1 - a.Beta/a.rho/size
		}
		for i := a.groups[g][0]; i < at[1]; i++ {
			d := keep * a.e[i]
			a.dual += math.Pow(a.rho*(d-a.d[i]), 2)
			a.d[i] = d
			a.e[i] -= d
			a.primal += math.Pow(z[i]-d, 2)
		}
	}
}

// adapt doubles or halves rho where one residual is much the larger.
func (a *splitting) adapt() {
	rho := a.rho
	switch p, d := math.Sqrt(a.primal), math.Sqrt(a.dual); {
	case p > rhoRatio*d && rho < rhoExtremes:
		rho *= 2
	case d > rhoRatio*p && rho > 1/rhoExtremes:
		rho /= 2
	default:
		return
	}
	if old := a.rho; a.set(rho) != nil {
		_ = a.set(old) // which had a factorisation
	}
}
