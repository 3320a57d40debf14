package metric

import (
	"math"
	"testing"

	"graft/onnx/noise"
)

// TestSSIM: the number of the last case is scikit-image's structural_similarity with gaussian_weights, sigma 1.5, the biased
// covariance and data_range 1 (testdata/peers/ssim.py).
func TestSSIM(t *testing.T) {
	a, b := make([]float32, 3*40*32), make([]float32, 3*40*32)
	noise.Uniform(a, noise.NewKey(1, "a", 0))
	for i, v := range a {
		b[i] = v + 0.25*float32(math.Sin(float64(i)))
	}
	if got := SSIM(a, a, 40, 32); math.Abs(got-1) > 1e-12 {
		t.Errorf("of equal pictures it is %g", got)
	}
	ab, ba := SSIM(a, b, 40, 32), SSIM(b, a, 40, 32)
	if ab != ba || !(ab > 0.5 && ab < 0.95) {
		t.Errorf("%g and %g the other way round", ab, ba)
	}
	for _, bad := range []float64{SSIM(a, b[1:], 40, 32), SSIM(a, b, 41, 32), SSIM(nil, nil, 1, 1), SSIM(a, b, 0, 32)} {
		if !math.IsNaN(bad) {
			t.Errorf("sizes that do not agree give %g", bad)
		}
	}
	if got := SSIM(a[:12], a[:12], 3, 4); math.Abs(got-1) > 1e-12 {
		t.Errorf("of a small picture it is %g", got)
	}
	x, y := make([]float32, 16*16), make([]float32, 16*16)
	for i := range x {
		x[i] = float32(i%16) / 16
		y[i] = float32(i/16) / 16
	}
	if got, want := SSIM(x, y, 16, 16), 0.04638379; math.Abs(got-want) > 1e-6 {
		t.Errorf("%.8f, want %.8f", got, want)
	}
}
