package bilevel

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// manifold is what is left of signals where the rows of W0 vanish.
type manifold struct {
	zero  []int      // rows of W0
	basis *mat.Dense // of the null space, a column each; no columns: nil
	pinv  *mat.Dense // (W0ᵀ)⁺
}

// restrict is the manifold of the groups that are 0; nil where singular values do not converge.
func (q *inverse) restrict(zero []bool) *manifold {
	m := &manifold{}
	for i, g := range q.of {
		if zero[g] {
			m.zero = append(m.zero, i)
		}
	}
	if len(m.zero) == 0 {
		m.basis = mat.NewDense(q.n, q.n, nil)
		for i := range q.n {
			m.basis.Set(i, i, 1)
		}
		return m
	}
	w0 := mat.NewDense(len(m.zero), q.n, nil)
	for a, i := range m.zero {
		w0.SetRow(a, q.w.RawRowView(i))
	}
	var svd mat.SVD
	if !svd.Factorize(w0, mat.SVDFullV|mat.SVDThinU) {
		return nil
	}
	values := svd.Values(nil)
	rank := 0
	for rank < len(values) && values[rank] > CutOff*values[0] {
		rank++
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	if rank < q.n {
		m.basis = mat.DenseCopyOf(v.Slice(0, q.n, rank, q.n))
	}
	m.pinv = mat.NewDense(len(m.zero), q.n, nil)
	if rank > 0 {
		left := mat.DenseCopyOf(u.Slice(0, len(m.zero), 0, rank))
		for j := range rank {
			for i := range len(m.zero) {
				left.Set(i, j, left.At(i, j)/values[j])
			}
		}
		m.pinv.Mul(left, v.Slice(0, q.n, 0, rank).T())
	}
	return m
}

// curvature is H = AᵀA + β Σ W_gᵀ (I - ẑẑᵀ)/|z| W_g over the groups that are not 0.
func (q *inverse) curvature(zero []bool, z []float64) *mat.SymDense {
	h := mat.NewSymDense(q.n, nil)
	h.CopySym(q.gram)
	for g, at := range q.groups {
		if zero[g] || at[1]-at[0] == 1 {
			continue
		}
		size := q.norm(z, g)
		along := mat.NewVecDense(q.n, nil)
		for i := at[0]; i < at[1]; i++ {
			row := mat.NewVecDense(q.n, q.w.RawRowView(i))
			h.SymRankOne(h, q.Beta/size, row)
			along.AddScaledVec(along, z[i]/size, row)
		}
		h.SymRankOne(h, -q.Beta/size, along)
	}
	return h
}

// within is Zᵀ H Z factorised; nil where it is singular.
func (m *manifold) within(h *mat.SymDense) *mat.Cholesky {
	var hz, zhz mat.Dense
	hz.Mul(h, m.basis)
	zhz.Mul(m.basis.T(), &hz)
	n, _ := zhz.Dims()
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, zhz.At(i, j))
		}
	}
	c := &mat.Cholesky{}
	if !c.Factorize(s) || c.Cond() > 1e14 {
		return nil
	}
	return c
}

// solve is Z (Zᵀ H Z)⁻¹ Zᵀ b.
func (m *manifold) solve(c *mat.Cholesky, b []float64) []float64 {
	_, free := m.basis.Dims()
	some, x := make([]float64, free), make([]float64, len(b))
	product1(some, m.basis.T(), b)
	v := mat.NewVecDense(free, some)
	_ = c.SolveVecTo(v, v)
	product1(x, m.basis, some)
	return x
}

const (
	settleRounds = 10
	newtonSteps  = 30
)

