package pacbayes

import (
	"math"
	"math/rand/v2"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// point is a random [w; p; b] with its w0, in float64.
func point(t *testing.T, l *layout, seed uint64) (trained, initial []float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	d := int(l.weights.Len())
	for range d {
		initial = append(initial, 0.1*r.NormFloat64())
	}
	for i := range d {
		trained = append(trained, initial[i]+0.05*r.NormFloat64())
	}
	for range d {
		trained = append(trained, -3+0.3*r.NormFloat64())
	}
	for range l.groups {
		trained = append(trained, -3.2+0.3*r.NormFloat64())
	}
	return trained, initial
}

func value(bound Bound, l *layout, trained, initial []float64) float64 {
	d := len(initial)
	b := trained[2*d:]
	return bound.Value(KL(trained[:d], initial, trained[d:2*d], b, l.groups), bound.K.At(scale(b)))
}

// TestGradient holds every gradient of the bound against central differences, with gamma free, and clipped at either end.
func TestGradient(t *testing.T) {
	parameters := []*onnx.Value{{Name: "a", Type: onnx.TypeOf(onnx.Float, 3, 4)}, {Name: "b", Type: onnx.TypeOf(onnx.Float, 4)}, {Name: "c", Type: onnx.TypeOf(onnx.Float, 4, 2)}}
	curve, err := NewCurve([]float64{0.01, 0.02, 0.05, 0.3}, []float64{0.1, 0.15, 0.14, 0.9})
	if err != nil {
		t.Fatal(err)
	}
	for _, prior := range []Prior{Layer, Scalar} {
		for name, gamma := range map[string][2]float64{"free": {1e-3, 1e3}, "low": {20, 30}, "high": {0.01, 0.02}} {
			t.Run(string(prior)+"/"+name, func(t *testing.T) {
				l, err := newLayout(parameters, prior)
				if err != nil {
					t.Fatal(err)
				}
				bound := Bound{Samples: 50, Constant: 19, Low: gamma[0], High: gamma[1], K: curve}
				if err := bound.Check(); err != nil {
					t.Fatal(err)
				}
				trained, initial := point(t, l, 7)
				g := onnx.NewGraph("bound")
				b := op.NewBuilder(g)
				x := g.AddInput("trained", onnx.TypeOf(onnx.Double, int64(len(trained))))
				y := l.gradient(b, bound, x, g.AddInput("initial", onnx.TypeOf(onnx.Double, int64(len(initial)))))
				if b.Err() != nil {
					t.Fatal(b.Err())
				}
				g.AddOutput(y, "gradient")
				session := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, runtime.Options{})
				out, err := session.Run(t.Context(), map[string]*onnx.Tensor{"trained": onnx.FromSlice(trained), "initial": onnx.FromSlice(initial)})
				if err != nil {
					t.Fatal(err)
				}
				got := onnx.Read[float64](out["gradient"])
				if len(got) != len(trained) {
					t.Fatalf("%d elements, want %d", len(got), len(trained))
				}
				worst := 0.0
				for i := range trained {
					const h = 1e-5
					at := func(by float64) float64 {
						moved := append([]float64{}, trained...)
						moved[i] += by
						return value(bound, l, moved, initial)
					}
					want := (at(h) - at(-h)) / (2 * h)
					worst = max(worst, math.Abs(got[i]-want)/max(1, math.Abs(want)))
				}
				t.Logf("largest difference %.2g", worst)
				if worst > 1e-6 {
					t.Errorf("largest difference %g", worst)
				}
			})
		}
	}
}

// TestGamma: gamma is where the bound is smallest, or the end of its range that is nearest.
func TestGamma(t *testing.T) {
	curve, err := NewCurve([]float64{0.1}, []float64{0.4})
	if err != nil {
		t.Fatal(err)
	}
	b := Bound{Samples: 200, Constant: 22, Low: 0.5, High: 10, K: curve}
	at := func(kl, k, g float64) float64 { return 1.5*k*k*g + (kl+b.Constant)/(200*g) }
	for _, kl := range []float64{0, 10, 1e3, 1e6} {
		for _, k := range []float64{0.05, 0.4, 3} {
			best, least := 0.0, math.Inf(1)
			for g := 0.5; g <= 10; g += 1e-3 {
				if v := at(kl, k, g); v < least {
					best, least = g, v
				}
			}
			if g := b.Gamma(kl, k); math.Abs(g-best) > 2e-3 || b.Value(kl, k) > least+1e-12 {
				t.Errorf("KL %g, K %g: gamma %g with %g, want %g with %g", kl, k, g, b.Value(kl, k), best, least)
			}
		}
	}
}

// TestKL holds the divergence against the closed form of each element, and against an integral.
func TestKL(t *testing.T) {
	w, w0, p, b := []float64{0.3, -0.2, 1}, []float64{0.1, 0.1, 1}, []float64{-1, -2, 0.5}, []float64{-1.5, 0.2}
	groups := []int64{2, 1}
	want, integral := 0.0, 0.0
	for i := range w {
		scale := b[min(i/2, 1)]
		s, l := math.Exp(p[i]), math.Exp(scale)
		want += math.Log(l/s) + (s*s+(w[i]-w0[i])*(w[i]-w0[i]))/(2*l*l) - 0.5
		const h = 1e-3
		for z := -12.0; z <= 12; z += h {
			q := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
			x := w[i] + s*z
			logs := -z*z/2 - math.Log(s) + (x-w0[i])*(x-w0[i])/(2*l*l) + math.Log(l)
			integral += h * q * logs
		}
	}
	got := KL(w, w0, p, b, groups)
	if math.Abs(got-want) > 1e-12 || math.Abs(got-integral) > 1e-6 {
		t.Errorf("%v, want %v, by integration %v", got, want, integral)
	}
	if same := KL([]float32{1, 2}, []float32{1, 2}, []float32{-3, -3}, []float32{-3}, []int64{2}); same != 0 {
		t.Errorf("of the same distribution %g", same)
	}
}

func TestCurve(t *testing.T) {
	c, err := NewCurve([]float64{1, 2, 4}, []float64{3, 2, 5})
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for x, want := range map[float64]float64{0.5: 3, 1: 3, 1.5: 3, 2: 3, 3: 4, 4: 5, 6: 7} {
		if got := c.At(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("K(%g) is %g, want %g", x, got, want)
		}
	}
	for x := 0.0; x < 8; x += 0.01 {
		if k := c.At(x); k < last {
			t.Fatalf("K falls at %g", x)
		} else {
			last = k
		}
	}
	for _, bad := range [][2][]float64{{{1, 1}, {1, 2}}, {{1}, {0}}, {{1}, {math.NaN()}}, {{0}, {1}}, {nil, nil}, {{1, 2}, {1}}} {
		if _, err := NewCurve(bad[0], bad[1]); err == nil {
			t.Errorf("%v", bad)
		}
	}
}
