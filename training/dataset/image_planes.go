package dataset

import (
	"fmt"
	"image"
	"image/color"
	"slices"
)

// planes takes a decoded picture apart.
func planes(picture image.Image, format string) (*Image, error) {
	b := picture.Bounds()
	m := &Image{Width: b.Dx(), Height: b.Dy(), Channels: 3, Depth: 8}
	n := m.Width * m.Height
	if grey(picture, format) {
		m.Channels = 1
	}
	m.Pix = make([]float32, n*m.Channels)
	var alpha []float32
	switch p := picture.(type) {
	case *image.Gray:
		eachRow(m, func(row, at int) {
			for x, v := range p.Pix[row*p.Stride : row*p.Stride+m.Width] {
				m.Pix[at+x] = float32(v) / 255
			}
		})
	case *image.Gray16:
		m.Depth = 16
		eachRow(m, func(row, at int) {
			for x := range m.Width {
				m.Pix[at+x] = sample16(p.Pix[row*p.Stride+2*x:])
			}
		})
	case *image.YCbCr:
		setYCbCr(m, p, format)
	case *image.NYCbCrA:
		setYCbCr(m, &p.YCbCr, format)
		alpha = make([]float32, n)
		eachRow(m, func(row, at int) {
			for x, v := range p.A[row*p.AStride : row*p.AStride+m.Width] {
				alpha[at+x] = float32(v) / 255
			}
		})
	case *image.NRGBA:
		alpha = set8(m, p.Pix, p.Stride)
	case *image.RGBA:
		alpha = set8(m, p.Pix, p.Stride)
		m.unmultiply(alpha)
	case *image.NRGBA64:
		alpha = set16(m, p.Pix, p.Stride)
	case *image.RGBA64:
		alpha = set16(m, p.Pix, p.Stride)
		m.unmultiply(alpha)
	case *image.CMYK:
		eachRow(m, func(row, at int) {
			for x := range m.Width {
				s := p.Pix[row*p.Stride+4*x : row*p.Stride+4*x+4]
				r, g, b := color.CMYKToRGB(s[0], s[1], s[2], s[3])
				m.Pix[at+x], m.Pix[n+at+x], m.Pix[2*n+at+x] = float32(r)/255, float32(g)/255, float32(b)/255
			}
		})
	case *image.Paletted:
		table := paletteTable(p.Palette)
		alpha = make([]float32, n)
		eachRow(m, func(row, at int) {
			for x, v := range p.Pix[row*p.Stride : row*p.Stride+m.Width] {
				entry := table[v]
				for c := range m.Channels {
					m.Pix[c*n+at+x] = entry[c]
				}
				alpha[at+x] = entry[3]
			}
		})
	default:
		return nil, fmt.Errorf("a %T is not known", picture)
	}
	opaque := !slices.ContainsFunc(alpha, func(a float32) bool { return a != 1 })
	// Writers of 32-bit bitmaps leave the fourth byte at 0 when they mean no alpha.
	unused := format == formatBMP && !slices.ContainsFunc(alpha, func(a float32) bool { return a != 0 })
	if !opaque && !unused {
		m.Alpha = alpha
	}
	return m, nil
}

// eachRow calls f with each row's number and the place of its first sample in a plane.
func eachRow(m *Image, f func(row, at int)) {
	for y := range m.Height {
		f(y, y*m.Width)
	}
}

func sample16(b []byte) float32 { return float32(uint16(b[0])<<8|uint16(b[1])) / 65535 }

// set8 fills the colour planes from interleaved bytes of red, green, blue, alpha, and returns alpha.
func set8(m *Image, pix []byte, stride int) []float32 {
	n := m.Width * m.Height
	alpha := make([]float32, n)
	eachRow(m, func(row, at int) {
		for x := range m.Width {
			s := pix[row*stride+4*x : row*stride+4*x+4]
			for c := range m.Channels {
				m.Pix[c*n+at+x] = float32(s[c]) / 255
			}
			alpha[at+x] = float32(s[3]) / 255
		}
	})
	return alpha
}

// set16 is set8 for big-endian samples of 16 bits.
func set16(m *Image, pix []byte, stride int) []float32 {
	m.Depth = 16
	n := m.Width * m.Height
	alpha := make([]float32, n)
	eachRow(m, func(row, at int) {
		for x := range m.Width {
			s := pix[row*stride+8*x : row*stride+8*x+8]
			for c := range m.Channels {
				m.Pix[c*n+at+x] = sample16(s[2*c:])
			}
			alpha[at+x] = sample16(s[6:])
		}
	})
	return alpha
}

