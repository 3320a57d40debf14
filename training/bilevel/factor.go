package bilevel

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// CutOff is the singular value of W0, relative to its largest, from which down the gradient's pseudo-inverse takes one for 0. dependent is
// that of the solver's: a solution depends on rows that are nearly dependent, a multiplier of least norm must not.
const (
	CutOff    = 1e-8
	dependent = 1e-13
)

// worstCondition is the condition of W0 W0ᵀ up to which it is factorised itself; beyond it the singular values of W0 are taken.
const worstCondition = 1e12

// mostKept is how many numbers of factorisations are kept for the gradient.
const mostKept = 1 << 25

// factors are the pseudo-inverses of the rows W0 whose products are 0, one a pattern of a batch: samples with equal patterns share one.
type factors struct {
	operator *Operator
	gram     []float64 // W Wᵀ, nil where it would be too large
	lock     sync.Mutex
	of       map[string]*factor
	numbers  int
}

func newFactors(o *Operator) *factors {
	return &factors{operator: o, gram: o.pairs(), of: map[string]*factor{}}
}

// factor is the pseudo-inverse of W0: by the Cholesky factorisation of W0 W0ᵀ where that is well conditioned, by the pivoted one where the
// rows are dependent beyond doubt, else by singular values. Rows of zeros are left out: their multiplier of least norm is 0.
type factor struct {
	operator *Operator
	rows     []int // of W, ascending
	once     sync.Once

	chol        *blas64.Triangular
	pivoted     *pivoted
	left, right *mat.Dense // singular vectors
	inverse     []float64  // of the singular values above dependent
	firm        int        // how many of them are above CutOff
	reach       []float64  // once asked for: norms of the rows of (W0ᵀ)⁺
	reachOnce   sync.Once
	gram        []float64
}

// get is the factor of a pattern: the rows where it is 0.
func (f *factors) get(pattern []int8) *factor {
	key := make([]byte, (len(pattern)+7)/8)
	for i, p := range pattern {
		if p == 0 {
			key[i/8] |= 1 << (i % 8)
		}
	}
	f.lock.Lock()
	got := f.of[string(key)]
	if got == nil {
		got = &factor{operator: f.operator, gram: f.gram}
		for i, p := range pattern {
			if p == 0 && f.operator.norms[i] > 0 {
				got.rows = append(got.rows, i)
			}
		}
		if size := len(got.rows) * len(got.rows); f.numbers+size <= mostKept {
			f.numbers += size
			f.of[string(key)] = got
		}
	}
	f.lock.Unlock()
	got.once.Do(got.factorize)
	return got
}

// forget drops factorisations of patterns that were tried and left, once they take half of what may be kept.
func (f *factors) forget() {
	if f.numbers > mostKept/2 {
		f.of, f.numbers = map[string]*factor{}, 0
	}
}

func (f *factor) factorize() {
	m := len(f.rows)
	if m == 0 {
		return
	}
	if m <= f.operator.cols && f.byCholesky(m) {
		return
	}
	if f.pivoted = newPivoted(f.products(m), m); f.pivoted != nil {
		return
	}
	var svd mat.SVD
	if !svd.Factorize(f.operator.gather(f.rows), mat.SVDThin) {
		return // no convergence of finite numbers: nothing is inverted, and no pattern is verified
	}
	values := svd.Values(nil)
	f.left, f.right = &mat.Dense{}, &mat.Dense{}
	svd.UTo(f.left)
	svd.VTo(f.right)
	for _, v := range values {
		if v <= dependent*values[0] {
			break
		}
		f.inverse = append(f.inverse, 1/v)
		if v > CutOff*values[0] {
			f.firm++
		}
	}
}

// products is the upper half of W0 W0ᵀ.
func (f *factor) products(m int) []float64 {
	o, k := f.operator, f.operator.rows
	products := make([]float64, m*m)
	for a, i := range f.rows {
		to := products[a*m : (a+1)*m]
		for b := a; b < m; b++ {
			if j := f.rows[b]; f.gram != nil {
				to[b] = f.gram[i*k+j]
			} else {
				to[b] = floats.Dot(o.Row(i), o.Row(j))
			}
		}
	}
	return products
}

func (f *factor) byCholesky(m int) bool {
	o := f.operator
	products := f.products(m)
	s := blas64.Symmetric{N: m, Stride: m, Data: products, Uplo: blas.Upper}
	norm := 0.0
	if !o.wellConditioned() {
		norm = lapack64.Lansy(lapack.MaxColumnSum, s, make([]float64, m))
	}
	l, ok := lapack64.Potrf(s)
	if !ok {
		return false
	}
	if norm > 0 && !(1 < worstCondition*lapack64.Pocon(s, norm, make([]float64, 3*m), make([]int, m))) {
		return false
	}
	f.chol = &l
	return true
}

// multiplier is dst = (W0ᵀ)⁺ x, for z = W0 x; firmly: by the singular values above CutOff alone.
func (f *factor) multiplier(dst, x, z []float64, firmly bool) {
	switch {
	case len(f.rows) == 0:
	case f.chol != nil:
		copy(dst, z)
		solveTriangles(*f.chol, dst)
	case f.pivoted != nil:
		f.pivoted.multiplier(dst, z)
	default:
		clear(dst)
		some := f.inverse
		if firmly {
			some = some[:f.firm]
		}
		for j, inverse := range some {
			c := 0.0
			for i, v := range x {
				c += f.right.At(i, j) * v
			}
			c *= inverse
			for i := range dst {
				dst[i] += f.left.At(i, j) * c
			}
		}
	}
}

// spans says whether w lies in the span of the rows, to a part in 1e8 of its norm.
func (f *factor) spans(w []float64) bool {
	m, n := len(f.rows), len(w)
	rest := append([]float64(nil), w...)
	z, u := make([]float64, m), make([]float64, m)
	for range 2 { // the second takes away what rounding has left
		for a, i := range f.rows {
			z[a] = floats.Dot(f.operator.Row(i), rest)
		}
		f.multiplier(u, rest, z, true)
		for a, i := range f.rows {
			floats.AddScaled(rest[:n], -u[a], f.operator.Row(i))
		}
	}
	return floats.Norm(rest, 2) <= 1e-8*floats.Norm(w, 2)
}

// reaches is the norm of each row of (W0ᵀ)⁺: how far a multiplier moves when what it multiplies to moves by 1.
func (f *factor) reaches() []float64 {
	f.reachOnce.Do(func() {
		f.reach = make([]float64, len(f.rows))
		switch {
		case f.chol != nil:
			for a := range f.reach { // √ of the inverse's diagonal
				e := make([]float64, len(f.rows))
				e[a] = 1
				blas64.Trsv(blas.Trans, *f.chol, blas64.Vector{N: len(e), Inc: 1, Data: e})
				f.reach[a] = floats.Norm(e, 2)
			}
		case f.pivoted != nil:
			f.pivoted.reaches(f.reach)
		default:
			for a := range f.reach {
				for j, inverse := range f.inverse {
					f.reach[a] = math.Hypot(f.reach[a], inverse*f.left.At(a, j))
				}
			}
		}
	})
	return f.reach
}
