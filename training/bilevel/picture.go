package bilevel

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Picture draws the rows of W as tiles of the given height and width, so many side by side, with a line between them: grey is 0, white and
// black the largest magnitude of the row, so that signs show. Rows that are signals of one dimension have height 1 and are drawn as tall
// as they are wide divided by four. Scale is the side of a number in pixels.
func Picture(w []float64, height, width, across, scale int) (*image.Gray, error) {
	size := height * width
	if height < 1 || width < 1 || across < 1 || scale < 1 || len(w) == 0 || len(w)%size != 0 {
		return nil, fmt.Errorf("picture: %d numbers as tiles of %d by %d, %d across, scale %d", len(w), height, width, across, scale)
	}
	tall := 1
	if height == 1 {
		tall = max(1, width/4)
	}
	rows := len(w) / size
	across = min(across, rows)
	down := (rows + across - 1) / across
	stepX, stepY := width*scale+1, height*tall*scale+1
	p := image.NewGray(image.Rect(0, 0, across*stepX+1, down*stepY+1))
	for i := range rows {
		row := w[i*size : (i+1)*size]
		most := 0.0
		for _, v := range row {
			most = math.Max(most, math.Abs(v))
		}
		for y := range height * tall * scale {
			for x := range width * scale {
				grey := 127.5
				if v := row[y/(tall*scale)*width+x/scale]; most > 0 {
					grey += 127.5 * v / most
				}
				p.SetGray(i%across*stepX+1+x, i/across*stepY+1+y, color.Gray{Y: uint8(math.Round(grey))})
			}
		}
	}
	return p, nil
}
