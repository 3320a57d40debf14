package bilevel

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func operator(t testing.TB, k, n int, w []float64) *Operator {
	t.Helper()
	o, err := NewOperator(k, n, w)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func solve[T Float](t testing.TB, o *Operator, beta float64, y []T, c Config) *Solution[T] {
	t.Helper()
	s, err := Solve(o, beta, y, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every kind of degenerate problem has its exact answer, by every method.
func TestDegenerate(t *testing.T) {
	tv := operator(t, 5, 6, differences(6))
	y := []float64{0, 0.1, -0.1, 1, 1.1, 0.9}
	r := rand.New(rand.NewPCG(4, 4))
	square := operator(t, 6, 6, normals(r, 36))
	centred := make([]float64, 36)
	for i := range 6 {
		for j := range 6 {
			centred[i*6+j] = -1.0 / 6
		}
		centred[i*7] += 1
	}
	row := []float64{1, -1, 0, 0, 0, 0}
	scaled := func(by ...float64) *Operator {
		var w []float64
		for _, b := range by {
			for _, v := range row {
				w = append(w, b*v)
			}
		}
		return operator(t, len(by), 6, w)
	}
	apart := []float64{1, 0, 3, 4, 5, 6} // rows like row have product 1 with it, and norm √2
	for _, c := range []struct {
		name    string
		o       *Operator
		beta    float64
		y, want []float64
		pattern []int8
	}{
		{"beta 0", tv, 0, y, y, []int8{1, -1, 1, 1, -1}},
		{"staircase", tv, 0.3, y, []float64{0.1, 0.1, 0.1, 0.9, 0.9, 0.9}, []int8{0, 0, 1, 0, 0}},
		{"constant", tv, 100, y, slices.Repeat([]float64{0.5}, 6), make([]int8, 5)},
		{"zero", square, 1e3, y, make([]float64, 6), make([]int8, 6)},
		{"no rows", operator(t, 0, 6, nil), 1, y, y, nil},
		{"rows of zeros", operator(t, 3, 6, make([]float64, 18)), 1, y, y, make([]int8, 3)},
		{"signal of zeros", square, 0.5, make([]float64, 6), make([]float64, 6), make([]int8, 6)},
		{"twice, signed", scaled(1, 1), 0.1, apart, []float64{0.8, 0.2, 3, 4, 5, 6}, []int8{1, 1}},
		{"twice, zero", scaled(1, 1), 0.3, apart, []float64{0.5, 0.5, 3, 4, 5, 6}, []int8{0, 0}},
		{"and negated, zero", scaled(1, -1), 0.3, apart, []float64{0.5, 0.5, 3, 4, 5, 6}, []int8{0, 0}},
		// The multipliers of least norm are 0.1 and 0.2 there, which is not what the bound allows at 0.18.
		{"and doubled, zero", scaled(1, 2), 0.18, apart, []float64{0.5, 0.5, 3, 4, 5, 6}, []int8{0, 0}},
		{"and a row of zeros", scaled(1, 0, 1), 0.1, apart, []float64{0.8, 0.2, 3, 4, 5, 6}, []int8{1, 0, 1}},
		{"dependent rows", operator(t, 6, 6, centred), 1, y, slices.Repeat([]float64{0.5}, 6), make([]int8, 6)},
	} {
		for m := range methodNames {
			for _, plain := range []bool{false, true} {
				config := Config{Method: Method(m), Plain: plain, Tolerance: 1e-13}
				s := solve(t, c.o, c.beta, c.y, config)
				if d := floats.Distance(s.X, c.want, math.Inf(1)); d > 1e-6 || !plain && d > 1e-14 {
					t.Errorf("%s, %v, plain %t: differs by %g", c.name, Method(m), plain, d)
				}
				if !slices.Equal(s.Pattern, c.pattern) || len(s.Ties) > 0 {
					t.Errorf("%s, %v, plain %t: pattern %v, want %v; ties %v", c.name, Method(m), plain, s.Pattern, c.pattern, s.Ties)
				}
				d, err := s.Gradient(c.want)
				if err != nil {
					t.Fatal(err)
				}
				if c.beta == 0 && floats.Norm(d.W, 2) != 0 {
					t.Errorf("%s: gradient %v, want 0", c.name, d.W)
				}
				for _, v := range append(d.W, d.Beta) {
					if v-v != 0 {
						t.Errorf("%s: gradient %g", c.name, v)
					}
				}
			}
		}
	}
}

// A row that is at its bound with a product of 0 is a tie, and said to be one; so is a product of 0 at β = 0.
func TestTies(t *testing.T) {
	o := operator(t, 1, 2, []float64{1, -1})
	for _, c := range []struct{ beta, up float64 }{{0.5, 1}, {0, 0}} {
		s := solve(t, o, c.beta, []float64{c.up, 0, 3, 0}, Config{})
		if len(s.Ties) != 1 || s.Ties[0].Sample != 0 || s.Ties[0].Row != 0 || s.Pattern[1] != 1 {
			t.Errorf("beta %g: ties %v, pattern %v", c.beta, s.Ties, s.Pattern)
		}
	}
	// Just off it, on either side, it is decided.
	for _, c := range []struct {
		up   float64
		want int8
	}{{1 - 1e-5, 0}, {1 + 1e-5, 1}} {
		s := solve(t, o, 0.5, []float64{c.up, 0}, Config{})
		if len(s.Ties) != 0 || s.Pattern[0] != c.want {
			t.Errorf("%g: ties %v, pattern %v", c.up, s.Ties, s.Pattern)
		}
	}
}

func TestRefusals(t *testing.T) {
	tv := operator(t, 5, 6, differences(6))
	y := make([]float64, 6)
	nan := append(make([]float64, 7), math.NaN(), 0, 0, 0, 0)
	for _, c := range []struct {
		what, want string
		run        func() error
	}{
		{"nan in y", "sample 1, element 1 is NaN", func() error { _, err := Solve(tv, 1, nan, Config{}, nil); return err }},
		{"huge y", "sample 0: ½|y|² is no number of its type", func() error {
			_, err := Solve(tv, 1, []float64{1e200, 0, 0, 0, 0, 0}, Config{}, nil)
			return err
		}},
		{"length", "no signals of length 6", func() error { _, err := Solve(tv, 1, y[:5], Config{}, nil); return err }},
		{"beta", "beta is -1", func() error { _, err := Solve(tv, -1, y, Config{}, nil); return err }},
		{"beta", "beta is NaN", func() error { _, err := Solve(tv, math.NaN(), y, Config{}, nil); return err }},
		{"start", "start of 3 numbers", func() error { _, err := Solve(tv, 1, y, Config{}, y[:3]); return err }},
		{"tolerance", "tolerance -1", func() error { _, err := Solve(tv, 1, y, Config{Tolerance: -1}, nil); return err }},
		{"method", "method 7", func() error { _, err := Solve(tv, 1, y, Config{Method: 7}, nil); return err }},
		{"operator", "row 0, column 1 is +Inf", func() error { _, err := NewOperator(1, 2, []float64{0, math.Inf(1)}); return err }},
		{"operator", "2 numbers for 2 rows by 2 columns", func() error { _, err := NewOperator(2, 2, y[:2]); return err }},
		{"operator", "row 0 has norm", func() error { _, err := NewOperator(1, 1, []float64{1e200}); return err }},
		{"cotangent", "5 numbers for 1 solutions", func() error { _, err := solve(t, tv, 1, y, Config{}).Gradient(y[:5]); return err }},
		{"name", `method "newton"`, func() error { _, err := ParseMethod("newton"); return err }},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ...%s...", c.what, err, c.want)
		}
	}
}

// Iterations alone arrive at the gap that was asked for, and say so where they do not.
func TestPlainMethods(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const k, n, samples = 20, 16, 7
	w, y := normals(r, k*n), normals(r, samples*n)
	o := operator(t, k, n, w)
	for m := range methodNames {
		s := solve(t, o, 0.1, y, Config{Method: Method(m), Plain: true, Tolerance: 1e-12, Iterations: 50_000})
		for i := range samples {
			_, x := exact(mat.NewDense(k, n, w), 0.1, y[i*n:(i+1)*n])
			// ½|x-x*|² is no more than the gap.
			if d := floats.Distance(x, s.X[i*n:(i+1)*n], 2); s.Gap[i] > 1e-10 || d*d/2 > s.Gap[i]+1e-24 {
				t.Errorf("%v, sample %d: gap %g, distance %g", Method(m), i, s.Gap[i], d)
			}
		}
		if len(s.Open) > 0 {
			t.Errorf("%v: samples %v are open", Method(m), s.Open)
		}
		t.Logf("%v: iterations %v", Method(m), s.Iterations)
		cut := solve(t, o, 0.1, y, Config{Method: Method(m), Plain: true, Iterations: 3})
		if len(cut.Open) != samples || cut.Gap[0] < 1e-10 || cut.Iterations[0] != 3 {
			t.Errorf("%v cut off: open %v, gap %g, iterations %v", Method(m), cut.Open, cut.Gap[0], cut.Iterations)
		}
		warm, err := Solve(o, 0.1, y, Config{Method: Method(m), Plain: true, Tolerance: 1e-11}, s.Dual)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Max(warm.Iterations) != 0 {
			t.Errorf("%v: warm start took %v", Method(m), warm.Iterations)
		}
	}
}

func TestFloat32(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	const k, n, samples = 15, 16, 9
	o := operator(t, k, n, normals(r, k*n))
	y := normals(r, samples*n)
	single := convert[float32](y)
	want := solve(t, o, 0.2, convert[float64](single), Config{})
	for m := range methodNames {
		for _, plain := range []bool{false, true} {
			s := solve(t, o, 0.2, single, Config{Method: Method(m), Plain: plain})
			d := floats.Distance(convert[float64](s.X), want.X, math.Inf(1))
			if d > 1e-2 || !plain && d > 1e-6 || len(s.Open) > 0 {
				t.Errorf("%v, plain %t: differs by %g", Method(m), plain, d)
			}
			if !plain && !slices.Equal(s.Pattern, want.Pattern) {
				t.Errorf("%v: other pattern", Method(m))
			}
		}
	}
}

func TestSpectralBound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, size := range [][2]int{{1, 1}, {5, 9}, {9, 5}, {40, 40}, {63, 64}} {
		w := normals(r, size[0]*size[1])
		if size[0] == size[1]-1 {
			w = differences(size[1])
		}
		var svd mat.SVD
		svd.Factorize(mat.NewDense(size[0], size[1], w), mat.SVDNone)
		values := svd.Values(nil)
		o := operator(t, size[0], size[1], w)
		if b := o.SpectralBound(); b < values[0] || b > 1.1*values[0] {
			t.Errorf("%v: bound %g of %g", size, b, values[0])
		}
		least := o.smallest()
		if last := values[len(values)-1]; least > last || size[0] <= size[1] && least < last/2 || size[0] > size[1] && least != 0 {
			t.Errorf("%v: lower bound %g of %g", size, least, last)
		}
	}
}
