package pacbayes

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSmallestK: with K the moments are bounded, with less they are not; losses of normal distribution with deviation s have
// s/sqrt(3), and a loss so large that exp overflows is borne.
func TestSmallestK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	losses := make([]float64, 100_000)
	mu := 0.0
	for i := range losses {
		losses[i] = 2 + 0.3*r.NormFloat64()
		mu += losses[i] / float64(len(losses))
	}
	at := gammas(0.5, 3)
	k := smallestK(losses, at)
	if math.Abs(k-0.3/math.Sqrt(3)) > 0.003 {
		t.Errorf("K is %g, want %g", k, 0.3/math.Sqrt(3))
	}
	holds := func(k float64) bool {
		for _, g := range at {
			sum := 0.0
			for _, l := range losses {
				sum += math.Exp(g * (mu - l))
			}
			if sum/float64(len(losses)) > math.Exp(1.5*g*g*k*k) {
				return false
			}
		}
		return true
	}
	if !holds(k*(1+1e-9)) || holds(k*(1-1e-6)) {
		t.Errorf("K = %g is not the least", k)
	}
	if k := smallestK([]float64{0, 1e5}, at); math.IsInf(k, 0) || math.IsNaN(k) || k < 1 {
		t.Errorf("K of large losses is %g", k)
	}
	if at[0] != 0.5 || math.Abs(at[9]-3) > 1e-12 || len(at) != 10 {
		t.Errorf("gamma at %v", at)
	}
}

func TestGrid(t *testing.T) {
	scales, err := Grid{}.Scales()
	if err != nil || len(scales) != 8 || scales[0] != math.Exp(-6) || scales[7] != math.Exp(-2.5) {
		t.Fatalf("%v, %v", scales, err)
	}
	for name, g := range map[string]Grid{"overflows": {Low: -6, High: 800}, "leaves float32": {Low: -6, High: 89}, "underflows": {Low: -200, High: -2}, "falls": {Low: -2, High: -6}, "empty": {Points: -1}} {
		_, err := g.Scales()
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		t.Log(err)
		if strings.Contains(name, "flow") && !strings.Contains(err.Error(), "float32") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFall: rates are whole over the first half of stage 1, and otherwise fall to almost nothing in the last step.
func TestFall(t *testing.T) {
	for _, c := range []struct {
		stage int
		step  int64
		want  float64
	}{{1, 1, 1}, {1, 51, 1}, {1, 76, 0.5}, {1, 100, 0.02}, {2, 1, 0.5}, {2, 51, 0.25}, {2, 100, 0.005}} {
		if got := fall(c.stage, c.step, 100); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("stage %d, step %d of 100: %g, want %g", c.stage, c.step, got, c.want)
		}
	}
}
