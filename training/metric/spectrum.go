package metric

import (
	"fmt"
	"math"
	"math/cmplx"
)

// Spectrum is the power of a picture by radial frequency, mean over planes: entry i is the mean of |F|^2 over the frequencies
// from i to i+1 of n equal rings up to half a cycle a sample, F being the discrete Fourier transform without its mean, divided
// by the number of samples. White noise of variance v has v/(height*width) everywhere. Frequencies in the corners, beyond half
// a cycle a sample, are left out; a ring without a frequency is NaN.
func Spectrum(x []float32, height, width, n int) ([]float64, error) {
	if height < 1 || width < 1 || n < 1 || len(x) == 0 || len(x)%(height*width) != 0 {
		return nil, fmt.Errorf("spectrum: %d samples as planes of %dx%d in %d rings", len(x), width, height, n)
	}
	across, down := roots(width), roots(height)
	power, count := make([]float64, n), make([]float64, n)
	rows, column := make([]complex128, height*width), make([]complex128, height)
	for at := 0; at < len(x); at += height * width {
		for i := range height {
			line := x[at+i*width:][:width]
			for k := range width {
				sum := complex(0, 0)
				for j, v := range line {
					sum += complex(float64(v), 0) * across[j*k%width]
				}
				rows[i*width+k] = sum
			}
		}
		for k := range width {
			for i := range column {
				column[i] = rows[i*width+k]
			}
			for l := range height {
				ring := int(math.Hypot(cycles(k, width), cycles(l, height)) * 2 * float64(n))
				if k == 0 && l == 0 || ring >= n {
					continue
				}
				sum := complex(0, 0)
				for i, v := range column {
					sum += v * down[i*l%height]
				}
				a := cmplx.Abs(sum) / float64(height*width)
				power[ring] += a * a
				count[ring]++
			}
		}
	}
	for i := range power {
		power[i] /= count[i]
	}
	return power, nil
}

// cycles is the frequency of a line of the transform, in cycles a sample.
func cycles(k, n int) float64 { return float64(min(k, n-k)) / float64(n) }

// roots are the n-th roots of unity, clockwise.
func roots(n int) []complex128 {
	r := make([]complex128, n)
	for i := range r {
		r[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(n))
	}
	return r
}
