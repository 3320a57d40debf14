package pacbayes

import (
	"math"
	"testing"
)

// TestKLInverse: the inverse is where the divergence is c, from above, and 1 where nothing bounds.
func TestKLInverse(t *testing.T) {
	for _, q := range []float64{0, 1e-6, 0.02, 0.3, 0.5, 0.97} {
		for _, c := range []float64{0, 1e-8, 0.01, 0.3, 2} {
			p := KLInverse(q, c)
			if p < q || p > 1 || p < 1 && binaryKL(q, p) < c-1e-12 {
				t.Errorf("KLInverse(%g, %g) = %v, whose divergence is %v", q, c, p, binaryKL(q, p))
			}
			if beyond := p - 1e-8; beyond > q && binaryKL(q, beyond) > c+1e-15 {
				t.Errorf("KLInverse(%g, %g) = %v is too large", q, c, p)
			}
		}
	}
	// kl(0, p) = -log(1-p)
	if p, want := KLInverse(0, 0.1), 1-math.Exp(-0.1); math.Abs(p-want) > 1e-12 {
		t.Errorf("%v, want %v", p, want)
	}
	if KLInverse(0.1, math.Inf(1)) != 1 || KLInverse(1, 0) != 1 {
		t.Error("of a bound that says nothing")
	}
}

// TestBounds holds the bounds against numbers worked out by hand, and against each other.
func TestBounds(t *testing.T) {
	c := Certificate{Samples: 60000, Classes: 10, KL: 5000, Union: 50, Delta: 0.05, DeltaDraws: 0.01, Draws: 100, Errors: 600_000}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	cost := 5050 + math.Log(2*math.Sqrt(60000)/0.04)
	if math.Abs(c.Risk-0.1) > 1e-15 || math.Abs(binaryKL(0.1, c.RiskBound)-math.Log(200)/100) > 1e-12 || math.Abs(binaryKL(c.RiskBound, c.Value)-cost/60000) > 1e-12 {
		t.Errorf("risk %g at most %g, certificate %g", c.Risk, c.RiskBound, c.Value)
	}
	if want := c.RiskBound + math.Sqrt(cost/120000); math.Abs(c.McAllester-want) > 1e-12 {
		t.Errorf("McAllester %g, want %g", c.McAllester, want)
	}
	half := cost / 120000
	if want := math.Pow(math.Sqrt(c.RiskBound+half)+math.Sqrt(half), 2); math.Abs(c.Quadratic-want) > 1e-12 {
		t.Errorf("quadratic %g, want %g", c.Quadratic, want)
	}
	if c.Value > c.McAllester || c.Value > c.Quadratic || c.Catoni < c.RiskBound || c.Catoni > c.Value+0.02 {
		t.Errorf("certificate %g, McAllester %g, quadratic %g, Catoni %g", c.Value, c.McAllester, c.Quadratic, c.Catoni)
	}
	if !c.NonVacuous || math.Abs(c.Trivial-0.9) > 1e-15 {
		t.Error("guessing is better")
	}
	for name, of := range map[string]func(*Certificate){
		"delta 0": func(c *Certificate) { c.Delta = 0 }, "delta 1": func(c *Certificate) { c.Delta = 1 }, "delta NaN": func(c *Certificate) { c.Delta = math.NaN() },
		"all delta for the draws": func(c *Certificate) { c.DeltaDraws = 0.05 }, "none": func(c *Certificate) { c.DeltaDraws = 0 },
		"block -1": func(c *Certificate) { c.Block = -1 }, "few samples": func(c *Certificate) { c.Samples = 7 }, "no draws": func(c *Certificate) { c.Draws = 0 }, "KL": func(c *Certificate) { c.KL = math.NaN() },
	} {
		bad := c
		of(&bad)
		if bad.complete() == nil {
			t.Errorf("%s passes", name)
		}
	}
	// 1,000 samples in blocks of 400: three of them, which have room for 1,200.
	blocks := Certificate{Samples: 1000, Classes: 10, KL: 1, Delta: 0.05, DeltaDraws: 0.01, Draws: 30, Block: 400, Errors: 3000}
	if err := blocks.complete(); err != nil || blocks.Networks != 90 || math.Abs(blocks.Risk-0.1) > 1e-15 ||
		math.Abs(binaryKL(0.1/1.2, blocks.RiskBound/1.2)-math.Log(200)/90) > 1e-12 {
		t.Errorf("%+v, %v", blocks, err)
	}
	whole := blocks
	whole.Block = 0
	if err := whole.complete(); err != nil || whole.Networks != 30 || whole.RiskBound <= blocks.RiskBound {
		t.Errorf("%+v, %v", whole, err)
	}
	vacuous := c
	vacuous.KL = 1e9
	if err := vacuous.complete(); err != nil || vacuous.NonVacuous || vacuous.Value > 1 || vacuous.McAllester != 1 {
		t.Errorf("%+v, %v", vacuous, err)
	}
}

// TestCoverage: on coins whose faces are known, more than 1 - delta of the bounds hold.
func TestCoverage(t *testing.T) {
	const n, truth = 40, 0.3
	c := math.Log(2*math.Sqrt(n)/0.1) / n
	fail, p := 0.0, math.Pow(1-truth, n) // of k = 0
	for k := range n + 1 {
		if KLInverse(float64(k)/n, c) < truth {
			fail += p
		}
		p *= float64(n-k) / float64(k+1) * truth / (1 - truth)
	}
	t.Logf("fails with probability %.4f", fail)
	if fail > 0.1 {
		t.Errorf("fails with probability %g", fail)
	}
}

// TestScaleGrid: the scales of the grid have the least divergence of all its points.
func TestScaleGrid(t *testing.T) {
	g := ScaleGrid{Low: -4, Step: 0.25, Points: 13}
	w, w0, sigma := []float32{0.3, -0.1, 0.2, 5}, []float32{0.1, 0.1, 0.1, 0}, []float32{0.05, 0.1, 0.02, 1e-3}
	groups := []int64{3, 1}
	got := g.fit(w, w0, sigma, groups)
	logs := make([]float64, len(sigma))
	for i, s := range sigma {
		logs[i] = math.Log(float64(s))
	}
	least := KL(w, w0, logs, got, groups)
	for i := range g.Points {
		for j := range g.Points {
			if kl := KL(w, w0, logs, []float64{g.At(i), g.At(j)}, groups); kl < least-1e-9 {
				t.Errorf("%v has %g, %v has %g", got, least, []float64{g.At(i), g.At(j)}, kl)
			}
		}
	}
	for _, b := range got {
		if !g.On(b) {
			t.Errorf("%g is not on the grid", b)
		}
	}
	if g.On(-4.25) || g.On(-3.9) || !g.On(-1) || g.On(math.NaN()) || g.Union(2) != 2*math.Log(13) {
		t.Error("what is on the grid")
	}
}
