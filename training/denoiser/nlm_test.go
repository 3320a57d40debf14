package denoiser

import (
	"math"
	"slices"
	"testing"

	"graft/onnx/noise"
)

// slow is non-local means as its definition says, pixel by pixel.
func slow(y []float64, channels, h, w int, strength float64, c NLMConfig) []float64 {
	half, reach := c.Patch/2, c.Search/2
	pd, pr := half, half
	if h == 1 {
		pd = 0
	}
	if w == 1 {
		pr = 0
	}
	out := make([]float64, len(y))
	at := func(k, i, j int) float64 { return y[(k*h+reflected(i, h))*w+reflected(j, w)] }
	for i := range h {
		for j := range w {
			total, most := 0.0, 0.0
			sum := make([]float64, channels)
			for p := max(0, i-reach); p <= min(h-1, i+reach); p++ {
				for q := max(0, j-reach); q <= min(w-1, j+reach); q++ {
					if p == i && q == j {
						continue
					}
					d := 0.0
					for k := range channels {
						for a := -pd; a <= pd; a++ {
							for b := -pr; b <= pr; b++ {
								e := at(k, i+a, j+b) - at(k, p+a, q+b)
								d += e * e
							}
						}
					}
					d /= float64(channels * (2*pd + 1) * (2*pr + 1))
					by := math.Exp(-max(0, d-2*c.Sigma*c.Sigma) / (strength * strength))
					total += by
					most = max(most, by)
					for k := range channels {
						sum[k] += by * at(k, p, q)
					}
				}
			}
			if most == 0 {
				most = 1
			}
			for k := range channels {
				out[(k*h+i)*w+j] = (sum[k] + most*at(k, i, j)) / (total + most)
			}
		}
	}
	return out
}

// TestNLM holds the running sums to the definition, at sizes below a patch and a window too.
func TestNLM(t *testing.T) {
	for _, c := range []struct{ channels, h, w, patch, search int }{{1, 40, 13, 5, 9}, {3, 9, 11, 3, 5}, {1, 1, 60, 7, 21}, {1, 30, 1, 3, 9}, {1, 2, 3, 5, 21}, {1, 1, 1, 3, 3}, {1, 12, 12, 1, 5}} {
		y := make([]float64, c.channels*c.h*c.w)
		draw := make([]float32, len(y))
		noise.Normal(draw, noise.NewKey(1, "nlm", 0))
		for i, v := range draw {
			y[i] = 0.1*float64(v) + math.Floor(float64(i)/20)/5
		}
		config := NLMConfig{Sigma: 0.1, Patch: c.patch, Search: c.search}
		if d := distance(nonLocal(y, c.channels, c.h, c.w, 0.08, config), slow(y, c.channels, c.h, c.w, 0.08, config)); d > 1e-12 {
			t.Errorf("%+v: differs by %g", c, d)
		}
	}
}

// TestNLMConstant: a constant stays one, and without noise and with a filter that is narrow so does every picture.
func TestNLMConstant(t *testing.T) {
	y := Planes{Pix: slices.Repeat([]float32{0.3}, 3*20*17), Channels: 3, Height: 20, Width: 17}
	x, err := NLM(y, 0.1, NLMConfig{Sigma: 0.1})
	if err != nil || !slices.Equal(x.Pix, y.Pix) {
		t.Errorf("a constant becomes %v, %v", x.Pix[:3], err)
	}
	clean, _ := photo(t, "camera.png", 40, 0)
	if x, err = NLM(clean, 0, NLMConfig{Patch: 7}); err != nil || !slices.Equal(x.Pix, clean.Pix) {
		t.Errorf("without noise a picture is another, %v", err)
	}
	for _, c := range []NLMConfig{{Sigma: -1}, {Sigma: math.NaN()}, {Patch: 4}, {Search: 2}, {Patch: -3}, {Patch: 257}, {Search: 2001}} {
		if _, err := NLM(y, 0.1, c); err == nil {
			t.Errorf("taken %+v", c)
		}
		if _, err := NLMLine([]float64{1, 2}, 0.1, c); err == nil {
			t.Errorf("taken %+v for a signal", c)
		}
	}
}
