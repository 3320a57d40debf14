package metric

import (
	"math"
	"testing"
)

// TestSpectrum: a wave has its power in its ring, half its amplitude squared in each of two frequencies.
func TestSpectrum(t *testing.T) {
	const h, w = 24, 36
	x := make([]float32, 2*h*w)
	for i := range h {
		for j := range w {
			x[i*w+j] = float32(0.7 + 0.4*math.Cos(2*math.Pi*(3*float64(i)/h+5*float64(j)/w)))
			x[h*w+i*w+j] = 0.2
		}
	}
	power, err := Spectrum(x, h, w, 8)
	if err != nil {
		t.Fatal(err)
	}
	ring := int(math.Hypot(3./h, 5./w) * 2 * 8)
	frequencies := 0.0
	for k := range w {
		for l := range h {
			if f := math.Hypot(cycles(k, w), cycles(l, h)) * 16; int(f) == ring {
				frequencies++
			}
		}
	}
	for i, p := range power {
		want := 0.0
		if i == ring {
			want = 2 * 0.2 * 0.2 / (2 * frequencies)
		}
		if math.Abs(p-want) > 1e-10 {
			t.Errorf("ring %d: %g, want %g", i, p, want)
		}
	}
	if _, err := Spectrum(x, 7, 7, 8); err == nil {
		t.Error("samples that are no planes")
	}
	if p, err := Spectrum(make([]float32, 4), 2, 2, 4); err != nil || !math.IsNaN(p[0]) {
		t.Errorf("an empty ring: %v, %v", p, err)
	}
}
