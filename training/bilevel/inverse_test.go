package bilevel

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/floats"
)

// blur is a circular blur of three taps, as functions.
func blur(n int) *Map {
	around := func(dst, src []float64) {
		for i := range src {
			dst[i] = 0.6*src[i] + 0.25*src[(i+1)%n] + 0.15*src[(i+n-1)%n]
		}
	}
	back := func(dst, src []float64) {
		for i := range src {
			dst[i] = 0.6*src[i] + 0.25*src[(i+n-1)%n] + 0.15*src[(i+1)%n]
		}
	}
	return &Map{In: n, Out: n, Apply: around, Transpose: back}
}

// inpaint keeps every number but each third.
func inpaint(n int) *Map {
	var kept []int
	for i := range n {
		if i%3 != 1 {
			kept = append(kept, i)
		}
	}
	return &Map{In: n, Out: len(kept),
		Apply: func(dst, src []float64) {
			for j, i := range kept {
				dst[j] = src[i]
			}
		},
		Transpose: func(dst, src []float64) {
			clear(dst)
			for j, i := range kept {
				dst[i] = src[j]
			}
		},
	}
}

// lowFourier is the real and imaginary parts of the first coefficients of a Fourier transform.
func lowFourier(n, coefficients int) *Map {
	a := make([]float64, 2*coefficients*n)
	e := make([]float64, n)
	for j := range n {
		e[j] = 1
		for c, v := range fourier.NewFFT(n).Coefficients(nil, e)[:coefficients] {
			a[2*c*n+j], a[(2*c+1)*n+j] = real(v)/math.Sqrt(float64(n)), imag(v)/math.Sqrt(float64(n))
		}
		e[j] = 0
	}
	m, err := NewMap(2*coefficients, n, a)
	if err != nil {
		panic(err)
	}
	return m
}

// inverses are problems of every kind, k rows by n columns.
func inverses(k, n int) map[string]Inverse {
	pairs := [][]int{}
	for i := 0; i+1 < k; i += 2 {
		pairs = append(pairs, []int{i, i + 1})
	}
	over := [][]int{}
	for i := 0; i+2 < k; i++ {
		over = append(over, []int{i, i + 1, i + 2})
	}
	return map[string]Inverse{
		"identity": {}, "blur": {Map: blur(n)}, "inpaint": {Map: inpaint(n)}, "fourier": {Map: lowFourier(n, n/2)},
		"pairs": {Groups: pairs}, "overlapping": {Groups: over}, "blur, pairs": {Map: blur(n), Groups: pairs}, "inpaint, overlapping": {Map: inpaint(n), Groups: over},
	}
}

// optimal is how far a solution is from the conditions of an optimum, which for a convex problem are enough:
// AᵀAx - Aᵀy + Σ W_gᵀu_g = 0, |u_g| ≤ β, u_g·z_g = β|z_g|.
func optimal(p Inverse, r *Recovery, y []float64) float64 {
	n, slope := p.Operator.cols, make([]float64, p.Operator.cols)
	if m := p.Map; m == nil {
		floats.SubTo(slope, r.X, y)
	} else {
		nu := make([]float64, m.Out)
		m.Apply(nu, r.X)
		floats.Sub(nu, y)
		m.Transpose(slope, nu)
	}
	groups := p.Groups
	if groups == nil {
		for i := range p.Operator.rows {
			groups = append(groups, []int{i})
		}
	}
	worst, at := 0.0, 0
	for _, g := range groups {
		size, product, along := 0.0, 0.0, 0.0
		for _, i := range g {
			u, z := r.Dual[at], floats.Dot(p.Operator.Row(i), r.X)
			size, product, along = math.Hypot(size, u), math.Hypot(product, z), along+u*z
			floats.AddScaled(slope, u, p.Operator.Row(i))
			at++
		}
		worst = max(worst, size-p.Beta, math.Abs(p.Beta*product-along))
	}
	return max(worst, floats.Norm(slope[:n], math.Inf(1)))
}

