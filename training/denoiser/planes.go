package denoiser

import (
	"fmt"
	"math"
)

// Planes is a picture as planes of samples, 0 black to 1 white; samples may lie outside.
type Planes struct {
	Pix                     []float32 // Channels planes of Height rows of Width samples
	Channels, Height, Width int
}

// maxSamples bounds a picture: what the methods allocate is a few times that.
const maxSamples = 1 << 28

func (p Planes) check(method string) error {
	switch {
	case p.Channels < 1 || p.Height < 1 || p.Width < 1 || p.Height > maxSamples/p.Width || p.Channels > maxSamples/(p.Height*p.Width):
		return fmt.Errorf("%s: a picture of %dx%d with %d channels", method, p.Width, p.Height, p.Channels)
	case len(p.Pix) != p.Channels*p.Height*p.Width:
		return fmt.Errorf("%s: %d samples for %dx%d with %d channels", method, len(p.Pix), p.Width, p.Height, p.Channels)
	}
	for i, v := range p.Pix {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s: sample %d is %v", method, i, v)
		}
	}
	return nil
}

func (p Planes) plane(c int) []float32 {
	n := p.Height * p.Width
	return p.Pix[c*n : (c+1)*n]
}

// empty is a picture of the same size, all 0.
func (p Planes) empty() Planes {
	p.Pix = make([]float32, len(p.Pix))
	return p
}
