package denoiser

import (
	"math"
	"math/bits"
	"slices"
)

// HaarConfig sets Haar and HaarLine up.
type HaarConfig struct {
	Levels    int  // 0: as many as the signal has, of a picture at most 5
	CycleSpin bool // mean over all shifts of the signal (cycle spinning; Coifman, Donoho 1995); otherwise the orthonormal transform
	Hard      bool // coefficients not above the weight are 0 and the others stay, instead of all being shrunk by it
}

// levels are those that a side has room for.
func (c HaarConfig) levels(side, most int) int {
	most = min(most, bits.Len(uint(side))-1)
	if c.Levels > 0 {
		return min(c.Levels, most)
	}
	return most
}

// HaarLine shrinks Haar wavelet coefficients by the weight (Donoho, Johnstone, Biometrika 81(3) 1994). Without CycleSpin that is
// argmin_x 1/2 |x - y|^2 + weight |D x|_1, D the differences of the orthonormal transform, of a signal whose length has as many twos
// as there are levels; another is lengthened by reflection.
func HaarLine(y []float64, weight float64, c HaarConfig) ([]float64, error) {
	if err := checkLine("Haar wavelets", y, weight); err != nil {
		return nil, err
	}
	return haarPlane(y, 1, len(y), weight, c), nil
}

// Haar is HaarLine in two dimensions. Of three channels it filters those of an opponent colour space.
func Haar(y Planes, weight float64, c HaarConfig) (Planes, error) {
	if err := checkWeighted("Haar wavelets", y, weight); err != nil {
		return Planes{}, err
	}
	return opponentPlanes(y, weight, func(plane []float64, weight float64) ([]float64, error) {
		return haarPlane(plane, y.Height, y.Width, weight, c), nil
	})
}

func haarPlane(y []float64, h, w int, weight float64, c HaarConfig) []float64 {
	t := haar{weight: weight, hard: c.Hard, levels: c.levels(max(h, w), 62), line: h == 1 || w == 1}
	if !t.line {
		t.levels = c.levels(min(h, w), 5)
	}
	unit := 1 << t.levels
	top, left := 0, 0
	t.h, t.w = h, w
	if c.CycleSpin { // a coefficient of any shift that reaches the signal then reaches what is reflected, and not round
		top, left = unit, unit
		t.h, t.w = h+2*unit, w+2*unit
	} else {
		t.h, t.w = (h+unit-1)/unit*unit, (w+unit-1)/unit*unit
	}
	if t.line && h == 1 {
		top, t.h = 0, 1
	} else if t.line {
		left, t.w = 0, 1
	}
	x := make([]float64, t.h*t.w)
	for i := range t.h {
		for j := range t.w {
			x[i*t.w+j] = y[reflected(i-top, h)*w+reflected(j-left, w)]
		}
	}
	if c.CycleSpin {
		x = t.spin(x, 0)
	} else {
		t.orthonormal(x)
	}
	out := make([]float64, h*w)
	for i := range h {
		copy(out[i*w:(i+1)*w], x[(i+top)*t.w+left:])
	}
	return out
}

// reflected is the sample at a place before or behind n samples, each end mirrored with its last sample twice.
func reflected(i, n int) int {
	if i %= 2 * n; i < 0 {
		i += 2 * n
	}
	if i >= n {
		i = 2*n - 1 - i
	}
	return i
}

// haar is a transform of planes of one size, which go round at their borders.
type haar struct {
	h, w, levels int
	weight       float64
	hard, line   bool
}

// cells is how many samples a block has: two in a row, or two rows of two.
func (t haar) cells() int {
	if t.line {
		return 2
	}
	return 4
}

// orthonormal shrinks the coefficients in place. Those of a level are where it found its samples, sums at the first of a block.
func (t haar) orthonormal(x []float64) {
	n := t.cells()
	for level := range t.levels {
		t.blocks(level, 2<<level, func(at [4]int) {
			b := t.forth(x, at)
			for i, to := range at[:n] {
				x[to] = b[i]
			}
		})
	}
	for level := t.levels - 1; level >= 0; level-- {
		t.blocks(level, 2<<level, func(at [4]int) {
			b := t.back([4]float64{x[at[0]], x[at[1]], x[at[2]], x[at[3]]})
			for i, to := range at[:n] {
				x[to] = b[i]
			}
		})
	}
}

