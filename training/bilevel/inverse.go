package bilevel

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Map is a linear A, from signals of length In to measurements of length Out: a blur, a choice of pixels, a part of a Fourier transform.
type Map struct {
	In, Out int
	// Apply is dst = A src, Transpose is dst = Aᵀ src. They may be called at once from several goroutines.
	Apply, Transpose func(dst, src []float64)
}

// NewMap is the map of a matrix of out rows by in columns.
func NewMap(out, in int, a []float64) (*Map, error) {
	if out < 1 || in < 1 || len(a) != out*in {
		return nil, fmt.Errorf("map: %d numbers for %d rows by %d columns", len(a), out, in)
	}
	for i, v := range a {
		if v-v != 0 {
			return nil, fmt.Errorf("map: row %d, column %d is %g: wants finite numbers", i/in, i%in, v)
		}
	}
	m := mat.NewDense(out, in, a)
	of := func(v []float64) *mat.VecDense { return mat.NewVecDense(len(v), v) }
	return &Map{
		In: in, Out: out,
		Apply:     func(dst, src []float64) { of(dst).MulVec(m, of(src)) },
		Transpose: func(dst, src []float64) { of(dst).MulVec(m.T(), of(src)) },
	}, nil
}

// Inverse is the lower problem with a linear map and groups of rows,
//
//	argmin ½|Ax-y|² + β Σ_g |(Wx)_g|₂,
//
// which the papers leave as future work: the derivation is this package's, and checked as theirs is.
type Inverse struct {
	Operator *Operator
	Beta     float64
	Map      *Map    // nil: the identity
	Groups   [][]int // rows of W, a row in as many groups as one likes; nil: each row is a group, the sum is |Wx|₁
}

// Recovery is the solution of one inverse problem.
type Recovery struct {
	X    []float64
	Dual []float64 // one number for each row of each group, in order: AᵀAx - Aᵀy + Σ W_gᵀ u_g = 0
	// Gap bounds how far the objective is from its least value; ½|A(x-x*)|² is no more.
	Gap        float64
	Zero       []bool // groups whose products are 0
	Ties       []int  // groups so near to being 0, or not, that rounding decides
	Iterations int
	Settled    bool // the active set was found, and the solution is exact but for rounding

	problem *inverse
	y       []float64
	z       []float64
}

// inverse is a problem made ready: rows of groups stand one after the other.
type inverse struct {
	Inverse
	n, k   int
	rows   []int // of W
	groups [][2]int
	of     []int // group of each row
	w      *mat.Dense
	gram   *mat.SymDense // AᵀA
}

func (p Inverse) ready() (*inverse, error) {
	if p.Operator == nil {
		return nil, errors.New("inverse: no operator is given")
	}
	if !(p.Beta >= 0) || math.IsInf(p.Beta, 0) {
		return nil, fmt.Errorf("inverse: beta is %g: wants a finite number, 0 or more", p.Beta)
	}
	q := &inverse{Inverse: p, n: p.Operator.cols}
	if q.Map == nil {
		q.Map = &Map{In: q.n, Out: q.n, Apply: func(dst, src []float64) { copy(dst, src) }, Transpose: func(dst, src []float64) { copy(dst, src) }}
	}
	if q.Map.In != q.n || q.Map.Out < 1 || q.Map.Apply == nil || q.Map.Transpose == nil {
		return nil, fmt.Errorf("inverse: a map from length %d to %d, both ways, for signals of length %d", q.Map.In, q.Map.Out, q.n)
	}
	groups := p.Groups
	if groups == nil {
		for i := range p.Operator.rows {
			groups = append(groups, []int{i})
		}
	}
	for g, rows := range groups {
		if len(rows) == 0 {
			return nil, fmt.Errorf("inverse: group %d has no rows", g)
		}
		q.groups = append(q.groups, [2]int{len(q.rows), len(q.rows) + len(rows)})
		for _, r := range rows {
			if r < 0 || r >= p.Operator.rows {
				return nil, fmt.Errorf("inverse: group %d has row %d, W has %d", g, r, p.Operator.rows)
			}
			q.rows, q.of = append(q.rows, r), append(q.of, g)
		}
	}
	if q.k = len(q.rows); q.k == 0 {
		return nil, errors.New("inverse: W has no rows")
	}
	q.w = p.Operator.gather(q.rows)
	return q, q.measure()
}

// measure is AᵀA, column by column.
func (q *inverse) measure() error {
	q.gram = mat.NewSymDense(q.n, nil)
	a, e, out := mat.NewDense(q.Map.Out, q.n, nil), make([]float64, q.n), make([]float64, q.Map.Out)
	for j := range q.n {
		e[j] = 1
		q.Map.Apply(out, e)
		e[j] = 0
		if i := firstBad(out); i >= 0 {
			return fmt.Errorf("inverse: the map makes %g of unit vector %d", out[i], j)
		}
		a.SetCol(j, out)
	}
	var g mat.Dense
	g.Mul(a.T(), a)
	for i := range q.n {
		for j := i; j < q.n; j++ {
			q.gram.SetSym(i, j, g.At(i, j))
		}
	}
	// The transpose is the caller's word: one product each way shows whether it is one.
	x, y, back := centredRows(1, q.n, 3), centredRows(1, max(q.Map.Out, 2), 4)[:q.Map.Out], make([]float64, q.n)
	q.Map.Apply(out, x)
	q.Map.Transpose(back, y)
	if i := firstBad(back); i >= 0 {
		return fmt.Errorf("inverse: the map's transpose makes %g", back[i])
	}
	if d, size := math.Abs(floats.Dot(out, y)-floats.Dot(back, x)), floats.Norm(out, 2)*floats.Norm(y, 2); d > 1e-6*size+1e-300 {
		return fmt.Errorf("inverse: Transpose is not the transpose of Apply: products differ by %g of %g", d, size)
	}
	return nil
}

func firstBad(v []float64) int {
	for i, e := range v {
		if e-e != 0 {
			return i
		}
	}
	return -1
}

// norm is |v_g|₂ for the rows of a group.
func (q *inverse) norm(v []float64, g int) float64 {
	return floats.Norm(v[q.groups[g][0]:q.groups[g][1]], 2)
}

// gap is the objective at x less the dual objective ⟨y,ν⟩ - ½|ν|² at ν = t(y-Ax), for a u with Wᵀu = Aᵀ(y-Ax): t ≤ 1 has |tu_g| ≤ β.
func (q *inverse) gap(x, u, z, y []float64) float64 {
	nu := make([]float64, q.Map.Out)
	q.Map.Apply(nu, x)
	floats.SubTo(nu, y, nu)
	square, objective, t := floats.Dot(nu, nu), 0.0, 1.0
	for g := range q.groups {
		objective += q.Beta * q.norm(z, g)
		if n := q.norm(u, g); n > q.Beta {
			t = min(t, q.Beta/n)
		}
	}
	return max(0, objective+square/2-t*floats.Dot(y, nu)+t*t*square/2)
}

func product1(dst []float64, m mat.Matrix, v []float64) {
	mat.NewVecDense(len(dst), dst).MulVec(m, mat.NewVecDense(len(v), v))
}
