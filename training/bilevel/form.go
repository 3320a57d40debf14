package bilevel

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx/noise"
)

// Form is what W is made of while it is trained: some numbers, its parameters, on which it depends linearly.
type Form interface {
	// Size is the rows and columns of W.
	Size() (rows, cols int)
	// Operator is W of the parameters.
	Operator(parameters []float64) []float64
	// Pullback is what a gradient with respect to W is with respect to the parameters: the transpose of Operator.
	Pullback(dw []float64) []float64
	// Retract brings the parameters after a step back to where the form allows them to be.
	Retract(parameters []float64) error
	// Begin is where training begins.
	Begin(s Start, scale float64, seed uint64) ([]float64, error)

	check() error
}

// Start is what training begins with.
type Start int

const (
	Random          Start = iota // normal numbers of variance 1/columns, rows without a mean
	CentredIdentity              // I - 11ᵀ/n: no baseline's operator. Rows beyond the columns are random
)

// Free is a W of any numbers.
type Free struct{ Rows, Cols int }

// Orthonormal is a W whose rows are orthonormal: WWᵀ = I, no more rows than columns. Each step ends with the nearest one.
type Orthonormal struct{ Rows, Cols int }

// TightFrame is a W with WᵀW = I, no fewer rows than columns. Each step ends with the nearest one.
type TightFrame struct{ Rows, Cols int }

func (f Free) Size() (int, int)        { return f.Rows, f.Cols }
func (f Orthonormal) Size() (int, int) { return f.Rows, f.Cols }
func (f TightFrame) Size() (int, int)  { return f.Rows, f.Cols }

func (Free) Operator(p []float64) []float64        { return p }
func (Orthonormal) Operator(p []float64) []float64 { return p }
func (TightFrame) Operator(p []float64) []float64  { return p }

func (Free) Pullback(dw []float64) []float64        { return dw }
func (Orthonormal) Pullback(dw []float64) []float64 { return dw }
func (TightFrame) Pullback(dw []float64) []float64  { return dw }

func (Free) Retract([]float64) error            { return nil }
func (f Orthonormal) Retract(p []float64) error { return polar(p, f.Rows, f.Cols) }
func (f TightFrame) Retract(p []float64) error  { return polar(p, f.Rows, f.Cols) }

func (f Free) check() error { return checkSize(f.Rows, f.Cols) }

func (f Orthonormal) check() error {
	if f.Rows > f.Cols {
		return fmt.Errorf("orthonormal rows: %d of length %d: there are no more than %d", f.Rows, f.Cols, f.Cols)
	}
	return checkSize(f.Rows, f.Cols)
}

func (f TightFrame) check() error {
	if f.Rows < f.Cols {
		return fmt.Errorf("tight frame: %d rows of length %d: wants %d at least", f.Rows, f.Cols, f.Cols)
	}
	return checkSize(f.Rows, f.Cols)
}

func checkSize(rows, cols int) error {
	if rows < 1 || cols < 2 {
		return fmt.Errorf("operator: %d rows by %d columns: wants 1 and 2 at least", rows, cols)
	}
	return nil
}

// Begin is rows from the start, times scale.
func (f Free) Begin(s Start, scale float64, seed uint64) ([]float64, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	w := centredRows(f.Rows, f.Cols, seed)
	switch s {
	case Random:
	case CentredIdentity:
		for i := range min(f.Rows, f.Cols) {
			for j := range f.Cols {
				w[i*f.Cols+j] = -1 / float64(f.Cols)
			}
			w[i*f.Cols+i]++
		}
	default:
		return nil, fmt.Errorf("start %d: wants %d or %d", s, Random, CentredIdentity)
	}
	floats.Scale(scale, w)
	return w, nil
}

// Begin is what lies nearest to the start, whose scale it does not have.
func (f Orthonormal) Begin(s Start, _ float64, seed uint64) ([]float64, error) {
	return nearest(f, Free(f), s, seed)
}

// Begin is what lies nearest to the start, whose scale it does not have.
func (f TightFrame) Begin(s Start, _ float64, seed uint64) ([]float64, error) {
	return nearest(f, Free(f), s, seed)
}

// nearest is what of a form lies nearest to a start of any numbers.
func nearest(f Form, free Free, s Start, seed uint64) ([]float64, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	p, err := free.Begin(s, 1, seed)
	if err == nil {
		err = f.Retract(p)
	}
	return p, err
}

// centredRows are normal numbers of variance 1/cols, less the mean of each row.
func centredRows(rows, cols int, seed uint64) []float64 {
	drawn := make([]float32, rows*cols)
	noise.Normal(drawn, noise.NewKey(seed, "operator", 0))
	w := convert[float64](drawn)
	for i := range rows {
		row := w[i*cols : (i+1)*cols]
		floats.AddConst(-floats.Sum(row)/float64(cols), row)
		floats.Scale(1/math.Sqrt(float64(cols)), row)
	}
	return w
}

// polar puts U Vᵀ in the place of w = U S Vᵀ: of the matrices with orthonormal rows, or columns, the nearest.
func polar(w []float64, rows, cols int) error {
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(rows, cols, w), mat.SVDThin) {
		return errors.New("the singular values of W do not converge")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	mat.NewDense(rows, cols, w).Mul(&u, v.T())
	return nil
}