// spin is the mean over all shifts: each block of a level, wherever it begins, is transformed, its sum replaced by what the levels
// behind it make of that, its differences shrunk, and transformed back; a sample is the mean over the blocks that have it.
func (t haar) spin(x []float64, level int) []float64 {
	if level == t.levels {
		return x
	}
	if t.line {
		return t.spinLine(x, level)
	}
	sums := make([]float64, len(x))
	t.blocks(level, 1, func(at [4]int) { sums[at[0]] = t.forth(x, at)[0] })
	sums = t.spin(sums, level+1)
	out := make([]float64, len(x))
	t.blocks(level, 1, func(at [4]int) {
		b := t.forth(x, at)
		b[0] = sums[at[0]]
		b = t.back(b)
		for i, to := range at {
			out[to] += b[i] / 4
		}
	})
	return out
}

// spinLine is spin of a line.
func (t haar) spinLine(x []float64, level int) []float64 {
	const half = math.Sqrt2 / 2
	n := len(x)
	gap := (1 << level) % n
	next := slices.Concat(x[gap:], x[:gap]) // the second sample of each block
	sums, differences := make([]float64, n), make([]float64, n)
	for i, v := range x {
		sums[i], differences[i] = (v+next[i])*half, (v-next[i])*half
	}
	shrink(differences, t.weight, t.hard)
	sums = t.spin(sums, level+1)
	for i, v := range sums {
		next[i] = (v - differences[i]) * (half / 2)
		sums[i] = (v + differences[i]) * (half / 2)
	}
	for i, v := range next[:n-gap] {
		sums[i+gap] += v
	}
	for i, v := range next[n-gap:] {
		sums[i] += v
	}
	return sums
}

// blocks visits the blocks of a level, whose samples are 2^level apart, that begin every so many samples. Of a line, the third and
// the fourth sample are the first two.
func (t haar) blocks(level, every int, visit func(at [4]int)) {
	gap := 1 << level
	for i := 0; i < t.h; i += every {
		below := (i + gap) % t.h * t.w
		for j := 0; j < t.w; j += every {
			right := (j + gap) % t.w
			switch at := i*t.w + j; {
			case !t.line:
				visit([4]int{at, i*t.w + right, below + j, below + right})
			case t.h == 1:
				visit([4]int{at, right, at, right})
			default:
				visit([4]int{at, below, at, below})
			}
		}
	}
}

// forth is the orthonormal sum and differences of a block's samples, the differences shrunk:
//
//	(a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d)/2, of a line (a + b, a - b)/sqrt 2
func (t haar) forth(x []float64, at [4]int) (b [4]float64) {
	a0, a1, a2, a3 := x[at[0]], x[at[1]], x[at[2]], x[at[3]]
	if t.line {
		b[0], b[1] = (a0+a1)*(math.Sqrt2/2), (a0-a1)*(math.Sqrt2/2)
		shrink(b[1:2], t.weight, t.hard)
		return b
	}
	b = [4]float64{(a0 + a1 + a2 + a3) / 2, (a0 - a1 + a2 - a3) / 2, (a0 + a1 - a2 - a3) / 2, (a0 - a1 - a2 + a3) / 2}
	shrink(b[1:], t.weight, t.hard)
	return b
}

// back undoes forth; the matrix of either block is its own inverse.
func (t haar) back(b [4]float64) [4]float64 {
	if t.line {
		return [4]float64{(b[0] + b[1]) * (math.Sqrt2 / 2), (b[0] - b[1]) * (math.Sqrt2 / 2)}
	}
	return [4]float64{(b[0] + b[1] + b[2] + b[3]) / 2, (b[0] - b[1] + b[2] - b[3]) / 2, (b[0] + b[1] - b[2] - b[3]) / 2, (b[0] - b[1] - b[2] + b[3]) / 2}
}
