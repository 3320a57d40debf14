package bilevel

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// exact solves the dual min ½|y-Wᵀu|², |u| <= β by the method of Stark and Parker (1995) for least squares within bounds: one row at a
// time becomes free, its least squares are solved by QR of the free rows, and a step to them stops at the first bound. It shares
// nothing with the package's solvers.
func exact(w *mat.Dense, beta float64, y []float64) (u, x []float64) {
	k, n := w.Dims()
	u = make([]float64, k)
	for i := range u {
		u[i] = beta
	}
	free := make([]bool, k)
	residual := func() []float64 {
		r := append([]float64(nil), y...)
		for i, v := range u {
			for j := range r {
				r[j] -= v * w.At(i, j)
			}
		}
		return r
	}
	refused := -1
	for range 100 * (k + 1) {
		r := residual()
		best, enter := 0.0, -1
		for i := range u {
			if free[i] || i == refused {
				continue
			}
			z, norm := mat.Dot(w.RowView(i), mat.NewVecDense(n, r)), mat.Norm(w.RowView(i), 2)
			if norm == 0 {
				continue
			}
			if z /= norm; u[i] > 0 {
				z = -z
			}
			if z > 1e-13*mat.Norm(mat.NewVecDense(n, y), 2) && z > best {
				best, enter = z, i
			}
		}
		if enter < 0 {
			break
		}
		free[enter] = true
		for first := true; ; first = false {
			var rows []int
			target := append([]float64(nil), y...)
			for i, is := range free {
				if is {
					rows = append(rows, i)
					continue
				}
				for j := range target {
					target[j] -= u[i] * w.At(i, j)
				}
			}
			if len(rows) == 0 {
				break
			}
			a := mat.NewDense(n, len(rows), nil)
			for c, i := range rows {
				for j := range n {
					a.Set(j, c, w.At(i, j))
				}
			}
			var v mat.VecDense
			if len(rows) > n || v.SolveVec(a, mat.NewVecDense(n, target)) != nil { // dependent: the new row stays bound
				free[enter], refused = false, enter
				break
			}
			step, stop := 1.0, -1
			for c, i := range rows {
				if d := v.AtVec(c) - u[i]; math.Abs(v.AtVec(c)) > beta {
					if t := (math.Copysign(beta, d) - u[i]) / d; t < step {
						step, stop = t, c
					}
				}
			}
			if first && stop >= 0 && rows[stop] == enter && step <= 0 { // rounding's doing
				free[enter], refused = false, enter
				break
			}
			refused = -1
			for c, i := range rows {
				u[i] += step * (v.AtVec(c) - u[i])
				if c == stop {
					u[i], free[i] = math.Copysign(beta, v.AtVec(c)), false
				}
			}
			if stop < 0 {
				break
			}
		}
	}
	return u, residual()
}

// exactPattern is the pattern of an exact solution.
func exactPattern(w *mat.Dense, x []float64, within float64) []int8 {
	k, n := w.Dims()
	pattern := make([]int8, k)
	for i := range pattern {
		if z := mat.Dot(w.RowView(i), mat.NewVecDense(n, x)); math.Abs(z) > within*mat.Norm(w.RowView(i), 2) {
			pattern[i] = signOf(z)
		}
	}
	return pattern
}

func normals(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// differences is total variation's operator.
func differences(n int) []float64 {
	w := make([]float64, (n-1)*n)
	for i := range n - 1 {
		w[i*n+i], w[i*n+i+1] = -1, 1
	}
	return w
}