func TestInverse(t *testing.T) {
	for _, size := range [][2]int{{7, 8}, {8, 8}, {12, 8}} {
		k, n := size[0], size[1]
		for name, p := range inverses(k, n) {
			t.Run(fmt.Sprintf("%s, %dx%d", name, k, n), func(t *testing.T) {
				checked, zeros := 0, 0
				for seed := range uint64(6) {
					r := rand.New(rand.NewPCG(seed, 20))
					w := normals(r, k*n)
					floats.Scale(1/math.Sqrt(float64(n)), w)
					p.Operator, p.Beta = operator(t, k, n, w), 0.1+0.12*float64(seed)
					if strings.Contains(name, "overlapping") { // each row counts three times, but a group of three is rarely 0
						p.Beta *= 2
					}
					out := n
					if p.Map != nil {
						out = p.Map.Out
					}
					y, g := normals(r, out), normals(r, n)
					solution := func(p Inverse, y []float64) *Recovery {
						s, err := p.Solve(y, Config{})
						if err != nil {
							t.Fatal(err)
						}
						return s[0]
					}
					s := solution(p, y)
					if e := optimal(p, s, y); !s.Settled || s.Gap > 1e-10 || e > 1e-10 {
						t.Errorf("seed %d: gap %g, conditions %g, %d iterations, settled %t", seed, s.Gap, e, s.Iterations, s.Settled)
						continue
					}
					if p.Map == nil && p.Groups == nil {
						same := solve(t, p.Operator, p.Beta, y, Config{})
						d, err := same.Gradient(g)
						if err != nil {
							t.Fatal(err)
						}
						e, err := s.Gradient(g)
						if err != nil {
							t.Fatal(err)
						}
						if floats.Distance(same.X, s.X, math.Inf(1)) > 1e-12 || floats.Distance(d.W, e.W, math.Inf(1)) > 1e-10 || math.Abs(d.Beta-e.Beta) > 1e-10 {
							t.Errorf("seed %d: not what Solve makes", seed)
						}
					}
					if close(s, 2e-3) {
						continue
					}
					checked++
					for _, z := range s.Zero {
						if z {
							zeros++
						}
					}
					d, err := s.Gradient(g)
					if err != nil {
						t.Fatal(err)
					}
					check := func(what string, got float64, x func(h float64) []float64) {
						t.Helper()
						if want := linear(g, x); math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
							t.Errorf("seed %d: %s is %g, by differences %g", seed, what, got, want)
						}
					}
					for range 4 {
						i := r.IntN(len(w))
						check(fmt.Sprintf("dW[%d,%d]", i/n, i%n), d.W[i], func(h float64) []float64 {
							moved, q := append([]float64(nil), w...), p
							moved[i] += h
							q.Operator = operator(t, k, n, moved)
							return solution(q, y).X
						})
					}
					check("dbeta", d.Beta, func(h float64) []float64 { q := p; q.Beta += h; return solution(q, y).X })
					i := r.IntN(out)
					check("dy", d.Y[i], func(h float64) []float64 {
						moved := append([]float64(nil), y...)
						moved[i] += h
						return solution(p, moved).X
					})
				}
				if checked < 2 || zeros == 0 && !strings.Contains(name, "overlapping") {
					t.Errorf("%d problems are away from ties, with %d groups of 0", checked, zeros)
				}
			})
		}
	}
}

// linear is the derivative of g·x by central differences of fourth order.
func linear(g []float64, x func(h float64) []float64) float64 {
	const h = 1e-4
	between := func(h float64) float64 {
		d := x(h)
		floats.Sub(d, x(-h))
		return floats.Dot(g, d)
	}
	return (8*between(h) - between(2*h)) / (12 * h)
}

// close says whether a group is within a margin of the other side.
func close(r *Recovery, margin float64) bool {
	q := r.problem
	for g := range q.groups {
		if r.Zero[g] && q.norm(r.Dual, g) > q.Beta-margin || !r.Zero[g] && q.norm(r.z, g) < margin*5 {
			return true
		}
	}
	return false
}

func TestInverseEdges(t *testing.T) {
	const n = 6
	tv := operator(t, n-1, n, differences(n))
	y := []float64{0, 0.1, -0.1, 1, 1.1, 0.9}
	// β = 0 with a map that has an inverse is that inverse; β so large that only constants are left is their least squares.
	s, err := Inverse{Operator: tv, Map: blur(n)}.Solve(y, Config{})
	if err != nil {
		t.Fatal(err)
	}
	back := make([]float64, n)
	blur(n).Apply(back, s[0].X)
	if d := floats.Distance(back, y, math.Inf(1)); d > 1e-13 {
		t.Errorf("beta 0: off by %g", d)
	}
	if s, err = (Inverse{Operator: tv, Map: inpaint(n), Beta: 100}).Solve([]float64{1, 2, 3, 6}, Config{}); err != nil {
		t.Fatal(err)
	}
	if d := floats.Distance(s[0].X, []float64{3, 3, 3, 3, 3, 3}, math.Inf(1)); d > 1e-13 || len(s[0].Ties) > 0 {
		t.Errorf("constants: off by %g, ties %v", d, s[0].Ties)
	}
	for _, c := range []struct {
		p    Inverse
		y    []float64
		want string
	}{
		{Inverse{Operator: tv, Map: inpaint(n)}, y[:4], "no one solution"},
		{Inverse{Operator: operator(t, 1, n, []float64{1, -1, 0, 0, 0, 0}), Map: inpaint(n), Beta: 1}, y[:4], "no one solution"},
		{Inverse{Operator: tv, Beta: -1}, y, "beta is -1"},
		{Inverse{Beta: 1}, y, "no operator"},
		{Inverse{Operator: tv, Beta: 1, Map: inpaint(7)}, y[:5], "from length 7"},
		{Inverse{Operator: tv, Beta: 1, Map: &Map{In: n, Out: n, Apply: blur(n).Apply, Transpose: blur(n).Apply}}, y, "not the transpose"},
		{Inverse{Operator: tv, Beta: 1, Groups: [][]int{{0}, {9}}}, y, "group 1 has row 9"},
		{Inverse{Operator: tv, Beta: 1, Groups: [][]int{{0}, {}}}, y, "group 1 has no rows"},
		{Inverse{Operator: tv, Beta: 1}, []float64{0, 0, math.NaN(), 0, 0, 0}, "element 2 is NaN"},
		{Inverse{Operator: tv, Beta: 1}, y[:5], "no measurements of length 6"},
	} {
		if _, err := c.p.Solve(c.y, Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want ...%s...", err, c.want)
		}
	}
	if _, err := NewMap(1, 2, []float64{1, math.Inf(1)}); err == nil {
		t.Error("a map of infinite numbers is taken")
	}
	if _, err := (Inverse{Operator: tv, Map: inpaint(n)}).Solve(y[:4], Config{}); !errors.Is(err, errNotUnique) {
		t.Error(err)
	}
}
