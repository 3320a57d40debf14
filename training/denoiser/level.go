package denoiser

import (
	"math"
	"slices"
)

// Level estimates the standard deviation of white noise: the median magnitude of the finest diagonal Haar coefficients over that of
// a standard normal variable (Donoho, Johnstone, Biometrika 81(3) 1994). Texture raises it, clipping lowers it; a picture of a
// single row or column has none, and 0.
func Level(y Planes) float64 {
	if y.check("noise level") != nil {
		return 0
	}
	var all []float64
	for c := range y.Channels {
		p := y.plane(c)
		for i := 0; i+1 < y.Height; i += 2 {
			for j := 0; j+1 < y.Width; j += 2 {
				at := i*y.Width + j
				all = append(all, math.Abs(float64(p[at])-float64(p[at+1])-float64(p[at+y.Width])+float64(p[at+y.Width+1]))/2)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	const normal = 0.6744897501960817 // the third quartile of a standard normal variable
	return all[len(all)/2] / normal
}
