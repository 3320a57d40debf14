package dataset

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"graft/onnx/atomicfile"
)

// WritePNG writes m as a PNG of m.Depth bits a sample (8 unless it is 16): samples are clipped to [0,1] and rounded to
// the nearest step, NaN becomes black, alpha is put back. Grey stays grey, but grey with alpha is written as colour with
// alpha, and comes back grey. The same image gives the same bytes.
func WritePNG(w io.Writer, m *Image) error {
	if err := m.Check(); err != nil {
		return fmt.Errorf("write PNG: %w", err)
	}
	encoder := png.Encoder{CompressionLevel: png.DefaultCompression}
	if err := encoder.Encode(w, m.picture()); err != nil {
		return fmt.Errorf("write PNG: %w", err)
	}
	return nil
}

// SavePNG is WritePNG to a file that is whole or not there.
func SavePNG(path string, m *Image) error {
	return atomicfile.Write(path, 0o666, func(w io.Writer) error { return WritePNG(w, m) })
}

// picture is m in the form that encodes to the smallest PNG without loss.
func (m *Image) picture() image.Image {
	n := m.Width * m.Height
	rect := image.Rect(0, 0, m.Width, m.Height)
	// at is sample c of pixel i; a grey image has the same in all three colours.
	at := func(c, i int) float32 { return m.Pix[min(c, m.Channels-1)*n+i] }
	alpha := func(i int) float32 {
		if m.Alpha == nil {
			return 1
		}
		return m.Alpha[i]
	}
	grey := m.Channels == 1 && m.Alpha == nil
	switch {
	case grey && m.Depth == 16:
		p := image.NewGray16(rect)
		for i, v := range m.Pix {
			q := quantize(v, 65535)
			p.Pix[2*i], p.Pix[2*i+1] = uint8(q>>8), uint8(q)
		}
		return p
	case grey:
		p := image.NewGray(rect)
		for i, v := range m.Pix {
			p.Pix[i] = uint8(quantize(v, 255))
		}
		return p
	case m.Depth == 16:
		p := image.NewNRGBA64(rect)
		for i := range n {
			p.SetNRGBA64(i%m.Width, i/m.Width, color.NRGBA64{
				R: quantize(at(0, i), 65535), G: quantize(at(1, i), 65535), B: quantize(at(2, i), 65535),
				A: quantize(alpha(i), 65535),
			})
		}
		return p
	}
	p := image.NewNRGBA(rect)
	for i := range n {
		p.Pix[4*i], p.Pix[4*i+1], p.Pix[4*i+2] = uint8(quantize(at(0, i), 255)), uint8(quantize(at(1, i), 255)), uint8(quantize(at(2, i), 255))
		p.Pix[4*i+3] = uint8(quantize(alpha(i), 255))
	}
	return p
}

// quantize is the step of 0 to top nearest to v.
func quantize(v float32, top float64) uint16 {
	if !(v > 0) { // NaN too
		return 0
	}
	if v >= 1 {
		return uint16(top)
	}
	return uint16(float64(v)*top + 0.5)
}
