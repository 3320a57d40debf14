package analysis

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Operator is the matrix W, Rows by Columns, row by row. Columns are the pixels of a patch, row by row of the patch.
type Operator struct {
	Rows, Columns int
	W             []float64
	Origin        string // what the file says of where it comes from
}

// String says what the operator is.
func (o Operator) String() string {
	if o.W == nil {
		return "none"
	}
	return fmt.Sprintf("%s %dx%d", o.origin(), o.Rows, o.Columns)
}

func (o Operator) origin() string {
	if o.Origin == "" {
		return "given"
	}
	return o.Origin
}

// OperatorError says that an operator is none that a denoiser can be made of, whatever else is asked for.
type OperatorError struct{ reason string }

func (e *OperatorError) Error() string { return e.reason }

func unfit(format string, args ...any) error { return &OperatorError{fmt.Sprintf(format, args...)} }

// maxOperator bounds rows and columns; what is computed of an operator grows with their cube.
const maxOperator = 4096

func (o Operator) check() error {
	switch {
	case len(o.W) == 0:
		return unfit("there is no operator")
	case o.Rows < 1 || o.Columns < 1 || o.Rows > maxOperator || o.Columns > maxOperator:
		return unfit("an operator of %dx%d: wants 1 to %d rows and columns", o.Rows, o.Columns, maxOperator)
	case len(o.W) != o.Rows*o.Columns:
		return unfit("%d numbers for an operator of %dx%d", len(o.W), o.Rows, o.Columns)
	}
	for i, v := range o.W {
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return unfit("row %d, column %d of the operator is %v", i/o.Columns, i%o.Columns, v)
		}
	}
	return nil
}

// side is the side of the square patches that the operator is for.
func (o Operator) side() (int, error) {
	s := int(math.Round(math.Sqrt(float64(o.Columns))))
	if s*s != o.Columns {
		return 0, unfit("an operator of %d columns: wants the number of pixels of a square patch", o.Columns)
	}
	return s, nil
}

func (o Operator) matrix() *mat.Dense { return mat.NewDense(o.Rows, o.Columns, o.W) }

// centred is a matrix without the mean of each row: what it gives for a patch is what the matrix gives for the patch without its mean.
func centred(a *mat.Dense) *mat.Dense {
	m := mat.DenseCopyOf(a)
	rows, _ := m.Dims()
	for i := range rows {
		row := m.RawRowView(i)
		mean := 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for j := range row {
			row[j] -= mean
		}
	}
	return m
}

// lipschitz is the largest eigenvalue of W W^T, a little above it; 1 for an operator of zeros, with which all steps are the same.
func (o Operator) lipschitz() (float64, error) {
	w := o.matrix()
	var gram mat.SymDense
	if o.Rows <= o.Columns {
		gram.SymOuterK(1, w)
	} else {
		gram.SymOuterK(1, w.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, false) {
		return 0, errors.New("the operator's singular values do not converge")
	}
	values := eigen.Values(nil)
	if largest := values[len(values)-1]; largest > 0 {
		return largest * (1 + 1e-6), checkNorm(math.Sqrt(largest))
	}
	return 1, nil
}

// extremeNorm is how large an operator's norm may be, and how small its reciprocal: steps divide by its square, and float32 has to hold all
// that comes of it.
const extremeNorm = 1e12

func checkNorm(norm float64) error {
	if norm > extremeNorm || norm < 1/extremeNorm {
		return unfit("an operator of norm %.3g: wants %g to %g: scale it, and beta by the reciprocal", norm, 1/extremeNorm, float64(extremeNorm))
	}
	return nil
}

// ridge is (W W^T + weight)^-1 W, which is W (W^T W + weight)^-1.
func (o Operator) ridge(weight float64) (*mat.Dense, error) {
	w := o.matrix()
	var gram mat.SymDense
	gram.SymOuterK(1, w.T())
	for i := range o.Columns {
		gram.SetSym(i, i, gram.At(i, i)+weight)
	}
	var factor mat.Cholesky
	var out mat.Dense
	if !factor.Factorize(&gram) {
		return nil, errors.New("the operator's numbers are too far apart to begin with a ridge solution: begin at 0")
	}
	if err := factor.SolveTo(&out, w.T()); err != nil {
		return nil, fmt.Errorf("begin with a ridge solution: %w: begin at 0", err)
	}
	return mat.DenseCopyOf(out.T()), nil
}

// Differences are the differences of neighbours in a patch, down and to the right: total variation of patches, anisotropic.
func Differences(side int) Operator {
	o := Operator{Columns: side * side, Origin: "differences"}
	add := func(from, to int) {
		row := make([]float64, o.Columns)
		row[from], row[to] = -1, 1
		o.W, o.Rows = append(o.W, row...), o.Rows+1
	}
	for i := range side {
		for j := range side {
			if j+1 < side {
				add(i*side+j, i*side+j+1)
			}
			if i+1 < side {
				add(i*side+j, (i+1)*side+j)
			}
		}
	}
	return o
}

// DCT is the orthonormal cosine transform of patches without its constant row.
func DCT(side int) Operator {
	o := Operator{Rows: side*side - 1, Columns: side * side, Origin: "dct"}
	wave := func(k, x int) float64 {
		scale := math.Sqrt(2 / float64(side))
		if k == 0 {
			scale = math.Sqrt(1 / float64(side))
		}
		return scale * math.Cos(math.Pi*float64(k)*(float64(x)+0.5)/float64(side))
	}
	for k := 1; k < side*side; k++ {
		for x := range side * side {
			o.W = append(o.W, wave(k/side, x/side)*wave(k%side, x%side))
		}
	}
	return o
}
