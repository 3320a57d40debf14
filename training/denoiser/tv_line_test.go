package denoiser

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/onnx/noise"
)

// line is a signal of steps with seeded noise.
func line(n int, seed uint64) []float64 {
	draw := make([]float32, n)
	noise.Normal(draw, noise.NewKey(seed, "line", 0))
	y := make([]float64, n)
	for i, v := range draw {
		y[i] = float64(v) + math.Floor(float64(i)/7)
	}
	return y
}

// TestTVLine holds solutions to the optimality conditions: with u the running sums of x - y, |u| is at most the weight, the weight
// with the sign of the jump where x jumps, and 0 at the end.
func TestTVLine(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 64, 1000} {
		for _, weight := range []float64{0, 1e-9, 0.1, 1, 5, 1e9} {
			for seed := range uint64(8) {
				y := line(n, seed)
				if seed == 6 {
					for i := range y {
						y[i] = math.Round(y[i]) // ties
					}
				}
				if seed == 7 {
					for i := range y {
						y[i] = 1e6 + float64(i) // the far corner of every fan
					}
				}
				x, err := TVLine(y, weight)
				if err != nil {
					t.Fatal(err)
				}
				if err := certify(x, y, weight, 1e-9); err != nil {
					t.Errorf("length %d, weight %g, seed %d: %v", n, weight, seed, err)
				}
			}
		}
	}
	x, err := TVLine([]float64{0, 0, 0, 0, 1, 1}, 0.2)
	for i, want := range []float64{0.05, 0.05, 0.05, 0.05, 0.9, 0.9} {
		if err != nil || math.Abs(x[i]-want) > 1e-15 {
			t.Errorf("sample %d is %g, want %g, %v", i, x[i], want, err)
		}
	}
}

func certify(x, y []float64, weight, tolerance float64) error {
	u, scale := 0.0, slices.Max(y)-slices.Min(y)+1
	tolerance *= scale * float64(len(y))
	for i := range x {
		if u += x[i] - y[i]; math.Abs(u) > weight+tolerance {
			return fmt.Errorf("%g at %d", u, i)
		}
		if i+1 < len(x) {
			if jump := x[i+1] - x[i]; math.Abs(jump) > 1e-9*scale && math.Abs(u-math.Copysign(weight, jump)) > tolerance {
				return fmt.Errorf("%g at %d, a jump of %g", u, i, jump)
			}
		}
	}
	if math.Abs(u) > tolerance {
		return fmt.Errorf("%g at the end", u)
	}
	return nil
}

// TestTVLineIsTV: the picture's method ends in the same, up to its gap.
func TestTVLineIsTV(t *testing.T) {
	y := line(50, 3)
	p := Planes{Pix: make([]float32, len(y)), Channels: 1, Height: 1, Width: len(y)}
	for i, v := range y {
		p.Pix[i] = float32(v)
	}
	z, err := TV(p, TVConfig{Weight: 0.7, Gap: 1e-9, Iterations: 5000})
	if err != nil {
		t.Fatal(err)
	}
	x, err := TVLine(y, 0.7)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range x {
		if math.Abs(v-float64(z.Pix[i])) > 1e-4 {
			t.Errorf("sample %d is %g, by the dual %g", i, v, z.Pix[i])
		}
	}
}

func BenchmarkTVLine(b *testing.B) {
	y := line(1<<16, 1)
	for b.Loop() {
		if _, err := TVLine(y, 1); err != nil {
			b.Fatal(err)
		}
	}
}
