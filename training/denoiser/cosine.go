package denoiser

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"

	"graft/training/signal"
)

// cosineLine is the orthonormal cosine transform (DCT-II) of signals of one length:
//
//	c[k] = s(k) sum_i x[i] cos(pi (i + 1/2) k / n), s(0) = sqrt(1/n), s(k) = sqrt(2/n)
type cosineLine struct{ fft *fourier.QuarterWaveFFT }

func newCosineLine(n int) cosineLine { return cosineLine{fourier.NewQuarterWaveFFT(n)} }

// forth puts the coefficients of x in its place.
func (c cosineLine) forth(x []float64) {
	c.fft.CosSequence(x, x) // 4 times the sum
	n := float64(len(x))
	x[0] *= math.Sqrt(1/n) / 4
	for i := 1; i < len(x); i++ {
		x[i] *= math.Sqrt(2/n) / 4
	}
}

// back undoes forth.
func (c cosineLine) back(x []float64) {
	n := float64(len(x))
	x[0] *= math.Sqrt(1 / n)
	for i := 1; i < len(x); i++ {
		x[i] *= math.Sqrt(1 / (2 * n))
	}
	c.fft.CosCoefficients(x, x) // x[0] + 2 sum_k x[k] cos
}

// CosineLine gives argmin_x 1/2 |x - y|^2 + weight sum_{k>0} |(C x)[k]|, C the orthonormal cosine transform: coefficients are
// shrunk by the weight (Donoho, Johnstone 1994), but the mean's. With hard, those not above the weight are 0 and the others stay.
func CosineLine(y []float64, weight float64, hard bool) ([]float64, error) {
	if err := checkLine("cosines", y, weight); err != nil {
		return nil, err
	}
	x := append([]float64(nil), y...)
	c := newCosineLine(len(x))
	c.forth(x)
	shrink(x[1:], weight, hard)
	c.back(x)
	return x, nil
}

// shrink brings coefficients nearer to 0: all by the weight, or with hard those not above it to 0.
func shrink(x []float64, weight float64, hard bool) {
	by := softThreshold
	if hard {
		by = hardThreshold
	}
	for i, v := range x {
		x[i] = by(v, weight)
	}
}

// CosineConfig sets Cosine up.
type CosineConfig struct {
	Block  int  // side of a block; 0: 8
	Stride int  // pixels from a block to the next; 0: 1
	Hard   bool // coefficients are kept or 0 (Yu, Sapiro, IPOL 2011, who take 3 deviations of the noise), instead of shrunk
}

// Cosine shrinks the coefficients of the cosine transform of every block by the weight, but the mean's, and takes the mean of what
// overlapping blocks say. Of three channels it filters those of an opponent colour space.
func Cosine(y Planes, weight float64, c CosineConfig) (Planes, error) {
	if err := checkWeighted("cosines", y, weight); err != nil {
		return Planes{}, err
	}
	side := c.Block
	if side == 0 {
		side = 8
	}
	g, err := signal.NewGrid(y.Height, y.Width, side, max(1, c.Stride))
	if err != nil {
		return Planes{}, fmt.Errorf("cosines: %w", err)
	}
	basis := cosineBasis(side)
	return opponentPlanes(y, weight, func(plane []float64, weight float64) ([]float64, error) {
		return patchwise(plane, g, 0, func() func(signal.Set) {
			half := make([]float64, side*side)
			return func(s signal.Set) {
				for i := range s.Count {
					x := s.Row(i)
					turn(half, basis, x, side, false)
					turn(x, basis, half, side, false)
					shrink(x[1:], weight, c.Hard)
					turn(half, basis, x, side, true)
					turn(x, basis, half, side, true)
				}
			}
		}), nil
	})
}

// cosineBasis is the orthonormal cosine transform as a matrix, row by row.
func cosineBasis(n int) []float64 {
	m := make([]float64, n*n)
	for k := range n {
		scale := math.Sqrt(2 / float64(n))
		if k == 0 {
			scale = math.Sqrt(1 / float64(n))
		}
		for i := range n {
			m[k*n+i] = scale * math.Cos(math.Pi*(float64(i)+0.5)*float64(k)/float64(n))
		}
	}
	return m
}

// turn fills to with (m x)', or (m'x)' where back: twice, it is m x m'.
func turn(to, m, x []float64, n int, back bool) {
	for i := range to {
		to[i] = 0
	}
	for k := range n {
		for i := range n {
			by := m[k*n+i]
			if back {
				by = m[i*n+k]
			}
			for j, v := range x[i*n : (i+1)*n] {
				to[j*n+k] += by * v
			}
		}
	}
}

// checkWeighted refuses what is no picture, and a weight that is none.
func checkWeighted(method string, y Planes, weight float64) error {
	if !(weight >= 0) || math.IsInf(weight, 0) {
		return fmt.Errorf("%s: weight %g", method, weight)
	}
	return y.check(method)
}
