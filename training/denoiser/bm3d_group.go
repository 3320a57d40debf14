package denoiser

import (
	"cmp"
	"math/bits"
	"slices"
)

const bmArea = bmBlock * bmBlock

// place is a block, by its upper left pixel, and how far it is from the reference.
type place struct {
	row, column int
	distance    float32
}

// groupFilter filters one group of blocks after the other.
type groupFilter struct {
	noisy, guide Planes
	sigmas       []float64
	wiener       bool
	most         int
	far          float32
	sum          *weighted
	forth, back  *[bmArea]float32 // the transform of blocks

	found         []place
	group, guided [bmWiener * bmArea]float32
}

func newGroupFilter(noisy, guide Planes, sigmas []float64, wiener bool) *groupFilter {
	f := &groupFilter{noisy: noisy, guide: guide, sigmas: sigmas, wiener: wiener, most: bmHard, far: bmFar * bmArea, forth: &wavelets, back: &waveletsBack}
	if wiener {
		f.most, f.far, f.forth, f.back = bmWiener, bmFar2*bmArea, &cosines, &cosinesBack
	}
	return f
}

// reference filters the blocks that are like the one at (row, column), and adds them up where they lie.
func (f *groupFilter) reference(row, column int) {
	f.match(row, column)
	n := 1 << (bits.Len(uint(min(len(f.found), f.most))) - 1) // a power of two, for the transform over the group
	for c := range f.noisy.Channels {
		f.spectrum(f.noisy.plane(c), n, &f.group)
		var weight float64
		if f.wiener {
			f.spectrum(f.guide.plane(c), n, &f.guided)
			weight = f.shrink(n, f.sigmas[c])
		} else {
			weight = f.threshold(n, f.sigmas[c])
		}
		f.place(c, n, float32(weight))
	}
}

// match finds the blocks of the first plane that are like the reference, the nearest first; the reference is the first of all.
func (f *groupFilter) match(row, column int) {
	f.found = append(f.found[:0], place{row, column, -1})
	x, w := f.guide.plane(0), f.guide.Width
	var ref [bmArea]float32
	for i := range bmBlock {
		copy(ref[i*bmBlock:(i+1)*bmBlock], x[(row+i)*w+column:])
	}
	for i := max(0, row-bmReach); i <= min(f.guide.Height-bmBlock, row+bmReach); i++ {
		for j := max(0, column-bmReach); j <= min(w-bmBlock, column+bmReach); j++ {
			if i == row && j == column {
				continue
			}
			distance := float32(0)
			for k := 0; k < bmBlock && distance < f.far; k++ {
				line := x[(i+k)*w+j : (i+k)*w+j+bmBlock]
				own := ref[k*bmBlock : (k+1)*bmBlock]
				for l, v := range line {
					d := v - own[l]
					distance += d * d
				}
			}
			if distance < f.far {
				f.found = append(f.found, place{i, j, distance})
			}
		}
	}
	slices.SortFunc(f.found, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.row, b.row), cmp.Compare(a.column, b.column))
	})
}

// spectrum is the three-dimensional transform of the first n blocks found.
func (f *groupFilter) spectrum(x []float32, n int, out *[bmWiener * bmArea]float32) {
	for b, p := range f.found[:n] {
		block := out[b*bmArea : (b+1)*bmArea]
		for i := range bmBlock {
			copy(block[i*bmBlock:(i+1)*bmBlock], x[(p.row+i)*f.noisy.Width+p.column:])
		}
		blockTransform(block, f.forth)
	}
	hadamard(out[:n*bmArea], n)
}

// threshold keeps the coefficients that stand out of the noise, the group's sum among them, and gives the weight of its blocks.
func (f *groupFilter) threshold(n int, sigma float64) float64 {
	cut := float32(bmCut * sigma)
	kept := 1
	for i := 1; i < n*bmArea; i++ {
		if v := f.group[i]; v > cut || v < -cut {
			kept++
		} else {
			f.group[i] = 0
		}
	}
	return 1 / (sigma * sigma * float64(kept))
}

// shrink weighs each coefficient by the part that the guide's says is signal, and gives the weight of the group's blocks.
func (f *groupFilter) shrink(n int, sigma float64) float64 {
	noise := float32(sigma * sigma)
	energy := 0.0
	for i := range n * bmArea {
		g := f.guided[i] * f.guided[i]
		part := g / (g + noise)
		f.group[i] *= part
		energy += float64(part) * float64(part)
	}
	return 1 / (sigma * sigma * max(energy, 1e-12))
}

// place transforms the group back and adds its blocks to the sums of a channel.
func (f *groupFilter) place(channel, n int, weight float32) {
	hadamard(f.group[:n*bmArea], n)
	s := f.sum
	for b, p := range f.found[:n] {
		block := f.group[b*bmArea : (b+1)*bmArea]
		blockTransform(block, f.back)
		for i := range bmBlock {
			at := (channel*(s.to-s.from)+p.row-s.from+i)*s.width + p.column
			value, sum := s.value[at:at+bmBlock], s.weight[at:at+bmBlock]
			for j := range bmBlock {
				w := weight * window[i*bmBlock+j]
				value[j] += w * block[i*bmBlock+j]
				sum[j] += w
			}
		}
	}
}
