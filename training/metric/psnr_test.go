package metric

import (
	"math"
	"testing"
)

func TestPSNR(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		a, b []float32
		mse  float64
		psnr float64
	}{
		{"equal", []float32{0.5, 0.25}, []float32{0.5, 0.25}, 0, inf},
		{"a tenth apart is 20 dB", []float32{0, 0, 1}, []float32{0.1, -0.1, 0.9}, 0.01, 20},
		{"whole range is 0 dB", []float32{0, 1}, []float32{1, 0}, 1, 0},
		{"nothing is clipped", []float32{0, 0}, []float32{2, -2}, 4, -6.020599913279624},
		{"one value of four", []float32{0, 0, 0, 0}, []float32{0.5, 0, 0, 0}, 0.0625, 12.041199826559248},
		{"lengths differ", []float32{1}, []float32{1, 2}, nan, nan},
		{"empty", nil, nil, nan, nan},
		{"not a number", []float32{float32(nan)}, []float32{0}, nan, nan},
		{"infinite", []float32{float32(inf)}, []float32{0}, inf, -inf},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := MSE(c.a, c.b); !near(got, c.mse, 1e-8) {
				t.Errorf("MSE = %v, want %v", got, c.mse)
			}
			if got := PSNR(c.a, c.b); !near(got, c.psnr, 1e-6) {
				t.Errorf("PSNR = %v, want %v", got, c.psnr)
			}
		})
	}
}

// Ten million small differences vanish in a float32 sum, not in a float64 one.
func TestMSESumsInFloat64(t *testing.T) {
	a := make([]float32, 10_000_000)
	b := make([]float32, len(a))
	for i := range b {
		b[i] = 1e-3
	}
	a[0] = 1000
	want := ((1000-1e-3)*(1000-1e-3) + 1e-6*float64(len(a)-1)) / float64(len(a))
	if got := MSE(a, b); !near(got, want, 1e-9) {
		t.Errorf("MSE = %.12g, want %.12g", got, want)
	}
}

func near(got, want, tol float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(got) && math.IsNaN(want) || got == want
	}
	return math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))
}