// settle makes the solution exact on the groups that are 0, and changes these where multipliers and signs want it: false where that leads
// nowhere, and then nothing has changed.
func (r *Recovery) settle() bool {
	q := r.problem
	zero := append([]bool(nil), r.Zero...)
	x, z := append([]float64(nil), r.X...), make([]float64, q.k)
	signs := append([]float64(nil), r.z...)
	for range settleRounds {
		m := q.restrict(zero)
		if m != nil && q.close(m, zero) { // groups in the span of W0 are 0 with it
			m = q.restrict(zero)
		}
		if m == nil || !q.newton(m, zero, signs, x, r.y) {
			return false
		}
		product1(z, q.w, x)
		u := q.multipliers(m, zero, signs, x, z, r.y, r.Dual)
		wrong := false
		for g, at := range q.groups {
			n := q.norm(u, g)
			switch scalar := at[1]-at[0] == 1; {
			case zero[g] && n > q.Beta*(1+1e-9):
				zero[g], wrong = false, true
				copy(signs[at[0]:at[1]], u[at[0]:at[1]])
			case !zero[g] && scalar && z[at[0]]*signs[at[0]] <= 0:
				zero[g], wrong = true, true
			}
		}
		if !wrong {
			copy(r.X, x)
			r.Dual, r.z, r.Zero, r.Settled = u, z, zero, true
			r.Gap = q.gap(r.X, u, z, r.y)
			r.judge(m)
			return true
		}
	}
	return false
}

// close adds the groups whose rows lie in the span of W0, to a part in 1e8, and says whether there were any.
func (q *inverse) close(m *manifold, zero []bool) bool {
	some := false
	for g, at := range q.groups {
		if zero[g] {
			continue
		}
		rows, left := q.w.Slice(at[0], at[1], 0, q.n), 0.0
		if m.basis != nil {
			var wz mat.Dense
			wz.Mul(rows, m.basis)
			left = mat.Norm(&wz, 2)
		}
		if left <= CutOff*mat.Norm(rows, 2) {
			zero[g], some = true, true
		}
	}
	return some
}

// direction is β times the gradient of the norms of the groups that are not 0: βs for a row that is a group, where s is the sign that it is
// to have.
func (q *inverse) direction(zero []bool, signs, z []float64) []float64 {
	d := make([]float64, q.k)
	for g, at := range q.groups {
		if zero[g] {
			continue
		}
		from := z
		if at[1]-at[0] == 1 {
			from = signs
		}
		n := q.norm(from, g)
		for i := at[0]; i < at[1]; i++ {
			d[i] = q.Beta * from[i] / n
		}
	}
	return d
}

// slope is AᵀAx - Aᵀy + Wᵀd.
func (q *inverse) slope(x, d, y []float64) []float64 {
	nu, s, w := make([]float64, q.Map.Out), make([]float64, q.n), make([]float64, q.n)
	q.Map.Apply(nu, x)
	floats.Sub(nu, y)
	q.Map.Transpose(s, nu)
	product1(w, q.w.T(), d)
	floats.Add(s, w)
	return s
}

// newton goes to the solution on the manifold.
func (q *inverse) newton(m *manifold, zero []bool, signs, x, y []float64) bool {
	if m.basis == nil {
		clear(x)
		return true
	}
	start := make([]float64, q.n)
	_, free := m.basis.Dims()
	inside := make([]float64, free)
	product1(inside, m.basis.T(), x)
	product1(start, m.basis, inside)
	copy(x, start)
	z, size := make([]float64, q.k), floats.Norm(y, 2)
	for step := range newtonSteps {
		product1(z, q.w, x)
		for g, at := range q.groups {
			if n := q.norm(z, g); !zero[g] && at[1]-at[0] > 1 && !(n > 1e-12*size) {
				if step > 0 {
					return false // it shrinks to 0: ADMM has yet to say so
				}
				copy(z[at[0]:at[1]], signs[at[0]:at[1]]) // newly free
				if q.norm(z, g) == 0 {
					return false
				}
			}
		}
		s := q.slope(x, q.direction(zero, signs, z), y)
		c := m.within(q.curvature(zero, z))
		if c == nil {
			return false
		}
		move := m.solve(c, s)
		t := 1.0
		if worst := q.shrinking(zero, z, move); worst > 0.9 { // no norm may pass 0
			t = 0.9 / worst
		}
		floats.AddScaled(x, -t, move)
		if t == 1 && floats.Norm(move, 2) <= 1e-14*floats.Norm(x, 2)+1e-300 {
			return true
		}
		if t == 1 && step > 0 && floats.Norm(move, 2) <= 1e-12*floats.Norm(x, 2) {
			return true
		}
	}
	return false
}

