package denoiser

import (
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Settings of BM3D, those of its authors for standard deviations up to 40/255 ("normal profile").
const (
	bmBlock  = 8  // side of a block
	bmStep   = 3  // pixels from one reference block to the next
	bmReach  = 19 // blocks are looked for that far to every side
	bmHard   = 16 // most blocks of a group in the first pass
	bmWiener = 32 // in the second
	bmFar    = 3000. / (255 * 255)
	bmFar2   = 400. / (255 * 255) // largest mean squared difference of blocks of a group, in the first and the second pass
	bmCut    = 2.7                // coefficients below so many standard deviations are noise
	bmBand   = 8                  // rows of reference blocks that are worked on at a time
)

// BM3D removes white noise of standard deviation sigma by collaborative filtering of groups of similar blocks (Dabov, Foi,
// Katkovnik, Egiazarian, IEEE TIP 16(8) 2007): a first pass thresholds, a second is a Wiener filter by the first's result. Of
// three channels, groups are found in the luminance of an opponent colour space, in which each channel is then filtered. The
// result does not depend on the number of processors.
func BM3D(y Planes, sigma float64) (Planes, error) {
	if err := y.check("BM3D"); err != nil {
		return Planes{}, err
	}
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return Planes{}, fmt.Errorf("BM3D: noise of standard deviation %g", sigma)
	}
	if y.Height < bmBlock || y.Width < bmBlock {
		return Planes{}, fmt.Errorf("BM3D: %dx%d pixels, blocks have %dx%d", y.Width, y.Height, bmBlock, bmBlock)
	}
	z, sigmas := opponent(y, sigma)
	basic := blockPass(z, z, sigmas, false)
	return natural(blockPass(z, basic, sigmas, true)), nil
}

// opponentRows make luminance and two differences of red, green and blue.
var opponentRows = [3][3]float64{{1. / 3, 1. / 3, 1. / 3}, {0.5, 0, -0.5}, {0.25, -0.5, 0.25}}

// opponent is the picture in which channels are filtered, with the noise of each.
func opponent(y Planes, sigma float64) (Planes, []float64) {
	z := Planes{Pix: make([]float32, len(y.Pix)), Channels: y.Channels, Height: y.Height, Width: y.Width}
	sigmas := make([]float64, y.Channels)
	if y.Channels != 3 {
		copy(z.Pix, y.Pix)
		for i := range sigmas {
			sigmas[i] = sigma
		}
		return z, sigmas
	}
	for c, row := range opponentRows {
		sigmas[c] = sigma * math.Sqrt(row[0]*row[0]+row[1]*row[1]+row[2]*row[2])
		out := z.plane(c)
		for i := range out {
			out[i] = float32(row[0]*float64(y.plane(0)[i]) + row[1]*float64(y.plane(1)[i]) + row[2]*float64(y.plane(2)[i]))
		}
	}
	return z, sigmas
}

// natural undoes opponent.
func natural(z Planes) Planes {
	if z.Channels != 3 {
		return z
	}
	y := z.empty()
	for i := range z.plane(0) {
		l, u, v := z.plane(0)[i], z.plane(1)[i], z.plane(2)[i]
		y.plane(0)[i] = l + u + 2./3*v
		y.plane(1)[i] = l - 4./3*v
		y.plane(2)[i] = l - u + 2./3*v
	}
	return y
}

// positions are where reference blocks begin along a side: every bmStep pixels, and at the end.
func positions(side int) []int {
	var list []int
	for at := 0; at < side-bmBlock; at += bmStep {
		list = append(list, at)
	}
	return append(list, side-bmBlock)
}

// blockPass filters noisy, groups being found in guide. With wiener the guide's coefficients say how much of the noisy ones is
// signal; otherwise those that stand out of the noise are kept.
func blockPass(noisy, guide Planes, sigmas []float64, wiener bool) Planes {
	rows, columns := positions(noisy.Height), positions(noisy.Width)
	bands := (len(rows) + bmBand - 1) / bmBand
	sums := make([]*weighted, bands)
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(bands, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			f := newGroupFilter(noisy, guide, sigmas, wiener)
			for b := range next {
				mine := rows[b*bmBand : min(len(rows), (b+1)*bmBand)]
				f.sum = newWeighted(noisy, mine[0], mine[len(mine)-1])
				for _, i := range mine {
					for _, j := range columns {
						f.reference(i, j)
					}
				}
				sums[b] = f.sum
			}
		})
	}
	for b := range bands {
		next <- b
	}
	close(next)
	wait.Wait()
	whole := &weighted{from: 0, to: noisy.Height, width: noisy.Width,
		value: make([]float32, len(noisy.Pix)), weight: make([]float32, len(noisy.Pix))}
	for _, s := range sums { // in order, so that sums are associated in one way
		whole.add(s, noisy)
	}
	out := noisy.empty()
	for i, w := range whole.weight {
		out.Pix[i] = whole.value[i] / w
	}
	return out
}

// weighted sums blocks into some rows of a picture.
type weighted struct {
	from, to, width int
	value, weight   []float32 // planes of rows from to to
}

// newWeighted covers what groups of reference blocks in rows first to last reach.
func newWeighted(p Planes, first, last int) *weighted {
	s := &weighted{from: max(0, first-bmReach), to: min(p.Height, last+bmReach+bmBlock), width: p.Width}
	n := p.Channels * (s.to - s.from) * p.Width
	s.value, s.weight = make([]float32, n), make([]float32, n)
	return s
}

func (s *weighted) add(part *weighted, p Planes) {
	n := (part.to - part.from) * s.width
	for c := range p.Channels {
		at := (c*p.Height + part.from) * s.width
		for i := range n {
			s.value[at+i] += part.value[c*n+i]
			s.weight[at+i] += part.weight[c*n+i]
		}
	}
}
