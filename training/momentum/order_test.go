package momentum

import (
	"math"
	"testing"

	"graft/runtime/runtimetest"
)

func orders(t *testing.T) *Orders {
	t.Helper()
	o, err := NewOrders(Planes[0], runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// The distance to the flow of the modified loss falls with the square of the step where descent and flow begin alike, and with the
// step itself where they do not, or where the flow lacks the modification.
func TestOrders(t *testing.T) {
	o := orders(t)
	rates := []float64{5e-4, 2.5e-4, 1.25e-4, 6.25e-5}
	for _, s := range Setups {
		for _, beta := range []float64{0.5, 0.8} {
			var errs []float64
			for _, rate := range rates {
				d, err := o.Distance(t.Context(), s, Heavy{Rate: rate, Beta: beta}, OrderStart, OrderTime)
				if err != nil {
					t.Fatal(err)
				}
				errs = append(errs, d)
			}
			slope := Slope(rates, errs)
			t.Logf("%s, beta %g: %.2g, slope %.3f", s.Name, beta, errs, slope)
			if math.Abs(slope-float64(s.Order)) > 0.1 {
				t.Errorf("%s, beta %g: the distance falls with order %.3f, want %d", s.Name, beta, slope, s.Order)
			}
		}
	}
}

// The distances of steps that others have published numbers for.
func TestDistances(t *testing.T) {
	o := orders(t)
	for name, want := range map[string][]float64{"piecewise": {1.1e-2, 3.0e-3, 8.0e-4, 2.1e-4}, "preloaded": {8.6e-3, 2.2e-3, 5.5e-4, 1.4e-4}} {
		s, err := FindSetup(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, rate := range []float64{4e-3, 2e-3, 1e-3, 5e-4} {
			got, err := o.Distance(t.Context(), s, Heavy{Rate: rate, Beta: 0.5}, OrderStart, OrderTime)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got-want[i]) > 0.05*want[i] {
				t.Errorf("%s at %g: %.3g, want %.2g", name, rate, got, want[i])
			}
		}
	}
}

// What momentum adds to the modified loss, put into the loss by hand, leads to where momentum leads; with β = 0.9 only once the
// step is small enough for the expansion.
func TestExplicit(t *testing.T) {
	for _, c := range []struct{ beta, rate, time, most, least float64 }{
		{0.5, 1e-2, 20, 0.002, 0},
		{0.9, 1e-2, 20, 0.77, 0.73}, // outside the expansion
		{0.9, 1e-3, 8, 0.02, 0},
		{0.9, 2.5e-4, 8, 0.002, 0},
	} {
		h := Heavy{Rate: c.rate, Beta: c.beta}
		if e := h.Explicit(); math.Abs(e.Penalty-c.rate*c.beta/(2*(1-c.beta))) > 1e-15 || e.Beta != 0 || e.Step() != c.rate {
			t.Errorf("the explicit regulariser of %+v is %+v", h, e)
		}
		w := walk(t, Planes[0], h, h.Explicit())
		if err := w.Go(t.Context(), int64(c.time/c.rate)); err != nil {
			t.Fatal(err)
		}
		gap := math.Abs(norm2(w.At(0)) - norm2(w.At(1)))
		t.Logf("beta %g at %g: |w|² %.4f and %.4f, apart by %.5f", c.beta, c.rate, norm2(w.At(0)), norm2(w.At(1)), gap)
		if gap > c.most || gap < c.least {
			t.Errorf("beta %g at %g: the ends are %.5f apart, want %g to %g", c.beta, c.rate, gap, c.least, c.most)
		}
	}
}

// The transient's coefficients are those of the recursion that defines them, and go to the stationary flow's.
func TestTransient(t *testing.T) {
	h := Heavy{Rate: 0.01, Beta: 0.8}
	tr, d := NewTransient(h), 0.0
	s := func(n int) float64 { return (1 - math.Pow(h.Beta, float64(n+1))) / (1 - h.Beta) }
	for n := 0; !tr.Steady(); n++ {
		if n > 0 {
			d = h.Beta * (d + s(n-1)*s(n-1))
		}
		c := tr.Coefficients()
		if math.Abs(c.S-s(n)) > 1e-12 || math.Abs(c.C-h.Step()*(s(n)*s(n)/2+d)) > 1e-12 {
			t.Fatalf("interval %d: %+v", n, c)
		}
		if n > 1000 {
			t.Fatal("the coefficients do not settle")
		}
		tr.Next()
	}
	end, want := tr.Coefficients(), h.Stationary()
	if math.Abs(end.S-want.S) > 1e-12 || math.Abs(end.C-want.C) > 1e-12 {
		t.Errorf("the coefficients end at %+v, want %+v", end, want)
	}
	if m := h.Modified(); math.Abs(m-h.Step()*(1+h.Beta)/(4*(1-h.Beta)*(1-h.Beta))) > 1e-15 {
		t.Errorf("the modified loss has the coefficient %g", m)
	}
}

// A flow has reached the bottom where the descent of tiny steps does.
func TestFlowEnd(t *testing.T) {
	p := Planes[0]
	f, err := NewField(p, runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := Heavy{Rate: p.Rate}
	flow := NewFlow(t.Context(), f, h, h.Plain(), p.Start)
	if err := flow.Until(int64(p.Steps)); err != nil {
		t.Fatal(err)
	}
	at := flow.At()
	// The flow of w1 w2 keeps w1² - w2², and ends where w1 w2 is 0.6.
	if kept := p.Start[0]*p.Start[0] - p.Start[1]*p.Start[1]; math.Abs(at[0]*at[0]-at[1]*at[1]-kept) > 1e-7 || math.Abs(at[0]*at[1]-p.Y) > 1e-9 {
		t.Errorf("the flow ends at %v, w1² - w2² %.10f of %.10f", at, at[0]*at[0]-at[1]*at[1], kept)
	}
	if math.Abs(norm2(at)-3.909) > 5e-4 {
		t.Errorf("the flow ends with |w|² %.4f", norm2(at))
	}
}
