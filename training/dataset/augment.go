package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/noise"
)

// Augmentation moves each picture of a batch a little, by numbers drawn anew for every step, evenly between minus and plus a
// bound. The zero value leaves pictures as they are.
type Augmentation struct {
	Shift  float64 // pixels, along each axis
	Rotate float64 // degrees, about the centre
	Zoom   float64 // part of the size: the picture is between 1 - Zoom and 1 + Zoom times as large
	Flip   bool    // left and right change places in half of the pictures
	Crop   int     // pixels of zeros all round, of which a window of the old size is cut out at an even place
	Cutout int     // side of a square of zeros about an even pixel, as far as it is in the picture (DeVries and Taylor 2017)
}

// ParseAugmentation reads "shift=2,rotate=10,zoom=0.1,flip,crop=4,cutout=8" cut at its commas.
func ParseAugmentation(list []string) (Augmentation, error) {
	var a Augmentation
	for _, s := range list {
		name, value, valued := strings.Cut(s, "=")
		if name == "flip" && !valued {
			a.Flip = true
			continue
		}
		if to := map[string]*int{"crop": &a.Crop, "cutout": &a.Cutout}[name]; to != nil {
			n, err := strconv.ParseUint(value, 10, 12)
			if err != nil || n == 0 {
				return a, fmt.Errorf("%q: %s wants a whole number of pixels from 1 to 4095", s, name)
			}
			*to = int(n)
			continue
		}
		bound := map[string]struct {
			to   *float64
			most float64
		}{"shift": {&a.Shift, 1 << 16}, "rotate": {&a.Rotate, 180}, "zoom": {&a.Zoom, 0.9}}[name]
		if bound.to == nil {
			return a, fmt.Errorf("%q: there are shift=PIXELS, rotate=DEGREES, zoom=PART, flip, crop=PIXELS and cutout=PIXELS", s)
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v > 0 && v <= bound.most) {
			return a, fmt.Errorf("%q: %s wants a number above 0, at most %g", s, name, bound.most)
		}
		*bound.to = v
	}
	return a, nil
}

// IsZero reports whether pictures stay as they are.
func (a Augmentation) IsZero() bool { return a == Augmentation{} }

// String is the form that ParseAugmentation reads.
func (a Augmentation) String() string {
	var parts []string
	for _, p := range []struct {
		name string
		v    float64
	}{{"shift", a.Shift}, {"rotate", a.Rotate}, {"zoom", a.Zoom}} {
		if p.v != 0 {
			parts = append(parts, p.name+"="+strconv.FormatFloat(p.v, 'g', -1, 64))
		}
	}
	if a.Flip {
		parts = append(parts, "flip")
	}
	for _, p := range []struct {
		name string
		n    int
	}{{"crop", a.Crop}, {"cutout", a.Cutout}} {
		if p.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", p.name, p.n))
		}
	}
	return strings.Join(parts, ",")
}

// draws is how many random numbers a picture takes to be moved, cuts how many for its window and its square, behind those of the
// whole batch.
const draws, cuts = 5, 4

// apply moves the pictures of t, float [N,C,H,W], by the numbers of a key. What comes in from outside is the nearest pixel of
// the edge: it needs no value of its own, whatever pictures were normalized with. A window and a square leave zeros, the mean of
// pictures that are standardized.
func (a Augmentation) apply(t *onnx.Tensor, key noise.Key) {
	count, h, w := int(t.Dims[0]), int(t.Dims[2]), int(t.Dims[3])
	random := make([]float32, (draws+cuts)*count)
	noise.Uniform(random, key)
	cut := random[draws*count:]
	if a.Crop > 0 {
		eachPlane(t, func(i int, of []float32) {
			window(of, h, w, offset(cut[cuts*i], a.Crop), offset(cut[cuts*i+1], a.Crop))
		})
	}
	if a.Shift != 0 || a.Rotate != 0 || a.Zoom != 0 || a.Flip {
		a.move(t, random)
	}
	if a.Cutout > 0 {
		eachPlane(t, func(i int, of []float32) { blank(of, h, w, pick(cut[cuts*i+2], w), pick(cut[cuts*i+3], h), a.Cutout) })
	}
}

