package bilevel

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Convolution is a W that slides filters over a signal of one or two dimensions, at all places where they lie inside it: row
// filter·places + place. The parameters are the filters, one after the other; they go with signals of any size.
type Convolution struct {
	Filters int
	Width   int   // of a filter, along each axis: 3 to 11
	Signal  []int // its length, or its height and width
	// Extended has filters at all places where they cover two samples of an axis at least: beyond its ends the signal goes on as its last
	// sample. Without it the ends are under fewer filters than the middle.
	Extended bool
	// Centred keeps the mean of each filter at 0: constant signals cost nothing, whatever is learned. Rows over a constant piece are then
	// dependent whatever the filters are, and the gradient is one of a W whose rank stays.
	Centred bool
}

const (
	narrowest = 3
	widest    = 11
)

func (c Convolution) check() error {
	if c.Filters < 1 || c.Width < narrowest || c.Width > widest {
		return fmt.Errorf("convolution: %d filters of width %d: wants 1 filter at least, and widths of %d to %d", c.Filters, c.Width, narrowest, widest)
	}
	if len(c.Signal) < 1 || len(c.Signal) > 2 {
		return fmt.Errorf("convolution: a signal of %d axes: wants 1 or 2", len(c.Signal))
	}
	for _, n := range c.Signal {
		if n < c.Width {
			return fmt.Errorf("convolution: a signal of size %v is smaller than a filter of width %d", c.Signal, c.Width)
		}
	}
	return nil
}

// Taps is how many numbers a filter has.
func (c Convolution) Taps() int {
	if len(c.Signal) == 2 {
		return c.Width * c.Width
	}
	return c.Width
}

// span is the places of filters along an axis of n samples.
func (c Convolution) span(n int) (from, to int) {
	if c.Extended {
		return 2 - c.Width, n - 1
	}
	return 0, n - c.Width + 1
}

func (c Convolution) places() int {
	n := 1
	for _, s := range c.Signal {
		from, to := c.span(s)
		n *= to - from
	}
	return n
}

// Size is the rows and columns of W.
func (c Convolution) Size() (rows, cols int) {
	cols = 1
	for _, s := range c.Signal {
		cols *= s
	}
	return c.Filters * c.places(), cols
}

// each calls f for every element of W that a parameter is in, and again where it is in it twice.
func (c Convolution) each(f func(element, parameter int)) {
	height, width, tall, top, bottom := 1, c.Signal[len(c.Signal)-1], 1, 0, 1
	if len(c.Signal) == 2 {
		height, tall = c.Signal[0], c.Width
		top, bottom = c.span(height)
	}
	left, right := c.span(width)
	cols, row := height*width, 0
	inside := func(at, n int) int { return max(0, min(at, n-1)) }
	for filter := range c.Filters {
		for y := top; y < bottom; y++ {
			for x := left; x < right; x++ {
				for dy := range tall {
					for dx := range c.Width {
						f(row*cols+inside(y+dy, height)*width+inside(x+dx, width), (filter*tall+dy)*c.Width+dx)
					}
				}
				row++
			}
		}
	}
}

// Operator is the matrix of the filters.
func (c Convolution) Operator(filters []float64) []float64 {
	rows, cols := c.Size()
	w := make([]float64, rows*cols)
	c.each(func(e, p int) { w[e] += filters[p] })
	return w
}

// Pullback sums over the places of a filter; of filters without a mean, it is what lies in their space.
func (c Convolution) Pullback(dw []float64) []float64 {
	d := make([]float64, c.Filters*c.Taps())
	c.each(func(e, p int) { d[p] += dw[e] })
	c.centre(d)
	return d
}

// Retract takes away what rounding gives filters for a mean that should have none.
func (c Convolution) Retract(filters []float64) error {
	c.centre(filters)
	return nil
}

func (c Convolution) centre(filters []float64) {
	if !c.Centred {
		return
	}
	for taps := c.Taps(); len(filters) >= taps; filters = filters[taps:] {
		floats.AddConst(-floats.Sum(filters[:taps])/float64(taps), filters[:taps])
	}
}

// Begin is random filters without a mean, or, for CentredIdentity, a one less the mean at another tap for each filter; times scale.
func (c Convolution) Begin(s Start, scale float64, seed uint64) ([]float64, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	p, err := Free{Rows: c.Filters, Cols: c.Taps()}.Begin(Random, scale, seed)
	if err != nil || s == Random {
		return p, err
	}
	if s != CentredIdentity {
		return nil, fmt.Errorf("start %d: wants %d or %d", s, Random, CentredIdentity)
	}
	taps := c.Taps()
	for i := range min(c.Filters, taps) {
		filter := p[i*taps : (i+1)*taps]
		clear(filter)
		filter[(taps/2+i)%taps] = scale
		floats.AddConst(-scale/float64(taps), filter)
	}
	return p, nil
}

// At is the same filters over signals of another size.
func (c Convolution) At(signal ...int) (Convolution, error) {
	c.Signal = slices.Clone(signal)
	return c, c.check()
}
