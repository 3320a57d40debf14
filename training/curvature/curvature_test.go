package curvature

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// matrix is a symmetric matrix of the given eigenvalues in a random frame.
func matrix(eigenvalues []float64, seed uint64) *mat.SymDense {
	n := len(eigenvalues)
	frame, q := mat.NewDense(n, n, random(n*n, seed)), &mat.Dense{}
	var qr mat.QR
	qr.Factorize(frame)
	qr.QTo(q)
	m := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			sum := 0.0
			for k, e := range eigenvalues {
				sum += q.At(i, k) * e * q.At(j, k)
			}
			m.SetSym(i, j, sum)
		}
	}
	return m
}

func productOf(m *mat.SymDense) Product {
	return func(v []float64) ([]float64, error) {
		var w mat.VecDense
		w.MulVec(m, mat.NewVecDense(len(v), v))
		return w.RawVector().Data, nil
	}
}

// The ends are those of the dense matrix, within the errors that are told.
func TestLanczos(t *testing.T) {
	spectrum := func(n int, f func(i int) float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	for name, values := range map[string][]float64{
		"one":        {3},
		"few":        {5, 1, -2},
		"low rank":   spectrum(60, func(i int) float64 { return max(0, float64(4-i)) }),
		"indefinite": spectrum(80, func(i int) float64 { return 40 - float64(i) }),
		"decaying":   spectrum(100, func(i int) float64 { return 100 / float64(1+i*i) }),
		"clustered":  spectrum(70, func(i int) float64 { return 1 + 1e-3*float64(i%5) }),
		"negative":   {-1, -2, -7},
		"zero":       make([]float64, 10),
	} {
		largest, smallest := math.Inf(-1), math.Inf(1)
		for _, v := range values {
			largest, smallest = max(largest, v), min(smallest, v)
		}
		ends, err := Lanczos(len(values), productOf(matrix(values, 3)), LanczosConfig{Tolerance: 1e-6, Seed: 1})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%s: %.6f within %.1g after %d products, smallest %.4f", name, ends.Largest, ends.LargestError, ends.Products, ends.Smallest)
		if !ends.Converged || math.Abs(ends.Largest-largest) > ends.LargestError+1e-10 || math.Abs(ends.Largest-largest) > 1e-5*max(1, math.Abs(largest)) {
			t.Errorf("%s: %+v, the largest is %g", name, *ends, largest)
		}
		if ends.Smallest < smallest-1e-9 {
			t.Errorf("%s: the smallest is told as %g, it is %g", name, ends.Smallest, smallest)
		}
	}
}

// Without room for earlier vectors the end is the same; and too few products say so.
func TestLanczosForgets(t *testing.T) {
	values := make([]float64, 200)
	for i := range values {
		values[i] = math.Pow(0.9, float64(i))
	}
	p := productOf(matrix(values, 5))
	ends, err := Lanczos(200, p, LanczosConfig{Stored: 1, Tolerance: 1e-6})
	if err != nil {
		t.Fatal(err)
	}
	if !ends.Converged || math.Abs(ends.Largest-1) > 1e-6 {
		t.Errorf("%+v, want 1", *ends)
	}
	if ends, err = Lanczos(200, p, LanczosConfig{Most: 3}); err != nil || ends.Converged || ends.Products != 3 || ends.LargestError < 0.01 {
		t.Errorf("after 3 products: %+v, %v", ends, err)
	}
}

// Trace and Frobenius norm within four standard errors, which fall with the root of the probes.
func TestHutchinson(t *testing.T) {
	values := make([]float64, 50)
	trace, squares := 0.0, 0.0
	for i := range values {
		values[i] = 10*math.Exp(-float64(i)/8) - 0.3
		trace, squares = trace+values[i], squares+values[i]*values[i]
	}
	p := productOf(matrix(values, 9))
	few, err := Hutchinson(50, p, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	many, err := Hutchinson(50, p, 2000, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Sums{few, many} {
		t.Logf("%d probes: trace %.3f ± %.3f of %.3f, norm %.3f ± %.3f of %.3f", s.Probes, s.Trace.Mean, s.Trace.SE, trace, s.Frobenius.Mean, s.Frobenius.SE, math.Sqrt(squares))
		if math.Abs(s.Trace.Mean-trace) > 4*s.Trace.SE || math.Abs(s.Frobenius.Mean-math.Sqrt(squares)) > 4*s.Frobenius.SE {
			t.Errorf("%d probes: %+v", s.Probes, *s)
		}
	}
	if ratio := few.Trace.SE / many.Trace.SE; ratio < 5 || ratio > 20 {
		t.Errorf("100 times the probes make the standard error %.2f times smaller, want about 10", ratio)
	}
}

func TestRefuses(t *testing.T) {
	nan := func(v []float64) ([]float64, error) { return []float64{math.NaN()}, nil }
	short := func(v []float64) ([]float64, error) { return nil, nil }
	told := errors.New("told")
	for _, p := range []Product{nan, short, func([]float64) ([]float64, error) { return nil, told }} {
		if _, err := Lanczos(1, p, LanczosConfig{}); err == nil {
			t.Error("lanczos takes it")
		}
		if _, err := Hutchinson(1, p, 2, 0); err == nil {
			t.Error("hutchinson takes it")
		}
	}
	one := func(v []float64) ([]float64, error) { return v, nil }
	if _, err := Lanczos(0, one, LanczosConfig{}); err == nil {
		t.Error("a matrix without rows is taken")
	}
	if _, err := Lanczos(1, one, LanczosConfig{Tolerance: -1}); err == nil {
		t.Error("a negative tolerance is taken")
	}
	if _, err := Hutchinson(1, one, 1, 0); err == nil {
		t.Error("one probe is taken")
	}
}
