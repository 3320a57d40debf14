package dataset

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// Image is a picture as planes of samples.
type Image struct {
	Width, Height int
	Channels      int       // 1 (grey) or 3 (red, green, blue)
	Pix           []float32 // Channels planes of Height rows of Width samples, 0 black to 1 white, as the file's curve has them
	Alpha         []float32 // one plane, 0 clear to 1 opaque, nil when every pixel is opaque; Pix is not multiplied by it
	Depth         int       // bits a sample in the file it came from, 8 or 16
	Note          string    // what of the file is not here ("animation: only the first frame is used"), or empty
}

// Check says whether sizes and planes agree.
func (m *Image) Check() error {
	if m == nil {
		return fmt.Errorf("no image")
	}
	n := m.Width * m.Height
	switch {
	case m.Width < 1 || m.Height < 1 || m.Width > maxSide || m.Height > maxSide:
		return fmt.Errorf("image of %dx%d pixels: sides of 1 to %d are wanted", m.Width, m.Height, maxSide)
	case m.Channels != 1 && m.Channels != 3:
		return fmt.Errorf("image of %d channels: 1 or 3 are wanted", m.Channels)
	case len(m.Pix) != n*m.Channels:
		return fmt.Errorf("image of %dx%dx%d has %d samples, %d are wanted", m.Width, m.Height, m.Channels, len(m.Pix), n*m.Channels)
	case m.Alpha != nil && len(m.Alpha) != n:
		return fmt.Errorf("image of %dx%d has %d alpha samples, %d are wanted", m.Width, m.Height, len(m.Alpha), n)
	}
	return nil
}

// Clone is a copy that shares nothing.
func (m *Image) Clone() *Image {
	c := *m
	c.Pix, c.Alpha = slices.Clone(m.Pix), slices.Clone(m.Alpha)
	return &c
}

// RGB is m itself when it has three channels, else a copy with the grey plane three times.
func (m *Image) RGB() *Image {
	if m.Channels == 3 {
		return m
	}
	c := *m
	c.Channels, c.Alpha = 3, slices.Clone(m.Alpha)
	c.Pix = slices.Concat(m.Pix, m.Pix, m.Pix)
	return &c
}

// WithPix is the image of m's size, channels, depth and alpha whose colour planes are pix, which is not copied.
func (m *Image) WithPix(pix []float32) (*Image, error) {
	c := *m
	c.Pix, c.Alpha = pix, slices.Clone(m.Alpha)
	return &c, c.Check()
}

// Tensor is a copy of the colour planes, float [1,C,H,W]. Alpha is left out.
func (m *Image) Tensor() *onnx.Tensor {
	return onnx.FromSlice(m.Pix, 1, int64(m.Channels), int64(m.Height), int64(m.Width))
}

// FromTensor is the image in a float tensor [1,C,H,W] or [C,H,W] with C of 1 or 3: a copy, not clipped, of depth 8 and
// without alpha.
func FromTensor(t *onnx.Tensor) (*Image, error) {
	if t == nil || t.DType != onnx.Float {
		return nil, fmt.Errorf("image from tensor: a float tensor is wanted")
	}
	if err := t.Check(); err != nil {
		return nil, fmt.Errorf("image from tensor: %w", err)
	}
	d := t.Dims
	if len(d) == 4 && d[0] == 1 {
		d = d[1:]
	}
	if len(d) != 3 || (d[0] != 1 && d[0] != 3) || d[1] < 1 || d[2] < 1 || d[1] > maxSide || d[2] > maxSide {
		return nil, fmt.Errorf("image from tensor: dims %v, [1 C H W] with 1 or 3 channels are wanted", t.Dims)
	}
	return &Image{
		Width: int(d[2]), Height: int(d[1]), Channels: int(d[0]), Depth: 8,
		Pix: slices.Clone(t.Float32s()),
	}, nil
}

// withPlanes is m with every plane replaced by what f makes of it, w wide and h high.
func (m *Image) withPlanes(w, h int, f func(dst, src []float32)) *Image {
	c := *m
	c.Width, c.Height = w, h
	c.Pix = make([]float32, m.Channels*w*h)
	for i := range m.Channels {
		f(c.Pix[i*w*h:(i+1)*w*h], m.Pix[i*m.Width*m.Height:(i+1)*m.Width*m.Height])
	}
	if m.Alpha != nil {
		c.Alpha = make([]float32, w*h)
		f(c.Alpha, m.Alpha)
	}
	return &c
}
