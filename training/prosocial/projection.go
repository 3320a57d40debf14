package prosocial

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Projection takes directions out of embeddings: x - sum_j <x, v_j> v_j with orthonormal v_j.
type Projection struct {
	Directions [][]float64
	width      int
}

// Matrix is the projection as P = I - sum_j v_j v_j^T, symmetric, so that x P and P x are the same.
func (p *Projection) Matrix() *mat.SymDense {
	m := mat.NewSymDense(p.width, nil)
	for i := range p.width {
		m.SetSym(i, i, 1)
	}
	for _, v := range p.Directions {
		m.SymRankOne(m, -1, mat.NewVecDense(len(v), v))
	}
	return m
}

// Apply takes the directions out of x in place.
func (p *Projection) Apply(x []float64) {
	for _, v := range p.Directions {
		floats.AddScaled(x, -floats.Dot(x, v), v)
	}
}

// Share is the part that the directions hold of the squared differences of sets' members from their means.
func (p *Projection) Share(sets [][][]float64) float64 {
	all, along := 0., 0.
	for _, set := range sets {
		mean := make([]float64, p.width)
		for _, x := range set {
			floats.AddScaled(mean, 1/float64(len(set)), x)
		}
		for _, x := range set {
			apart := make([]float64, p.width)
			floats.SubTo(apart, x, mean)
			all += floats.Dot(apart, apart)
			for _, v := range p.Directions {
				d := floats.Dot(apart, v)
				along += d * d
			}
		}
	}
	if all == 0 {
		return 0
	}
	return along / all
}

// add adds what a direction has outside of those that are there; it is dropped, and add gives false, where that is nothing but
// rounding.
func (p *Projection) add(direction []float64) bool {
	v := append([]float64{}, direction...)
	size := floats.Norm(v, 2)
	for range 2 { // twice is enough (Kahan and Parlett)
		p.Apply(v)
	}
	left := floats.Norm(v, 2)
	if !(left > 1e-9*size) || len(p.Directions) >= p.width {
		return false
	}
	floats.Scale(1/left, v)
	p.Directions = append(p.Directions, v)
	return true
}

// widthOf is the length that all embeddings share; numbers that are none are refused.
func widthOf(x [][]float64) (int, error) {
	if len(x) == 0 || len(x[0]) == 0 {
		return 0, fmt.Errorf("no embeddings")
	}
	for i, row := range x {
		if len(row) != len(x[0]) {
			return 0, fmt.Errorf("embedding %d has %d numbers, the first %d", i+1, len(row), len(x[0]))
		}
		for _, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, fmt.Errorf("embedding %d has the number %v", i+1, v)
			}
		}
	}
	return len(x[0]), nil
}
