package denoiser

// TVLine gives argmin_x 1/2 |x - y|^2 + weight sum_i |x[i+1] - x[i]|, exactly, in time that grows as the length.
//
// It is the taut string (Davies, Kovac, Annals of Statistics 29(1) 2001): with r the running sums of y, x is the slope of the
// shortest path from (0, 0) to (n, r[n]) inside the tube r +- weight. The path is found as in a polygon, by a funnel (Lee, Preparata,
// Networks 14(3) 1984): from the point that is certain a convex chain along the tube's upper side and a concave one along its lower;
// where one of them turns past the other's first piece, that piece is certain.
func TVLine(y []float64, weight float64) ([]float64, error) {
	if err := checkLine("total variation", y, weight); err != nil {
		return nil, err
	}
	n := len(y)
	x := make([]float64, n)
	mean := 0.0
	for i, v := range y {
		mean += (v - mean) / float64(i+1) // running sums of what is left of y are small
	}
	f := funnel{x: x}
	sum := 0.0
	for i, v := range y {
		sum += v - mean
		half := weight
		if i == n-1 {
			half = 0
		}
		f.upper.add(&f, &f.lower, corner{i + 1, sum + half}, 1)
		f.lower.add(&f, &f.upper, corner{i + 1, sum - half}, -1)
	}
	for len(f.upper.of) > 0 { // one piece: both sides end in the same corner
		f.advance(&f.upper)
	}
	for i := range x {
		x[i] += mean
	}
	return x, nil
}

// corner is a point of the tube's border: the height behind the first at samples.
type corner struct {
	at     int
	height float64
}

// slope is that of the way from a to b.
func (a corner) slope(b corner) float64 { return (b.height - a.height) / float64(b.at-a.at) }

// chain is the way along one side of the tube from the certain point on.
type chain struct{ of []corner }

// funnel is what is certain, and the two chains.
type funnel struct {
	x            []float64
	from         corner
	upper, lower chain
}

// advance makes the first piece of a chain certain.
func (f *funnel) advance(c *chain) {
	to := c.of[0]
	slope := f.from.slope(to)
	for i := f.from.at; i < to.at; i++ {
		f.x[i] = slope
	}
	f.from, c.of = to, c.of[1:]
}

// add lengthens a chain by a corner: sign 1 keeps slopes rising (the upper side), -1 falling.
func (c *chain) add(f *funnel, other *chain, p corner, sign float64) {
	for len(c.of) > 0 {
		last, before := c.of[len(c.of)-1], f.from
		if len(c.of) > 1 {
			before = c.of[len(c.of)-2]
		}
		if sign*before.slope(last) < sign*last.slope(p) {
			break
		}
		c.of = c.of[:len(c.of)-1]
	}
	if len(c.of) == 0 {
		for len(other.of) > 0 && sign*f.from.slope(other.of[0]) > sign*f.from.slope(p) {
			f.advance(other)
		}
	}
	c.of = append(c.of, p)
}
