package dataset

// ReadPicture reads a picture of any size from one pixel on, as ReadImage does, and makes it one of so many channels (1 or
// 3), rows and columns; 0 keeps what it has. Grey becomes three equal planes, colour its luma (ITU-R BT.601). The aspect is
// not kept. Alpha is dropped.
func ReadPicture(path string, channels, height, width int) (*Image, error) {
	m, err := readPicture(path)
	if err != nil {
		return nil, err
	}
	orElse := func(n, own int) int {
		if n == 0 {
			return own
		}
		return n
	}
	m = m.fitted(orElse(channels, m.Channels), orElse(height, m.Height), orElse(width, m.Width))
	m.Alpha = nil
	return m, nil
}

// fitted is m as channels planes of h rows of w samples.
func (m *Image) fitted(channels, h, w int) *Image {
	n := m.Width * m.Height
	switch {
	case channels == 3:
		m = m.RGB()
	case m.Channels == 3:
		grey := &Image{Width: m.Width, Height: m.Height, Channels: 1, Pix: make([]float32, n)}
		for i := range n {
			grey.Pix[i] = 0.299*m.Pix[i] + 0.587*m.Pix[n+i] + 0.114*m.Pix[2*n+i]
		}
		m = grey
	}
	if w != m.Width || h != m.Height {
		c := *m
		c.Alpha = nil
		m = c.scaled(w, h)
	}
	return m
}
