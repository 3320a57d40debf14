package bilevel

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Float is what the lower problem is solved in.
type Float interface{ float32 | float64 }

// Operator is an analysis operator W: rows by columns numbers, one row after the other. What solvers need of it is computed once; it
// must not be written to after that.
type Operator struct {
	rows, cols int
	w          []float64
	norms      []float64 // |w_i|

	lipschitz func() float64   // no less than |W|²
	pairs     func() []float64 // W Wᵀ, nil where it would be too large
	gram      func() []float64 // the same, nil where two products with W are the cheaper
	inverse   func() []float64 // (W Wᵀ)⁻¹, nil where it is too ill conditioned
	smallest  func() float64   // no more than the least singular value of Wᵀ; 0: not of full row rank, or nearly not
}

// NewOperator is the operator of so many rows and columns. It keeps w.
func NewOperator(rows, cols int, w []float64) (*Operator, error) {
	switch {
	case rows < 0 || cols < 1:
		return nil, fmt.Errorf("operator: %d rows by %d columns: wants 0 and 1 at least", rows, cols)
	case len(w) != rows*cols:
		return nil, fmt.Errorf("operator: %d numbers for %d rows by %d columns", len(w), rows, cols)
	}
	for i, v := range w {
		if v-v != 0 {
			return nil, fmt.Errorf("operator: row %d, column %d is %g: wants finite numbers", i/cols, i%cols, v)
		}
	}
	o := &Operator{rows: rows, cols: cols, w: w, norms: make([]float64, rows)}
	for i := range o.norms {
		o.norms[i] = floats.Norm(o.Row(i), 2)
		if math.IsInf(o.norms[i]*o.norms[i], 0) {
			return nil, fmt.Errorf("operator: row %d has norm %g, whose square is no number: scale it down", i, o.norms[i])
		}
	}
	o.lipschitz = sync.OnceValue(o.boundSquare)
	o.inverse = sync.OnceValue(o.invert)
	o.smallest = sync.OnceValue(o.boundSmallest)
	o.pairs = sync.OnceValue(func() []float64 {
		if rows > 2*cols && rows*rows > mostKept {
			return nil
		}
		return o.products()
	})
	o.gram = sync.OnceValue(func() []float64 {
		if rows > 2*cols {
			return nil
		}
		return o.pairs()
	})
	return o, nil
}

// Rows is k, how many rows W has.
func (o *Operator) Rows() int { return o.rows }

// Cols is n, how long a signal is.
func (o *Operator) Cols() int { return o.cols }

// W is the operator's numbers, one row after the other.
func (o *Operator) W() []float64 { return o.w }

// Row is row i.
func (o *Operator) Row(i int) []float64 { return o.w[i*o.cols : (i+1)*o.cols] }

// products is W Wᵀ.
func (o *Operator) products() []float64 {
	g := make([]float64, o.rows*o.rows)
	multiplyT(g, o.w, o.w, o.rows, o.cols, o.rows)
	return g
}

// gather is the rows of W with the given numbers, as a matrix of their own.
func (o *Operator) gather(rows []int) *mat.Dense {
	m := mat.NewDense(len(rows), o.cols, nil)
	for j, i := range rows {
		m.SetRow(j, o.Row(i))
	}
	return m
}
