package dataset

import "fmt"

// Zoom is the part of w by h pixels at (x, y) with every pixel drawn as a square of factor by factor: what a reader
// compares pixel by pixel.
func (m *Image) Zoom(x, y, w, h, factor int) (*Image, error) {
	if factor < 1 || w < 1 || h < 1 || factor > maxSide/max(w, h) {
		return nil, fmt.Errorf("zoom %dx%d by %d: a result of 1 to %d pixels a side is wanted", w, h, factor, maxSide)
	}
	part, err := m.Crop(x, y, w, h)
	if err != nil {
		return nil, fmt.Errorf("zoom: %w", err)
	}
	return part.withPlanes(w*factor, h*factor, func(dst, src []float32) {
		for i := range dst {
			row, column := i/(w*factor), i%(w*factor)
			dst[i] = src[row/factor*w+column/factor]
		}
	}), nil
}

// Busiest is the upper left corner of the window of w by h pixels (made smaller where the image is) with the largest
// energy of first differences: where a crop shows most. The first in reading order wins a tie. It steps in eighths of
// the window.
func (m *Image) Busiest(w, h int) (x, y int) {
	w, h = max(1, min(w, m.Width)), max(1, min(h, m.Height))
	// sums[y][x] is the energy above and left of (x, y): four reads give any window's.
	stride := m.Width + 1
	sums := make([]float64, stride*(m.Height+1))
	n := m.Width * m.Height
	for row := range m.Height {
		var line float64
		for column := range m.Width {
			i := row*m.Width + column
			for c := range m.Channels {
				v := m.Pix[c*n+i]
				if column > 0 {
					d := float64(v - m.Pix[c*n+i-1])
					line += d * d
				}
				if row > 0 {
					d := float64(v - m.Pix[c*n+i-m.Width])
					line += d * d
				}
			}
			sums[(row+1)*stride+column+1] = sums[row*stride+column+1] + line
		}
	}
	best := -1.0
	for row := 0; row+h <= m.Height; row += max(1, h/8) {
		for column := 0; column+w <= m.Width; column += max(1, w/8) {
			energy := sums[(row+h)*stride+column+w] - sums[row*stride+column+w] - sums[(row+h)*stride+column] + sums[row*stride+column]
			if energy > best {
				best, x, y = energy, column, row
			}
		}
	}
	return x, y
}
