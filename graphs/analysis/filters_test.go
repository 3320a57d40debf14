package analysis

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
)

// whole is the matrix of the convolutions on a picture of that size.
func (p Filters) whole(side, h, w int) Operator {
	o := Operator{Columns: h * w}
	for f := range p.Operator.Rows {
		for i := range h - side + 1 {
			for j := range w - side + 1 {
				row := make([]float64, h*w)
				for k := range side * side {
					row[(i+k/side)*w+j+k%side] = p.Operator.W[f*p.Operator.Columns+k]
				}
				o.W, o.Rows = append(o.W, row...), o.Rows+1
			}
		}
	}
	return o
}

// TestFilters holds models against the iteration in float64 with the convolutions as a matrix, and their bound of its norm.
func TestFilters(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		name    string
		filters Filters
		side    int
		dims    []int64
	}{
		{"3x3", Filters{Operator: draw(rng, 5, 9), Beta: 0.1}, 3, []int64{1, 1, 9, 11}},
		{"5x5, planes", Filters{Operator: draw(rng, 3, 25), Beta: 0.1, Solver: Solver{Iterations: 30, Restart: 8}}, 5, []int64{2, 2, 7, 9}},
		{"one place", Filters{Operator: draw(rng, 4, 9), Beta: 0.1}, 3, []int64{1, 1, 3, 3}},
		{"dct", Filters{Operator: DCT(4), Beta: 0.05, Optional: true}, 4, []int64{1, 1, 8, 8}},
		{"11x11", Filters{Operator: draw(rng, 2, 121), Beta: 0.1}, 11, []int64{1, 1, 12, 13}},
		{"until", Filters{Operator: draw(rng, 3, 9), Beta: 0.1, Solver: Solver{Tolerance: 1e-6, Iterations: 3000}}, 3, []int64{1, 1, 7, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, w := int(c.dims[2]), int(c.dims[3])
			matrix := c.filters.whole(c.side, h, w)
			bound := c.filters.Operator.lipschitzOfFilters(c.side)
			if norm, err := matrix.lipschitz(); err != nil || norm > bound*(1+1e-5) || min(h, w) > 3*c.side && bound > 1.5*norm {
				t.Fatalf("largest eigenvalue %g, bound %g, %v", norm, bound, err)
			}
			m, err := c.filters.Build(0)
			if err != nil {
				t.Fatal(err)
			}
			image := picture(rng, c.dims...)
			p := Patches{Operator: matrix, Cold: true, Solver: c.filters.Solver.defaults(20)}
			tolerance := 1e-5
			if p.Tolerance > 0 {
				p.Iterations, tolerance = 3000, 3e-4
			}
			var want []float64
			for i := range len(image.Float32s()) / (h * w) {
				y := make([]float64, h*w)
				for j := range y {
					y[j] = float64(image.Float32s()[i*h*w+j])
				}
				want = append(want, p.reference(y, c.filters.Beta, bound)...)
			}
			if d := largest(t, run(t, m, Patches{Beta: c.filters.Beta}.feeds(image)), want); d > tolerance {
				t.Errorf("off by %g", d)
			}
		})
	}
	for _, c := range []struct {
		p    Filters
		want string
	}{
		{Filters{}, "no operator"},
		{Filters{Operator: draw(rng, 1, 256)}, "16 pixels a side"},
		{Filters{Operator: draw(rng, 1, 1)}, "1 pixels a side"},
		{Filters{Operator: draw(rng, 1, 9), Beta: math.Inf(1)}, "beta"},
		{Filters{Operator: draw(rng, 1, 9), Solver: Solver{Iterations: -1}}, "iterations"},
	} {
		if _, err := c.p.Build(0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.p, err, c.want)
		}
	}
	m, err := Filters{Operator: draw(rng, 2, 9)}.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	s := runtimetest.Open(t, m, runtimetest.Options(t))
	if out, err := s.Run(t.Context(), Patches{}.feeds(onnx.NewTensor(onnx.Float, 1, 1, 2, 9))); err == nil {
		t.Errorf("a picture smaller than a filter: %v", out[OutputDenoised].Dims)
	}
}
