package denoiser

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// NLMConfig sets NLM up.
type NLMConfig struct {
	Sigma  float64 // standard deviation of the noise, that distances of patches are corrected by
	Patch  int     // side of a patch, odd; 0: by Sigma, as published
	Search int     // side of the window that patches are looked for in, odd; 0: by Sigma
}

// The published settings by the noise's deviation, from 0 to 255 (Buades, Coll, Morel, IPOL 2011, grey). The h published there, 0.4 times
// the deviation up to 30 and less above, is for means of whole patches; that of single pixels, here, wants about 0.65 on photographs.
var nlmSettings = []struct {
	sigma         float64
	patch, search int
}{{15, 3, 21}, {30, 5, 21}, {45, 7, 35}, {75, 9, 35}, {math.Inf(1), 11, 35}}

func (c NLMConfig) withDefaults() (NLMConfig, error) {
	if !(c.Sigma >= 0) || math.IsInf(c.Sigma, 0) {
		return c, fmt.Errorf("non-local means: noise of standard deviation %g", c.Sigma)
	}
	for _, s := range nlmSettings {
		if c.Sigma*255 <= s.sigma {
			if c.Patch == 0 {
				c.Patch = s.patch
			}
			if c.Search == 0 {
				c.Search = s.search
			}
			break
		}
	}
	if c.Patch < 1 || c.Search < 1 || c.Patch%2 == 0 || c.Search%2 == 0 || c.Patch > 255 || c.Search > 1023 {
		return c, fmt.Errorf("non-local means: patches of side %d, looked for in %d: odd sides up to 255 and 1023 are wanted", c.Patch, c.Search)
	}
	return c, nil
}

// NLM is non-local means (Buades, Coll, Morel, CVPR 2005; IPOL 2011): a pixel p becomes the mean of those around it by
//
//	w(p, q) = exp(-max(0, d(p, q) - 2 Sigma^2)/h^2)
//
// d the mean squared difference of the patches around p and q, over all channels; p itself has the largest weight of the others. Over
// its border the picture is mirrored, the window ends there. For each displacement q - p the squared differences are summed over
// patches by running sums, so that the patch's size costs nothing. With h 0, patches whose difference the noise explains are averaged.
func NLM(y Planes, h float64, c NLMConfig) (Planes, error) {
	if err := checkWeighted("non-local means", y, h); err != nil {
		return Planes{}, err
	}
	c, err := c.withDefaults()
	if err != nil {
		return Planes{}, err
	}
	n := y.Height * y.Width
	planes := make([]float64, len(y.Pix))
	for i, v := range y.Pix {
		planes[i] = float64(v)
	}
	x := y.empty()
	for i, v := range nonLocal(planes, len(planes)/n, y.Height, y.Width, h, c) {
		x.Pix[i] = float32(v)
	}
	return x, nil
}

