package denoiser

import (
	"math"
	"testing"

	"graft/onnx/noise"
)

// TestLevel finds the noise on a smooth picture, and none on a constant one.
func TestLevel(t *testing.T) {
	const side = 96
	y := Planes{Pix: make([]float32, 3*side*side), Channels: 3, Height: side, Width: side}
	if got := Level(y); got != 0 {
		t.Errorf("a constant picture has noise of %g", got)
	}
	for _, sigma := range []float64{0.02, 0.1} {
		noise.Normal(y.Pix, noise.NewKey(3, "level", 0))
		for i := range y.Pix {
			y.Pix[i] = float32(sigma)*y.Pix[i] + float32(math.Sin(float64(i%side)/20))
		}
		if got := Level(y); math.Abs(got-sigma) > 0.06*sigma {
			t.Errorf("noise of %g is taken for %g", sigma, got)
		}
	}
	if got := Level(Planes{Pix: []float32{1, 2, 3}, Channels: 1, Height: 1, Width: 3}); got != 0 {
		t.Errorf("a row has noise of %g", got)
	}
}
