package cli

import (
	"bytes"
	"math"

	"graft/masking"
	"graft/training/dataset"
)

// maskPictureWidth is where the tiles of a mask's picture break into the next row.
const maskPictureWidth = 420

// maskPicture shows a mask: a tile for each weight of a convolution, in the network's order, with a pixel for each pair of output
// (down) and input (across). Its grey is the root of the fraction that is kept of the kernel: black is nothing, white all.
func maskPicture(set *masking.Set) ([]byte, error) {
	type tile struct {
		x, y, w, h int
		mask       *masking.Mask
	}
	const gap = 3
	var tiles []tile
	x, y, height, width := gap, gap, 0, maskPictureWidth
	for _, m := range set.Masks() {
		if len(m.Dims) != 4 || len(m.Keep) == 0 {
			continue
		}
		w, h := int(m.Dims[1]), int(m.Dims[0])
		if x > gap && x+w+gap > maskPictureWidth {
			x, y, height = gap, y+height+gap, 0
		}
		tiles = append(tiles, tile{x, y, w, h, m})
		x, height, width = x+w+gap, max(height, h), max(width, w+2*gap)
	}
	img := &dataset.Image{Width: width, Height: max(y+height+gap, 1), Channels: 1, Depth: 8}
	img.Pix = make([]float32, img.Width*img.Height)
	for i := range img.Pix {
		img.Pix[i] = 0.35
	}
	for _, t := range tiles {
		kernel := int(t.mask.Dims[2] * t.mask.Dims[3])
		for o := range t.h {
			for i := range t.w {
				kept := 0
				for _, k := range t.mask.Keep[(o*t.w+i)*kernel:][:kernel] {
					if k {
						kept++
					}
				}
				img.Pix[(t.y+o)*img.Width+t.x+i] = float32(math.Sqrt(float64(kept) / float64(kernel)))
			}
		}
	}
	var b bytes.Buffer
	err := dataset.WritePNG(&b, img)
	return b.Bytes(), err
}