// NLMLine is NLM of a signal.
func NLMLine(y []float64, h float64, c NLMConfig) ([]float64, error) {
	if err := checkLine("non-local means", y, h); err != nil {
		return nil, err
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return nonLocal(y, 1, 1, len(y), h, c), nil
}

// nonLocal filters planes of h rows of w samples. A side of one sample has patches of one, and no window.
func nonLocal(y []float64, channels, h, w int, strength float64, c NLMConfig) []float64 {
	f := nonLocalFilter{h: h, w: w, channels: channels, strength: strength, sigma: c.Sigma, patchDown: c.Patch / 2, patchRight: c.Patch / 2,
		searchDown: c.Search / 2, searchRight: c.Search / 2}
	if h == 1 {
		f.patchDown, f.searchDown = 0, 0
	}
	if w == 1 {
		f.patchRight, f.searchRight = 0, 0
	}
	f.searchDown, f.searchRight = min(f.searchDown, h-1), min(f.searchRight, w-1)
	f.out = make([]float64, len(y))
	f.y = y
	f.wide = w + 2*f.patchRight
	high := h + 2*f.patchDown
	f.padded = make([]float64, channels*high*f.wide)
	for k := range channels {
		for i := range high {
			for j := range f.wide {
				f.padded[(k*high+i)*f.wide+j] = y[(k*h+reflected(i-f.patchDown, h))*w+reflected(j-f.patchRight, w)]
			}
		}
	}
	const band = 64 // rows that are worked on at a time
	bands := make([]*nonLocalSum, (h+band-1)/band)
	share(len(bands), func(from, to int) {
		for b := from; b < to; b++ {
			bands[b] = f.rows(b*band, min(h, (b+1)*band))
		}
	})
	whole := f.newSum(0, h)
	for _, b := range bands { // in order, so that sums are associated in one way
		whole.add(b)
	}
	n := h * w
	for i, own := range whole.most {
		if whole.total[i] == 0 {
			own = 1
		}
		for k := range channels {
			f.out[k*n+i] = (whole.sum[k*n+i] + own*y[k*n+i]) / (whole.total[i] + own)
		}
	}
	return f.out
}

type nonLocalFilter struct {
	h, w, channels          int
	patchDown, patchRight   int // half sides
	searchDown, searchRight int
	strength, sigma         float64
	y, padded, out          []float64
	wide                    int // of padded
}

// nonLocalSum is what some rows of the picture have so far: weights, the largest, and weighted samples of each channel.
type nonLocalSum struct {
	from             int // in the plane
	total, most, sum []float64
}

func (f *nonLocalFilter) newSum(from, to int) *nonLocalSum {
	n := (to - from) * f.w
	return &nonLocalSum{from: from * f.w, total: make([]float64, n), most: make([]float64, n), sum: make([]float64, f.channels*n)}
}

func (s *nonLocalSum) add(part *nonLocalSum) {
	at, n, all := part.from-s.from, len(part.total), len(s.total)
	floats.Add(s.total[at:at+n], part.total)
	for i, v := range part.most {
		s.most[at+i] = max(s.most[at+i], v)
	}
	for k := range len(s.sum) / all {
		floats.Add(s.sum[k*all+at:k*all+at+n], part.sum[k*n:(k+1)*n])
	}
}

// rows sums over the pairs of pixels whose upper one, or left one of a row, is in some rows: a weight counts for both.
func (f *nonLocalFilter) rows(from, to int) *nonLocalSum {
	s := f.newSum(from, min(f.h, to+f.searchDown))
	columns, squares := make([]float64, f.wide), make([]float64, (to-from+2*f.patchDown)*f.wide)
	distances := make([]float64, f.w)
	for down := 0; down <= f.searchDown; down++ {
		for right := -f.searchRight; right <= f.searchRight; right++ {
			last := min(to, f.h-down) // rows and columns whose partner is in the picture
			left, end := max(0, -right), min(f.w, f.w-right)
			if down == 0 && right <= 0 || from >= last || left >= end {
				continue
			}
			f.differences(squares, from, last, left, end, down, right)
			f.weigh(columns, squares, from, last, left, end, distances, func(i int) {
				f.pairs(s, i*f.w, left, end, down*f.w+right, distances)
			})
		}
	}
	return s
}

// pairs gives pixels of a row, and those so far behind them, the weights of their distances.
func (f *nonLocalFilter) pairs(s *nonLocalSum, row, left, end, behind int, distances []float64) {
	n, plane := len(s.total), f.h*f.w
	for j := left; j < end; j++ {
		by := f.weight(distances[j])
		if by == 0 {
			continue
		}
		p := row + j
		q := p + behind
		a, b := p-s.from, q-s.from
		s.total[a] += by
		s.total[b] += by
		s.most[a] = max(s.most[a], by)
		s.most[b] = max(s.most[b], by)
		for k := range f.channels {
			s.sum[k*n+a] += by * f.y[k*plane+q]
			s.sum[k*n+b] += by * f.y[k*plane+p]
		}
	}
}

// weight is that of a patch at a mean squared difference.
func (f *nonLocalFilter) weight(distance float64) float64 {
	const far = 36 // exp(-36) is below the last bit of 1
	distance -= 2 * f.sigma * f.sigma
	if distance <= 0 {
		return 1
	}
	if by := distance / (f.strength * f.strength); by < far {
		return math.Exp(-by)
	}
	return 0
}

// differences are the squared differences, over all channels, that patches around the pixels of a rectangle need.
func (f *nonLocalFilter) differences(squares []float64, first, last, left, end, down, right int) {
	high := f.h + 2*f.patchDown
	for i := first; i < last+2*f.patchDown; i++ {
		row := squares[(i-first)*f.wide:][left : end+2*f.patchRight]
		for k := range f.channels {
			a := f.padded[(k*high+i)*f.wide+left:][:len(row)]
			b := f.padded[(k*high+i+down)*f.wide+left+right:][:len(row)]
			if k == 0 {
				for j, v := range a {
					d := v - b[j]
					row[j] = d * d
				}
				continue
			}
			for j, v := range a {
				d := v - b[j]
				row[j] += d * d
			}
		}
	}
}

// weigh fills distances, row by row of the rectangle, with the means of the squares over patches, and has each row used: columns of a
// patch are summed down, and those along the row.
func (f *nonLocalFilter) weigh(columns, squares []float64, first, last, left, end int, distances []float64, use func(row int)) {
	scale := 1 / float64((2*f.patchDown+1)*(2*f.patchRight+1)*f.channels)
	stop, wide := end+2*f.patchRight, 2*f.patchRight
	clear(columns)
	sums := columns[left:stop]
	for i := range 2 * f.patchDown {
		floats.Add(sums, squares[i*f.wide:][left:stop])
	}
	for i := first; i < last; i++ {
		floats.Add(sums, squares[(i-first+2*f.patchDown)*f.wide:][left:stop])
		sum := floats.Sum(sums[:wide])
		ahead, out := sums[wide:], distances[left:end]
		for j, v := range ahead {
			sum += v
			out[j] = sum * scale
			sum -= sums[j]
		}
		use(i)
		floats.Sub(sums, squares[(i-first)*f.wide:][left:stop])
	}
}

// nlmPictures is told the noise's deviation; h is tuned.
func nlmPictures(g Given) (PictureFilter, error) {
	c, err := NLMConfig{Sigma: g.Sigma}.withDefaults()
	if err != nil {
		return nil, err
	}
	return func(y Planes, weight float64) (Planes, error) { return NLM(y, weight, c) }, nil
}

func nlmLines(g Given) (LineFilter, error) {
	c, err := NLMConfig{Sigma: g.Sigma}.withDefaults()
	if err != nil {
		return nil, err
	}
	return func(y []float64, weight float64) ([]float64, error) { return NLMLine(y, weight, c) }, nil
}