// unmultiply divides colour by alpha. A clear pixel has no colour left and stays black.
func (m *Image) unmultiply(alpha []float32) {
	n := m.Width * m.Height
	for i, a := range alpha {
		if a == 0 || a == 1 {
			continue
		}
		for c := range m.Channels {
			m.Pix[c*n+i] = min(m.Pix[c*n+i]/a, 1)
		}
	}
}

// setYCbCr fills the planes of a colour picture. JPEG's samples span 0 to 255; WebP's luma spans 16 to 235 and its chroma
// 16 to 240 (ITU-R BT.601), which the standard conversion of image.YCbCr does not know.
func setYCbCr(m *Image, p *image.YCbCr, format string) {
	n := m.Width * m.Height
	studio := format == formatWebP
	eachRow(m, func(row, at int) {
		y0 := p.Rect.Min.Y + row
		for x := range m.Width {
			yy, cc := p.YOffset(p.Rect.Min.X+x, y0), p.COffset(p.Rect.Min.X+x, y0)
			var r, g, b uint8
			if studio {
				r, g, b = studioToRGB(p.Y[yy], p.Cb[cc], p.Cr[cc])
			} else {
				r, g, b = color.YCbCrToRGB(p.Y[yy], p.Cb[cc], p.Cr[cc])
			}
			m.Pix[at+x], m.Pix[n+at+x], m.Pix[2*n+at+x] = float32(r)/255, float32(g)/255, float32(b)/255
		}
	})
}

func studioToRGB(y, cb, cr uint8) (r, g, b uint8) {
	luma := 255. / 219 * (float64(y) - 16)
	u, v := 255./224*(float64(cb)-128), 255./224*(float64(cr)-128)
	const kr, kb = 0.299, 0.114
	return clip8(luma + 2*(1-kr)*v),
		clip8(luma - 2*(1-kb)*kb/(1-kr-kb)*u - 2*(1-kr)*kr/(1-kr-kb)*v),
		clip8(luma + 2*(1-kb)*u)
}

func clip8(v float64) uint8 { return uint8(max(0, min(255, v)) + 0.5) }

// paletteTable holds red, green, blue and alpha of each colour, with black behind the end of the palette.
func paletteTable(p color.Palette) (table [256][4]float32) {
	for i, c := range p[:min(len(p), len(table))] {
		if c, ok := c.(color.NRGBA); ok {
			table[i] = [4]float32{float32(c.R) / 255, float32(c.G) / 255, float32(c.B) / 255, float32(c.A) / 255}
			continue
		}
		v := color.NRGBA64Model.Convert(c).(color.NRGBA64)
		table[i] = [4]float32{float32(v.R) / 65535, float32(v.G) / 65535, float32(v.B) / 65535, float32(v.A) / 65535}
	}
	return table
}

// grey reports whether a picture has no colour by its format: grey samples, or a palette of greys. A PNG of grey and
// alpha decodes to four samples, so that these are looked at.
func grey(picture image.Image, format string) bool {
	switch p := picture.(type) {
	case *image.Gray, *image.Gray16:
		return true
	case *image.Paletted:
		for _, v := range paletteTable(p.Palette) {
			if v[0] != v[1] || v[0] != v[2] {
				return false
			}
		}
		return true
	case *image.NRGBA, *image.NRGBA64:
		return format == formatPNG && greyPixels(picture)
	}
	return false
}

// greyPixels reports whether the three colours of every pixel are equal.
func greyPixels(picture image.Image) bool {
	switch p := picture.(type) {
	case *image.NRGBA:
		for i := 0; i+3 < len(p.Pix); i += 4 {
			if p.Pix[i] != p.Pix[i+1] || p.Pix[i] != p.Pix[i+2] {
				return false
			}
		}
	case *image.NRGBA64:
		for i := 0; i+7 < len(p.Pix); i += 8 {
			if p.Pix[i] != p.Pix[i+2] || p.Pix[i] != p.Pix[i+4] || p.Pix[i+1] != p.Pix[i+3] || p.Pix[i+1] != p.Pix[i+5] {
				return false
			}
		}
	}
	return true
}
