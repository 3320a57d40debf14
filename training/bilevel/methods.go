package bilevel

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// method brings b.u nearer to the solution, and b.z with it.
type method[T Float] interface {
	steps(n int)
	keep(rows []int) // before the batch drops the others
}

func newMethod[T Float](b *batch[T], c Config) (method[T], error) {
	step := T(0)
	if l := b.operator.lipschitz(); l > 0 {
		step = T(1 / l)
		if step-step != 0 { // so small an operator changes nothing that rounding would show
			step = 0
		}
	}
	switch c.Method {
	case ProjectedGradient:
		return &projected[T]{b: b, step: step}, nil
	case ADMM:
		return newADMM(b, c.Rho)
	default:
		return newFISTA(b, step), nil
	}
}

// projected is u' = clip(u + z/|W|², β).
type projected[T Float] struct {
	b    *batch[T]
	step T
}

func (p *projected[T]) keep([]int) {}

func (p *projected[T]) steps(n int) {
	b := p.b
	for range n {
		b.residual(b.z, b.u)
		for i, z := range b.z {
			b.u[i] = clip(b.u[i]+p.step*z, b.beta)
		}
	}
	b.residual(b.z, b.u)
}

// fista is
//
//	u' = clip(v + W(y - Wᵀv)/|W|², β),  v' = u' + (t-1)/t' (u' - u),  t' = (1 + √(1+4t²))/2,
//
// with t = 1 again for a sample when (v - u')·(u' - u) > 0, where the momentum leads uphill (O'Donoghue and Candès 2015).
type fista[T Float] struct {
	b    *batch[T]
	step T
	v    []T
	t    []float64
}

func newFISTA[T Float](b *batch[T], step T) *fista[T] {
	f := &fista[T]{b: b, step: step, v: append([]T(nil), b.u...), t: make([]float64, len(b.ids))}
	for r := range f.t {
		f.t[r] = 1
	}
	return f
}

func (f *fista[T]) keep(rows []int) {
	f.v = keepRows(f.v, len(f.t), rows)
	f.t = keepRows(f.t, len(f.t), rows)
}

func (f *fista[T]) steps(n int) {
	b := f.b
	for range n {
		b.residual(b.z, f.v)
		for r := range b.ids {
			u, v, z := b.row(b.u, r), b.row(f.v, r), b.row(b.z, r)
			uphill := 0.0
			for i := range u {
				next := clip(v[i]+f.step*z[i], b.beta)
				uphill += float64((v[i] - next) * (next - u[i]))
				z[i] = next
			}
			momentum := T(0)
			if uphill > 0 {
				f.t[r] = 1
			} else {
				t := (1 + math.Sqrt(1+4*f.t[r]*f.t[r])) / 2
				momentum, f.t[r] = T((f.t[r]-1)/t), t
			}
			for i, next := range z {
				v[i] = next + momentum*(next-u[i])
				u[i] = next
			}
		}
	}
	b.residual(b.z, b.u)
}

// admm splits d = Wx, with e the scaled dual:
//
//	x = (I + ρWᵀW)⁻¹ (y + ρWᵀ(d - e)),  h = 1.8 Wx - 0.8 d,  e' = clip(h + e, β/ρ),  d' = h + e - e'.
//
// ρe is a dual within its bounds after every step.
type admm[T Float] struct {
	b        *batch[T]
	rho      float64
	gram     *mat.SymDense // WᵀW
	inverse  []T           // (I + ρWᵀW)⁻¹
	inverses map[float64][]T
	d, e     []T
	from, h  []T // scratch: rows by columns, rows by rows
}

const (
	relaxation  = 1.8
	rhoEvery    = 10 // steps between looks at the residuals
	rhoRatio    = 10 // of the residuals' norms that has rho changed
	rhoExtremes = 1e8
)

func newADMM[T Float](b *batch[T], rho float64) (*admm[T], error) {
	o := b.operator
	g := make([]float64, o.cols*o.cols)
	transposeMultiply(g, o.w, o.w, o.cols, o.rows, o.cols)
	a := &admm[T]{
		b: b, gram: mat.NewSymDense(o.cols, g), inverses: map[float64][]T{},
		d: make([]T, len(b.u)), e: make([]T, len(b.u)), from: make([]T, len(b.y)), h: make([]T, len(b.u)),
	}
	if err := a.set(rho); err != nil {
		return nil, err
	}
	for i, u := range b.u {
		a.e[i] = u / T(rho)
	}
	return a, nil
}

// set changes rho; the dual ρe stays.
func (a *admm[T]) set(rho float64) error {
	inverse := a.inverses[rho]
	if inverse == nil {
		var c mat.Cholesky
		var m mat.SymDense
		if !c.Factorize(shifted(a.gram, 1, rho)) || c.InverseTo(&m) != nil {
			return fmt.Errorf("admm: I + %g WᵀW is too ill conditioned: scale W down, or take another method", rho)
		}
		n := a.b.operator.cols
		inverse = make([]T, n*n)
		for i := range n {
			for j := range n {
				inverse[i*n+j] = T(m.At(i, j))
			}
		}
		a.inverses[rho] = inverse
	}
	if a.rho != 0 {
		for i := range a.e {
			a.e[i] *= T(a.rho / rho)
		}
	}
	a.rho, a.inverse = rho, inverse
	return nil
}

func (a *admm[T]) keep(rows []int) {
	for _, m := range []*[]T{&a.d, &a.e, &a.from, &a.h} {
		*m = keepRows(*m, len(a.b.ids), rows)
	}
}

func (a *admm[T]) steps(n int) {
	b, rows, k, cols := a.b, len(a.b.ids), a.b.operator.rows, a.b.operator.cols
	for i := range n {
		for j, d := range a.d {
			a.h[j] = T(a.rho) * (d - a.e[j])
		}
		multiply(a.from, a.h, b.w, rows, k, cols)
		for j, y := range b.y {
			a.from[j] += y
		}
		multiply(b.x, a.from, a.inverse, rows, cols, cols)
		multiplyT(a.h, b.x, b.w, rows, cols, k)
		primal, moved, size, bound := 0.0, a.from, 0.0, b.beta/T(a.rho)
		for j, wx := range a.h {
			d, e := a.d[j], a.e[j]
			v := relaxation*wx - (relaxation-1)*d + e
			next := clip(v, bound)
			a.e[j], a.d[j] = next, v-next
			primal += float64(wx-a.d[j]) * float64(wx-a.d[j])
			a.h[j] = T(a.rho) * (a.d[j] - d)
		}
		if (i+1)%rhoEvery != 0 {
			continue
		}
		multiply(moved, a.h, b.w, rows, k, cols)
		for _, v := range moved {
			size += float64(v) * float64(v)
		}
		a.adapt(math.Sqrt(primal), math.Sqrt(size))
	}
	for j, e := range a.e {
		b.u[j] = clip(T(a.rho)*e, b.beta)
	}
	b.residual(b.z, b.u)
}

// adapt doubles or halves rho where one residual is much the larger. A rho without a factorisation is not taken.
func (a *admm[T]) adapt(primal, dual float64) {
	switch {
	case primal > rhoRatio*dual && a.rho < rhoExtremes:
		_ = a.set(a.rho * 2)
	case dual > rhoRatio*primal && a.rho > 1/rhoExtremes:
		_ = a.set(a.rho / 2)
	}
}