// shrinking is the largest part of a group's norm that a move changes, of the groups of several rows.
func (q *inverse) shrinking(zero []bool, z, move []float64) float64 {
	d, worst := make([]float64, q.k), 0.0
	product1(d, q.w, move)
	for g, at := range q.groups {
		if !zero[g] && at[1]-at[0] > 1 {
			worst = max(worst, q.norm(d, g)/q.norm(z, g))
		}
	}
	return worst
}

// multipliers are those of all rows: on the groups that are 0 they make the slope 0, and lie near a guess and within the groups' bounds
// where they can.
func (q *inverse) multipliers(m *manifold, zero []bool, signs, x, z, y, guess []float64) []float64 {
	u := q.direction(zero, signs, z)
	for g, at := range q.groups {
		if zero[g] {
			copy(u[at[0]:at[1]], guess[at[0]:at[1]])
		}
	}
	if len(m.zero) == 0 {
		return u
	}
	some := make([]float64, len(m.zero))
	for pass := range feasibilityPasses {
		within, outside := q.Beta, false
		if pass < feasibilityPasses/2 {
			within *= inward
		}
		for g, at := range q.groups {
			if n := q.norm(u, g); zero[g] && n > q.Beta {
				floats.Scale(within/n, u[at[0]:at[1]])
				outside = true
			}
		}
		if pass > 0 && !outside {
			break
		}
		product1(some, m.pinv, q.slope(x, u, y))
		for a, i := range m.zero {
			u[i] -= some[a]
		}
	}
	return u
}

// Multipliers of dependent rows have room: they go in turns to the groups' bounds, a little inside of them at first, and to the
// multipliers that make the slope 0, which arrives at some that are both where there are any.
const (
	feasibilityPasses = 200
	inward            = 0.999
)

// judge finds the ties: groups whose distance from the other side is within what the gap leaves open, √(2 gap) in Ax, over what A and W0
// have to say of them. Where W has full row rank that is a proof, else the multipliers of least norm are taken for all there are.
func (r *Recovery) judge(m *manifold) {
	q := r.problem
	const unit = 0x1p-52
	radius := math.Sqrt(2 * (r.Gap + 16*unit*floats.Dot(r.y, r.y)))
	h, norm := 0.0, mat.Norm(q.gram, 2)
	if m.basis != nil {
		h = math.Inf(1)
		var inverse mat.SymDense
		if c := m.within(q.gram); c != nil && c.InverseTo(&inverse) == nil { // on the manifold, |x-x*| is no more than |A(x-x*)| times this
			h = math.Sqrt(mat.Norm(&inverse, 2))
		}
	}
	at := map[int]int{}
	for a, i := range m.zero {
		at[i] = a
	}
	for g, rows := range q.groups {
		reach := 0.0
		for i := rows[0]; i < rows[1]; i++ {
			if r.Zero[g] {
				reach = math.Hypot(reach, floats.Norm(m.pinv.RawRowView(at[i]), 2)*math.Sqrt(norm))
			} else {
				reach = math.Hypot(reach, q.Operator.norms[q.rows[i]]*h)
			}
		}
		if r.Zero[g] && reach > 0 && q.norm(r.Dual, g)+reach*radius >= q.Beta || !r.Zero[g] && q.norm(r.z, g) <= reach*radius {
			r.Ties = append(r.Ties, g)
		}
	}
}