// move turns, shifts, scales and mirrors the pictures of t.
func (a Augmentation) move(t *onnx.Tensor, random []float32) {
	count, channels, h, w := int(t.Dims[0]), int(t.Dims[1]), int(t.Dims[2]), int(t.Dims[3])
	plane := h * w
	source, at := make([]float32, channels*plane), make([]corner, plane)
	for i := range count {
		picture := t.Float32s()[i*channels*plane:][:channels*plane]
		copy(source, picture)
		a.taps(at, random[draws*i:][:draws], h, w)
		for c := range channels {
			from, to := source[c*plane:][:plane], picture[c*plane:][:plane]
			for p, s := range at {
				top := from[s.at[0]] + s.x*(from[s.at[1]]-from[s.at[0]])
				bottom := from[s.at[2]] + s.x*(from[s.at[3]]-from[s.at[2]])
				to[p] = top + s.y*(bottom-top)
			}
		}
	}
}

// eachPlane calls f with the number of a picture and each of its planes.
func eachPlane(t *onnx.Tensor, f func(i int, of []float32)) {
	channels, plane := int(t.Dims[1]), int(t.Dims[2]*t.Dims[3])
	for i := range int(t.Dims[0]) * channels {
		f(i/channels, t.Float32s()[i*plane:][:plane])
	}
}

// pick is 0 to n-1, evenly; offset -n to n.
func pick(r float32, n int) int   { return min(int(float64(r)*float64(n)), n-1) }
func offset(r float32, n int) int { return pick(r, 2*n+1) - n }

// blank clears a square of a plane about the pixel (x, y), as far as it is in it.
func blank(plane []float32, h, w, x, y, side int) {
	x, y = x-side/2, y-side/2
	for row := max(0, y); row < min(h, y+side); row++ {
		clear(plane[row*w+max(0, x) : row*w+min(w, x+side)])
	}
}

// window replaces a plane by what stands dx to the right and dy below, zeros outside.
func window(plane []float32, h, w, dx, dy int) {
	if dx == 0 && dy == 0 {
		return
	}
	for i := range h {
		row := i // rows in the order in which none is overwritten before it is read
		if dy < 0 {
			row = h - 1 - i
		}
		to := plane[row*w:][:w]
		if row+dy < 0 || row+dy >= h || dx <= -w || dx >= w {
			clear(to)
			continue
		}
		from := plane[(row+dy)*w:][:w]
		if dx >= 0 {
			copy(to, from[dx:])
			clear(to[w-dx:])
		} else {
			copy(to[-dx:], from)
			clear(to[:-dx])
		}
	}
}

// corner is where a pixel comes from: between four others, by parts x and y of the way.
type corner struct {
	at   [4]int
	x, y float32
}

// taps fills in where the pixels of one picture come from. With r in (0,1) and u = 2r - 1, the pixel at q, counted from the
// centre, is read at
//
//	R(-angle) (q - shift) / zoom,  its x negated in a picture that is flipped.
func (a Augmentation) taps(at []corner, r []float32, h, w int) {
	u := func(i int) float64 { return 2*float64(r[i]) - 1 }
	sin, cos := math.Sincos(a.Rotate * math.Pi / 180 * u(0))
	zoom, dx, dy := 1+a.Zoom*u(1), a.Shift*u(2), a.Shift*u(3)
	mirror := 1.0
	if a.Flip && r[4] < 0.5 {
		mirror = -1
	}
	middleX, middleY := float64(w-1)/2, float64(h-1)/2
	for i := range at {
		qx, qy := (float64(i%w)-middleX-dx)/zoom, (float64(i/w)-middleY-dy)/zoom
		x0, x1, fx := between(middleX+mirror*(cos*qx+sin*qy), w)
		y0, y1, fy := between(middleY+cos*qy-sin*qx, h)
		at[i] = corner{[4]int{y0*w + x0, y0*w + x1, y1*w + x0, y1*w + x1}, fx, fy}
	}
}

// between is the two numbers of 0 to n-1 that v, moved into their range, lies between, and how far it is behind the first.
func between(v float64, n int) (low, high int, part float32) {
	v = max(0, min(v, float64(n-1)))
	low = int(v)
	return low, min(low+1, n-1), float32(v - float64(low))
}
