package signal

import (
	"fmt"
	"math"
)

// Grid is where square patches of a picture begin: every Stride pixels down and across, and at the far border, so that every pixel is
// in one.
type Grid struct {
	Height, Width, Side int
	rows, columns       []int
}

// NewGrid lays patches over a picture.
func NewGrid(height, width, side, stride int) (*Grid, error) {
	switch {
	case side < 1 || stride < 1 || stride > side:
		return nil, fmt.Errorf("patches of side %d every %d pixels: a side of 1 and more, and a stride of 1 to the side, are wanted", side, stride)
	case height < side || width < side:
		return nil, fmt.Errorf("a picture of %dx%d pixels is smaller than a patch of %dx%d", width, height, side, side)
	case height > maxValues/width:
		return nil, fmt.Errorf("a picture of %dx%d pixels: at most %d are wanted", width, height, maxValues)
	}
	return &Grid{Height: height, Width: width, Side: side, rows: starts(height, side, stride), columns: starts(width, side, stride)}, nil
}

func starts(length, side, stride int) (list []int) {
	for at := 0; at < length-side; at += stride {
		list = append(list, at)
	}
	return append(list, length-side)
}

// Count is the number of patches, row by row.
func (g *Grid) Count() int { return len(g.rows) * len(g.columns) }

// at is the first pixel of patch i.
func (g *Grid) at(i int) int { return g.rows[i/len(g.columns)]*g.Width + g.columns[i%len(g.columns)] }

// Patch copies patch i of a plane of samples, row by row.
func (g *Grid) Patch(to, plane []float64, i int) {
	at := g.at(i)
	for r := range g.Side {
		copy(to[r*g.Side:(r+1)*g.Side], plane[at+r*g.Width:])
	}
}

// Cut gives all patches of a plane, with centre each without its mean; the means come beside.
func (g *Grid) Cut(plane []float64, centre bool) (Set, []float64, error) {
	if len(plane) != g.Height*g.Width {
		return Set{}, nil, fmt.Errorf("cut patches: %d samples for %dx%d pixels", len(plane), g.Width, g.Height)
	}
	s, err := NewSet(g.Count(), g.Side*g.Side)
	if err != nil {
		return Set{}, nil, fmt.Errorf("cut patches: %w", err)
	}
	var means []float64
	for i := range s.Count {
		g.Patch(s.Row(i), plane, i)
		if centre {
			means = append(means, Centre(s.Row(i)))
		}
	}
	return s, means, nil
}

// Centre takes the mean off a row and returns it.
func Centre(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += v
	}
	mean := sum / float64(len(row))
	for i := range row {
		row[i] -= mean
	}
	return mean
}

// Average puts patches back: a pixel is the mean of what the patches say of it. Differences from the first are summed, so that a
// pixel of which all say the same is that number to the bit.
type Average struct {
	grid       *Grid
	first, sum []float64
	count      []int32
}

// NewAverage begins a picture.
func (g *Grid) NewAverage() *Average {
	n := g.Height * g.Width
	return &Average{grid: g, first: make([]float64, n), sum: make([]float64, n), count: make([]int32, n)}
}

// Add puts patch i in, with a number added to each of its samples.
func (a *Average) Add(i int, patch []float64, mean float64) {
	at := a.grid.at(i)
	for r := range a.grid.Side {
		for j, v := range patch[r*a.grid.Side : (r+1)*a.grid.Side] {
			k := at + r*a.grid.Width + j
			if v += mean; a.count[k] == 0 {
				a.first[k] = v
			} else {
				a.sum[k] += v - a.first[k]
			}
			a.count[k]++
		}
	}
}

// Plane is the picture so far, NaN where no patch was added.
func (a *Average) Plane() []float64 {
	out := make([]float64, len(a.sum))
	for i, n := range a.count {
		if out[i] = math.NaN(); n > 0 {
			out[i] = a.first[i] + a.sum[i]/float64(n)
		}
	}
	return out
}

// Blend is the picture with another that counts as weight patches everywhere.
func (a *Average) Blend(plane []float64, weight float64) []float64 {
	out := make([]float64, len(a.sum))
	for i, n := range a.count {
		out[i] = (float64(n)*a.first[i] + a.sum[i] + weight*plane[i]) / (float64(n) + weight)
	}
	return out
}

// Paste is the picture that patches of Cut make, with the means that were taken off, nil where none were.
func (g *Grid) Paste(s Set, means []float64) ([]float64, error) {
	if s.Count != g.Count() || s.Length != g.Side*g.Side || len(s.Values) != s.Count*s.Length || means != nil && len(means) != s.Count {
		return nil, fmt.Errorf("paste patches: %d of length %d with %d means, %d of %d are wanted", s.Count, s.Length, len(means), g.Count(), g.Side*g.Side)
	}
	a := g.NewAverage()
	for i := range s.Count {
		mean := 0.0
		if means != nil {
			mean = means[i]
		}
		a.Add(i, s.Row(i), mean)
	}
	return a.Plane(), nil
}
