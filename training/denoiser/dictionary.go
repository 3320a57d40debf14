package denoiser

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"graft/training/signal"
)

// Dictionary is a set of unit vectors, its atoms, of few of which signals are sums.
type Dictionary signal.Set

// CosineFrame is a dictionary of cosines of finer steps than the cosine transform's, all but the first of mean 0: atom k is
// cos(pi (i + 1/2) k / atoms).
func CosineFrame(length, atoms int) (Dictionary, error) {
	s, err := signal.NewSet(atoms, length)
	if err != nil {
		return Dictionary{}, fmt.Errorf("dictionary: %w", err)
	}
	for k := range atoms {
		row := s.Row(k)
		for i := range row {
			row[i] = math.Cos(math.Pi * (float64(i) + 0.5) * float64(k) / float64(atoms))
		}
		if k > 0 {
			signal.Centre(row)
		}
		unit(row)
	}
	return Dictionary(s), nil
}

// CosineFrame2 is the dictionary of products of the atoms of a CosineFrame down and one across, for square patches: atoms is a
// square (Elad, Aharon 2006 take 16 times 16 for 8x8).
func CosineFrame2(side, atoms int) (Dictionary, error) {
	root := int(math.Round(math.Sqrt(float64(max(0, atoms)))))
	if root*root != atoms {
		return Dictionary{}, fmt.Errorf("dictionary: %d atoms, a square is wanted", atoms)
	}
	one, err := CosineFrame(side, root)
	if err != nil {
		return Dictionary{}, err
	}
	s, err := signal.NewSet(atoms, side*side)
	if err != nil {
		return Dictionary{}, fmt.Errorf("dictionary: %w", err)
	}
	for k := range atoms {
		for i, v := range signal.Set(one).Row(k / root) {
			for j, w := range signal.Set(one).Row(k % root) {
				s.Row(k)[i*side+j] = v * w
			}
		}
	}
	return Dictionary(s), nil
}

// unit makes a vector one of length 1, and says whether it has a direction.
func unit(x []float64) bool {
	l := floats.Norm(x, 2)
	if !(l > 0) {
		return false
	}
	floats.Scale(1/l, x)
	return true
}

// check refuses what is no dictionary for signals of a length.
func (d Dictionary) check(length int) error {
	if err := signal.Set(d).Check(); err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	if d.Length != length {
		return fmt.Errorf("dictionary: atoms of length %d, signals of %d", d.Length, length)
	}
	for i := range d.Count {
		if l := floats.Norm(signal.Set(d).Row(i), 2); math.Abs(l-1) > 1e-6 {
			return fmt.Errorf("dictionary: atom %d has length %g, 1 is wanted", i, l)
		}
	}
	return nil
}

// product is the matrix of the products of a's rows with b's.
func product(a, b signal.Set) []float64 {
	out := make([]float64, a.Count*b.Count)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1,
		blas64.General{Rows: a.Count, Cols: a.Length, Stride: a.Length, Data: a.Values},
		blas64.General{Rows: b.Count, Cols: b.Length, Stride: b.Length, Data: b.Values},
		0, blas64.General{Rows: a.Count, Cols: b.Count, Stride: b.Count, Data: out})
	return out
}
