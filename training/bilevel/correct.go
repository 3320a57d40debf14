package bilevel

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// worstInverse is the condition of W Wᵀ up to which its inverse is made for all patterns of an operator.
const worstInverse = 1e9

// invert is P = (W Wᵀ)⁻¹, nil where it is too ill conditioned or is not kept.
func (o *Operator) invert() []float64 {
	if o.rows == 0 || o.rows > o.cols || o.lipschitz() == 0 {
		return nil
	}
	var c mat.Cholesky
	var p mat.SymDense
	if !c.Factorize(mat.NewSymDense(o.rows, append([]float64(nil), o.gram()...))) || !(c.Cond() < worstInverse) || c.InverseTo(&p) != nil {
		return nil
	}
	raw := p.RawSymmetric()
	for i := range o.rows { // gonum keeps the upper half
		for j := range i {
			raw.Data[i*raw.Stride+j] = raw.Data[j*raw.Stride+i]
		}
	}
	return raw.Data
}

// correct adds (W0ᵀ)⁺ (y - Wᵀu) to u on the rows of I0 for each sample, for z = W(y - Wᵀu). Where W Wᵀ has an inverse P and the other rows J are few, with b =
// z on I0 and 0 on J, that is
//
//	P b - P_J (P_JJ)⁻¹ (P b)_J:
//
// one product for all samples, and a system of the size of J for each. Else each pattern has a factor.
// firmly is the gradient's cut-off in place of the solver's.
func (s *Solution[T]) correct(patterns [][]int8, u, y, z []float64, firmly bool) {
	o, k, n := s.operator, s.operator.rows, s.operator.cols
	var few []int // samples whose J is the smaller part
	if p := o.inverse(); p != nil {
		for r, pattern := range patterns {
			if others := signed(pattern); 2*others <= k {
				few = append(few, r)
			}
		}
		b := make([]float64, len(few)*k)
		for at, r := range few {
			for i, sign := range patterns[r] {
				if sign == 0 {
					b[at*k+i] = z[r*k+i]
				}
			}
		}
		pb := make([]float64, len(b))
		multiply(pb, b, p, len(few), k, k)
		parallel(len(few), func(at int) {
			r := few[at]
			complement(p, patterns[r], pb[at*k:(at+1)*k])
			for i, sign := range patterns[r] {
				if sign == 0 {
					u[r*k+i] += pb[at*k+i]
				}
			}
		})
	}
	if len(few) == len(patterns) {
		return
	}
	var many []int
	for r := range patterns {
		if len(few) > 0 && few[0] == r {
			few = few[1:]
			continue
		}
		many = append(many, r)
	}
	parallel(len(many), func(at int) {
		r := many[at]
		s.factors.get(patterns[r]).correct(u[r*k:(r+1)*k], y[r*n:(r+1)*n], z[r*k:(r+1)*k], firmly)
	})
}

func signed(pattern []int8) (n int) {
	for _, p := range pattern {
		if p != 0 {
			n++
		}
	}
	return n
}

// complement takes P_J (P_JJ)⁻¹ (P b)_J from P b.
func complement(p []float64, pattern []int8, pb []float64) {
	k := len(pattern)
	var j []int
	for i, sign := range pattern {
		if sign != 0 {
			j = append(j, i)
		}
	}
	if len(j) == 0 {
		return
	}
	m := len(j)
	a, c := make([]float64, m*m), make([]float64, m)
	for r, i := range j {
		c[r] = pb[i]
		for q := r; q < m; q++ {
			a[r*m+q] = p[i*k+j[q]]
		}
	}
	l, ok := lapack64.Potrf(blas64.Symmetric{N: m, Stride: m, Data: a, Uplo: blas.Upper})
	if !ok { // no correction then, and no settled pattern
		return
	}
	solveTriangles(l, c)
	for r, i := range j {
		floats.AddScaled(pb, -c[r], p[i*k:(i+1)*k])
	}
}

// solveTriangles is c = (LᵀL)⁻¹ c.
func solveTriangles(l blas64.Triangular, c []float64) {
	v := blas64.Vector{N: len(c), Inc: 1, Data: c}
	blas64.Trsv(blas.Trans, l, v)
	blas64.Trsv(blas.NoTrans, l, v)
}

// wellConditioned says whether no choice of rows of W has a W0 W0ᵀ of a condition beyond the worst: eigenvalues of a part interlace with
// those of the whole.
func (o *Operator) wellConditioned() bool {
	least := o.smallest()
	return least > 0 && o.lipschitz() < worstCondition*math.Pow(least, 2)
}
