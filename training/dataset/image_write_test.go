package dataset

import (
	"bytes"
	"image/png"
	"math"
	"path/filepath"
	"testing"

	"graft/onnx"

	"pgregory.net/rapid"
)

func drawImage(t *rapid.T) *Image {
	m := &Image{
		Width:    rapid.IntRange(minSide, 50).Draw(t, "width"),
		Height:   rapid.IntRange(minSide, 50).Draw(t, "height"),
		Channels: rapid.SampledFrom([]int{1, 3}).Draw(t, "channels"),
		Depth:    rapid.SampledFrom([]int{8, 16}).Draw(t, "depth"),
	}
	top := 1<<m.Depth - 1
	state := rapid.Uint32().Draw(t, "seed")
	next := func() float32 {
		state = state*1664525 + 1013904223
		return float32(int(state>>8)%(top+1)) / float32(top)
	}
	m.Pix = make([]float32, m.Channels*m.Width*m.Height)
	for i := range m.Pix {
		m.Pix[i] = next()
	}
	if rapid.Bool().Draw(t, "alpha") {
		m.Alpha = make([]float32, m.Width*m.Height)
		for i := range m.Alpha {
			m.Alpha[i] = next()
		}
	}
	return m
}

func encodePNG(t interface{ Fatal(...any) }, m *Image) []byte {
	var b bytes.Buffer
	if err := WritePNG(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Samples on the grid of their depth survive a file to the last bit, alpha with them, and the bytes repeat.
func TestPNGRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawImage(t)
		data := encodePNG(t, m)
		if !bytes.Equal(data, encodePNG(t, m.Clone())) {
			t.Fatal("two encodings differ")
		}
		back, err := DecodeImage("back", data)
		if err != nil {
			t.Fatal(err)
		}
		if back.Channels != m.Channels || back.Depth != m.Depth || (back.Alpha == nil) != (m.Alpha == nil) {
			t.Fatalf("%d channels, depth %d, alpha %v", back.Channels, back.Depth, back.Alpha != nil)
		}
		samePlane(t, m.Pix, back.Pix)
		samePlane(t, m.Alpha, back.Alpha)
	})
}

func samePlane(t interface{ Fatalf(string, ...any) }, want, got []float32) {
	if len(want) != len(got) {
		t.Fatalf("%d samples, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("sample %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestWriteClipsAndRounds(t *testing.T) {
	m := &Image{Width: 32, Height: 32, Channels: 1, Depth: 8, Pix: make([]float32, 1024)}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	copy(m.Pix, []float32{-3, 2, nan, inf, -inf, 0.5, 127.4 / 255, 127.6 / 255, 1})
	p, err := png.Decode(bytes.NewReader(encodePNG(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{0, 255, 0, 255, 0, 128, 127, 128, 255} {
		if got, _, _, _ := p.At(i, 0).RGBA(); got>>8 != want {
			t.Errorf("sample %d: %d, want %d", i, got>>8, want)
		}
	}
	if err := WritePNG(&bytes.Buffer{}, &Image{Width: 32, Height: 32, Channels: 3, Pix: make([]float32, 5)}); err == nil {
		t.Error("an image with too few samples was written")
	}
}

func TestTensorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawImage(t)
		back, err := FromTensor(m.Tensor())
		if err != nil {
			t.Fatal(err)
		}
		if back.Width != m.Width || back.Height != m.Height || back.Channels != m.Channels {
			t.Fatalf("%dx%dx%d", back.Width, back.Height, back.Channels)
		}
		samePlane(t, m.Pix, back.Pix)
		rgb := m.RGB()
		if err := rgb.Check(); err != nil || rgb.Channels != 3 {
			t.Fatal(err)
		}
		n := m.Width * m.Height
		samePlane(t, m.Pix[:n], rgb.Pix[:n])
		samePlane(t, m.Pix[len(m.Pix)-n:], rgb.Pix[2*n:])
	})
	for _, bad := range []*onnx.Tensor{
		nil, onnx.NewTensor(onnx.Double, 1, 3, 8, 8), onnx.NewTensor(onnx.Float, 2, 3, 8, 8), onnx.NewTensor(onnx.Float, 1, 4, 8, 8),
		onnx.NewTensor(onnx.Float, 1, 3, 0, 8), onnx.NewTensor(onnx.Float, 3, 8), {DType: onnx.Float, Dims: []int64{1, 3, 1 << 40, 1 << 40}},
	} {
		if _, err := FromTensor(bad); err == nil {
			t.Errorf("%v was taken for an image", bad)
		}
	}
}

// A photo with alpha keeps it when its colour is replaced, and the file is there whole.
func TestSaveWithOtherColour(t *testing.T) {
	m := &Image{Width: 32, Height: 32, Channels: 3, Depth: 16, Pix: make([]float32, 3072), Alpha: make([]float32, 1024)}
	m.Alpha[7] = 1
	other := make([]float32, 3072)
	other[5] = 1
	r, err := m.WithPix(other)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.png")
	if err := SavePNG(path, r); err != nil {
		t.Fatal(err)
	}
	back, err := ReadImage(path)
	if err != nil || back.Depth != 16 {
		t.Fatal(err)
	}
	samePlane(t, other, back.Pix)
	samePlane(t, m.Alpha, back.Alpha)
	if _, err := m.WithPix(other[1:]); err == nil {
		t.Error("too few samples were taken")
	}
	if err := SavePNG(filepath.Join(t.TempDir(), "x.png"), &Image{}); err == nil {
		t.Error("an empty image was saved")
	}
}
