package bilevel

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

var problems = flag.Int("problems", 1000, "random problems that are solved exactly too")

// random is a problem of any kind: fewer rows than columns, as many, more; bounds from loose to tight.
func random(r *rand.Rand) (k, n int, w []float64, beta float64, y []float64) {
	n = 2 + r.IntN(12)
	k = 1 + r.IntN(2*n)
	w, y = normals(r, k*n), normals(r, n)
	if r.IntN(4) == 0 { // near total variation
		k = n - 1
		w = differences(n)
		for i := range w {
			w[i] += 0.05 * r.NormFloat64()
		}
	}
	return k, n, w, math.Exp(r.NormFloat64() - 1.5), y
}

// TestExactPattern holds solutions and patterns against the reference's. A pattern may differ in a row that is reported as a tie alone.
func TestExactPattern(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	ties, rows, worst, far := 0, 0, 0.0, 0.0
	for p := range *problems {
		k, n, w, beta, y := random(r)
		o, err := NewOperator(k, n, w)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Solve(o, beta, y, Config{Method: Method(p % 3)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Open) > 0 || s.Gap[0] > 1e-10 {
			t.Errorf("problem %d, %v, %d by %d: gap %g after %d iterations", p, Method(p%3), k, n, s.Gap[0], s.Iterations[0])
		}
		worst = math.Max(worst, s.Gap[0])
		_, x := exact(mat.NewDense(k, n, w), beta, y)
		if d := floats.Distance(x, s.X, math.Inf(1)); d > 1e-10 {
			t.Errorf("problem %d, %d by %d: solution differs by %g", p, k, n, d)
		} else {
			far = math.Max(far, d)
		}
		tied := map[int]bool{}
		for _, tie := range s.Ties {
			tied[tie.Row] = true
			if math.Abs(tie.Product) > 1e-5 || math.Abs(tie.Dual) < beta*(1-1e-5)-1e-5 {
				t.Errorf("problem %d, %d by %d: row %d is called a tie: product %g, dual %g of %g", p, k, n, tie.Row, tie.Product, tie.Dual, beta)
			}
		}
		ties += len(tied)
		rows += k
		for i, want := range exactPattern(mat.NewDense(k, n, w), x, 1e-9) {
			if s.Pattern[i] != want && !tied[i] {
				t.Errorf("problem %d, %d by %d, row %d: %d, exactly %d", p, k, n, i, s.Pattern[i], want)
			}
		}
	}
	t.Logf("%d problems, %d rows, %d near-ties, largest gap %.2g, largest difference of a solution %.2g", *problems, rows, ties, worst, far)
}
