package bilevel

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Pivots of W0 W0ᵀ, relative to the first, from leastPivot on are of independent rows, those up to mostRest are what rounding leaves of
// dependent ones. Where there are others, singular values decide. worstMiddle is the worst condition of what is inverted.
const (
	leastPivot  = 1e-7
	mostRest    = 1e-13
	worstMiddle = 1e10
)

// pivoted is the pseudo-inverse of dependent rows W0, by the pivoted Cholesky factorisation PᵀW0 W0ᵀP = RᵀR, whose R has as many rows as there
// are independent ones: (W0ᵀ)⁺x = P Rᵀ(RRᵀ)⁻² R Pᵀ W0x. It costs a tenth of singular values.
type pivoted struct {
	order  []int
	r      blas64.General
	middle blas64.Triangular // Cholesky factor of R Rᵀ
}

// newPivoted takes the upper half of W0 W0ᵀ, which it overwrites; it is nil where the rank is in doubt.
func newPivoted(products []float64, m int) *pivoted {
	most := 0.0
	for i := range m {
		most = max(most, products[i*m+i])
	}
	p := &pivoted{order: make([]int, m)}
	_, rank, _ := lapack64.Pstrf(blas64.Symmetric{N: m, Stride: m, Data: products, Uplo: blas.Upper}, p.order, mostRest*most, make([]float64, 2*m))
	if rank == 0 || !(products[(rank-1)*m+rank-1]*products[(rank-1)*m+rank-1] >= leastPivot*most) {
		return nil
	}
	p.r = blas64.General{Rows: rank, Cols: m, Stride: m, Data: products[:rank*m]}
	for i := range rank {
		clear(products[i*m : i*m+i])
	}
	middle := blas64.Symmetric{N: rank, Stride: rank, Data: make([]float64, rank*rank), Uplo: blas.Upper}
	multiplyT(middle.Data, p.r.Data, p.r.Data, rank, m, rank)
	norm := lapack64.Lansy(lapack.MaxColumnSum, middle, make([]float64, rank))
	var ok bool
	if p.middle, ok = lapack64.Potrf(middle); !ok {
		return nil
	}
	if !(1 < worstMiddle*lapack64.Pocon(middle, norm, make([]float64, 3*rank), make([]int, rank))) {
		return nil
	}
	return p
}

// half is (RRᵀ)⁻¹ R v, for v in the order of the pivots.
func (p *pivoted) half(dst, v []float64) {
	blas64.Gemv(blas.NoTrans, 1, p.r, blas64.Vector{N: len(v), Inc: 1, Data: v}, 0, blas64.Vector{N: len(dst), Inc: 1, Data: dst})
	solveTriangles(p.middle, dst)
}

// multiplier is dst = (W0ᵀ)⁺ x, for z = W0 x.
func (p *pivoted) multiplier(dst, z []float64) {
	ordered, t := make([]float64, len(z)), make([]float64, p.r.Rows)
	for a, i := range p.order {
		ordered[a] = z[i]
	}
	p.half(t, ordered)
	solveTriangles(p.middle, t)
	blas64.Gemv(blas.Trans, 1, p.r, blas64.Vector{N: len(t), Inc: 1, Data: t}, 0, blas64.Vector{N: len(ordered), Inc: 1, Data: ordered})
	for a, i := range p.order {
		dst[i] = ordered[a]
	}
}

// reaches is the norm of each row of (W0ᵀ)⁺, which is that of a column of (RRᵀ)⁻¹R.
func (p *pivoted) reaches(dst []float64) {
	rank, m := p.r.Rows, p.r.Cols
	column := make([]float64, rank)
	for a := range m {
		for j := range rank {
			column[j] = p.r.Data[j*m+a]
		}
		solveTriangles(p.middle, column)
		dst[p.order[a]] = floats.Norm(column, 2)
	}
}
