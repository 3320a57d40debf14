package dataset

import (
	"fmt"
	"math"
)

// Resize scales m so that its longer side has n pixels and the aspect is kept to the nearest pixel, by the Catmull-Rom
// cubic (Keys 1981, a = -1/2), widened when shrinking so that it averages. Results are clipped to [0,1]. An n above the
// longer side enlarges. Either side leaving 32 to 8192 pixels is an error.
func (m *Image) Resize(n int) (*Image, error) {
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("resize: %w", err)
	}
	if n < minSide || n > maxSide {
		return nil, fmt.Errorf("resize to %d: %d to %d pixels are wanted", n, minSide, maxSide)
	}
	scale := float64(n) / float64(max(m.Width, m.Height))
	w, h := int(math.Round(float64(m.Width)*scale)), int(math.Round(float64(m.Height)*scale))
	if min(w, h) < minSide {
		return nil, fmt.Errorf("resize to %d: %dx%d would become %dx%d, but a side needs at least %d: use %d or more",
			n, m.Width, m.Height, w, h, minSide, (minSide*max(m.Width, m.Height)+min(m.Width, m.Height)-1)/min(m.Width, m.Height))
	}
	if w*h > maxPixels {
		return nil, fmt.Errorf("resize to %d: %dx%d are more than %d megapixels", n, w, h, maxPixels/1_000_000)
	}
	return m.scaled(w, h), nil
}

// scaled is m at w by h pixels.
func (m *Image) scaled(w, h int) *Image {
	if w == m.Width && h == m.Height {
		return m.Clone()
	}
	across, down := taps(m.Width, w), taps(m.Height, h)
	rows := make([]float32, w*m.Height)
	return m.withPlanes(w, h, func(dst, src []float32) {
		for y := range m.Height {
			line := src[y*m.Width : (y+1)*m.Width]
			for x, t := range across {
				var sum float64
				for i, k := range t.weights {
					sum += k * float64(line[t.first+i])
				}
				rows[y*w+x] = float32(sum)
			}
		}
		sums := make([]float64, w)
		for y, t := range down {
			clear(sums)
			for i, k := range t.weights {
				for x, v := range rows[(t.first+i)*w : (t.first+i+1)*w] {
					sums[x] += k * float64(v)
				}
			}
			for x, sum := range sums {
				dst[y*w+x] = float32(min(1, max(0, sum)))
			}
		}
	})
}

// tap is the weights of the samples from first on that make one output sample. They sum to 1.
type tap struct {
	first   int
	weights []float64
}

// taps places `to` output samples over `from` input samples. Samples beyond the border are left out of the average.
func taps(from, to int) []tap {
	scale := float64(from) / float64(to)
	stretch := max(1, scale)
	all := make([]tap, to)
	for i := range all {
		centre := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(centre-2*stretch)))
		last := min(from-1, int(math.Floor(centre+2*stretch)))
		weights := make([]float64, 0, last-first+1)
		var sum float64
		for j := first; j <= last; j++ {
			k := catmullRom((float64(j) - centre) / stretch)
			weights = append(weights, k)
			sum += k
		}
		for j := range weights {
			weights[j] /= sum
		}
		all[i] = tap{first, weights}
	}
	return all
}

func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}
