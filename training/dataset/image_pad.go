package dataset

import "fmt"

// Padding is how many rows and columns were added on each side.
type Padding struct{ Left, Top, Right, Bottom int }

// PadToMultiple extends m on all sides alike (an odd rest goes right and below) to sides that are multiples of n, by
// mirroring at the border without repeating the edge, as the reflect mode of ONNX's Pad does. A side of a single pixel is
// repeated. Sides of more than 8192 pixels are an error.
func (m *Image) PadToMultiple(n int) (*Image, Padding, error) {
	if err := m.Check(); err != nil {
		return nil, Padding{}, fmt.Errorf("pad: %w", err)
	}
	if n < 1 || n > maxSide {
		return nil, Padding{}, fmt.Errorf("pad to a multiple of %d: 1 to %d is wanted", n, maxSide)
	}
	w, h := roundUp(m.Width, n), roundUp(m.Height, n)
	if w > maxSide || h > maxSide {
		return nil, Padding{}, fmt.Errorf("pad %dx%d to a multiple of %d: a side would pass %d: crop it", m.Width, m.Height, n, maxSide)
	}
	p := Padding{Left: (w - m.Width) / 2, Top: (h - m.Height) / 2}
	p.Right, p.Bottom = w-m.Width-p.Left, h-m.Height-p.Top
	if w == m.Width && h == m.Height {
		return m.Clone(), p, nil
	}
	columns, rows := mirrored(m.Width, p.Left, w), mirrored(m.Height, p.Top, h)
	return m.withPlanes(w, h, func(dst, src []float32) {
		for y, sy := range rows {
			for x, sx := range columns {
				dst[y*w+x] = src[sy*m.Width+sx]
			}
		}
	}), p, nil
}

// Unpad takes off what PadToMultiple added.
func (m *Image) Unpad(p Padding) (*Image, error) {
	return m.Crop(p.Left, p.Top, m.Width-p.Left-p.Right, m.Height-p.Top-p.Bottom)
}

// Crop is a copy of the part of w by h pixels whose upper left corner is at (x, y). It must lie inside.
func (m *Image) Crop(x, y, w, h int) (*Image, error) {
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("crop: %w", err)
	}
	if x < 0 || y < 0 || w < 1 || h < 1 || w > m.Width-x || h > m.Height-y {
		return nil, fmt.Errorf("crop %dx%d at (%d,%d): outside of %dx%d pixels", w, h, x, y, m.Width, m.Height)
	}
	return m.withPlanes(w, h, func(dst, src []float32) {
		for row := range h {
			copy(dst[row*w:(row+1)*w], src[(y+row)*m.Width+x:])
		}
	}), nil
}

func roundUp(v, n int) int { return (v + n - 1) / n * n }

// mirrored gives, for each of total places, the place of 0 to size-1 that shows there when size places start at offset
// and mirrors stand on the first and the last.
func mirrored(size, offset, total int) []int {
	at := make([]int, total)
	for i := range at {
		period := max(1, 2*(size-1))
		v := ((i-offset)%period + period) % period
		if v >= size {
			v = period - v
		}
		at[i] = v
	}
	return at
}
