package bilevel

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/floats"
)

// Gradient is the closed form for a cotangent g = dL/dx*. While the groups that are 0 stay, with Z a basis of what W0 leaves free and
//
//	H = AᵀA + β Σ W_gᵀ M_g W_g,  M_g = (I - ẑẑᵀ)/|z_g|,  ẑ = z_g/|z_g|,  z = Wx   (groups that are not 0)
//	p = Z (ZᵀHZ)⁻¹ Zᵀ g,         v = (W0ᵀ)⁺ (g - Hp),
//
// it is
//
//	dL/dW_g = -β (ẑ pᵀ + M_g W_g p xᵀ),  dL/dW0 = -(u pᵀ + v xᵀ),  dL/dβ = -Σ ẑᵀ W_g p,  dL/dy = A p,
//
// a row's parts in several groups added. For A = I and rows that are groups that is Solution.Gradient.
func (r *Recovery) Gradient(g []float64) (*Gradient, error) {
	q := r.problem
	if len(g) != q.n {
		return nil, fmt.Errorf("gradient: %d numbers for a solution of length %d", len(g), q.n)
	}
	if i := firstBad(g); i >= 0 {
		return nil, fmt.Errorf("gradient: element %d of the cotangent is %g: wants finite numbers", i, g[i])
	}
	if !r.Settled {
		return nil, errors.New("gradient: the solution has no settled groups: allow more iterations")
	}
	d := &Gradient{W: make([]float64, q.Operator.rows*q.n), Y: make([]float64, q.Map.Out)}
	zero := r.Zero
	if q.Beta == 0 {
		zero = make([]bool, len(zero)) // W has no part in x then
	}
	m := q.restrict(zero)
	if m == nil {
		return nil, errors.New("gradient: the singular values of W0 do not converge")
	}
	p, v := make([]float64, q.n), make([]float64, q.k)
	h := q.gram
	if q.Beta > 0 {
		h = q.curvature(zero, r.z)
	}
	if m.basis != nil {
		c := m.within(h)
		if c == nil {
			return nil, errNotUnique
		}
		p = m.solve(c, g)
	}
	rest := make([]float64, q.n)
	product1(rest, h, p)
	floats.SubTo(rest, g, rest)
	if len(m.zero) > 0 {
		some := make([]float64, len(m.zero))
		product1(some, m.pinv, rest)
		for a, i := range m.zero {
			v[i] = some[a]
		}
	}
	wp := make([]float64, q.k)
	product1(wp, q.w, p)
	for g, at := range q.groups {
		if zero[g] {
			continue
		}
		n := q.norm(r.z, g)
		if n == 0 { // β is 0
			continue
		}
		along := floats.Dot(r.z[at[0]:at[1]], wp[at[0]:at[1]]) / n
		d.Beta -= along
		if at[1]-at[0] == 1 {
			continue
		}
		for i := at[0]; i < at[1]; i++ {
			v[i] = q.Beta / n * (wp[i] - along*r.z[i]/n)
		}
	}
	for i, row := range q.rows {
		to := d.W[row*q.n : (row+1)*q.n]
		floats.AddScaled(to, -r.Dual[i], p)
		floats.AddScaled(to, -v[i], r.X)
	}
	q.Map.Apply(d.Y, p)
	return d, nil
}
