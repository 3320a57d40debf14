package dataset

import (
	"math"
	"testing"

	"graft/training/metric"

	"pgregory.net/rapid"
)

// Padding gives multiples, is undone by Unpad to the bit, and shows the mirror image around the border.
func TestPadAndUnpad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawImage(t)
		n := rapid.SampledFrom([]int{1, 2, 7, 8, 32, 64, 512}).Draw(t, "multiple")
		padded, p, err := m.PadToMultiple(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := padded.Check(); err != nil {
			t.Fatal(err)
		}
		if padded.Width%n != 0 || padded.Height%n != 0 || padded.Width-m.Width >= n || p.Right-p.Left > 1 || p.Bottom < p.Top {
			t.Fatalf("%dx%d to %dx%d by %+v", m.Width, m.Height, padded.Width, padded.Height, p)
		}
		back, err := padded.Unpad(p)
		if err != nil {
			t.Fatal(err)
		}
		samePlane(t, m.Pix, back.Pix)
		samePlane(t, m.Alpha, back.Alpha)
		for d := 1; d <= min(p.Left, m.Width-1); d++ {
			row := p.Top * padded.Width
			if padded.Pix[row+p.Left-d] != padded.Pix[row+p.Left+d] {
				t.Fatalf("column %d left of the border is not the one right of it", d)
			}
		}
	})
}

func TestMirrored(t *testing.T) {
	for _, c := range []struct {
		size, offset, total int
		want                []int
	}{
		{4, 2, 8, []int{2, 1, 0, 1, 2, 3, 2, 1}},
		{2, 3, 8, []int{1, 0, 1, 0, 1, 0, 1, 0}},
		{1, 1, 3, []int{0, 0, 0}},
		{3, 0, 3, []int{0, 1, 2}},
	} {
		got := mirrored(c.size, c.offset, c.total)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("mirrored(%d, %d, %d) = %v, want %v", c.size, c.offset, c.total, got, c.want)
				break
			}
		}
	}
}

func TestGeometryErrors(t *testing.T) {
	m := &Image{Width: 40, Height: 4000, Channels: 1, Pix: make([]float32, 160000)}
	for name, err := range map[string]error{
		"pad to 0":            third(m.PadToMultiple(0)),
		"pad to 10000":        third(m.PadToMultiple(10000)),
		"unpad too much":      second(m.Unpad(Padding{Left: 30, Right: 10})),
		"crop outside":        second(m.Crop(10, 0, 31, 10)),
		"crop negative":       second(m.Crop(-1, 0, 5, 5)),
		"crop wraps":          second(m.Crop(1, 1, math.MaxInt, 1)),
		"zoom by 0":           second(m.Zoom(0, 0, 10, 10, 0)),
		"zoom too far":        second(m.Zoom(0, 0, 40, 40, 1000)),
		"resize to 0":         second(m.Resize(0)),
		"resize to -5":        second(m.Resize(-5)),
		"resize below a side": second(m.Resize(1000)),
		"resize of nothing":   second((&Image{}).Resize(64)),
		"pad of nothing":      third((&Image{}).PadToMultiple(8)),
		"nil":                 second((*Image)(nil).Resize(64)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Log(err)
		}
	}
	if r, err := m.Resize(3200); err != nil || r.Width != 32 {
		t.Errorf("the size that the refusal names: %v", err)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// A constant stays constant, a ramp stays the same ramp, and the aspect is kept. Catmull-Rom reproduces a ramp exactly at
// its own width; widened and sampled at the pixels, to within a small part of a step.
func TestResize(t *testing.T) {
	m := &Image{Width: 300, Height: 200, Channels: 3, Depth: 8, Pix: make([]float32, 3*300*200)}
	for i := range m.Pix {
		m.Pix[i] = 0.25
		if i >= 60000 {
			m.Pix[i] = float32(i%300)/300 + 0.5/300 // value by position of the pixel's middle
		}
	}
	for _, n := range []int{48, 128, 299, 300, 301, 777} {
		r, err := m.Resize(n)
		if err != nil {
			t.Fatal(err)
		}
		if r.Width != n || r.Height != (n*2+1)/3 || r.Depth != 8 {
			t.Fatalf("%d: %dx%d", n, r.Width, r.Height)
		}
		plane := r.Width * r.Height
		for i, v := range r.Pix {
			want, tolerance, x := 0.25, 1e-6, i%r.Width
			if i >= plane {
				if x < 3*r.Width/40+3 || x > r.Width-3*r.Width/40-4 { // the border bends a ramp
					continue
				}
				want = (float64(x) + 0.5) / float64(r.Width)
				if n < 300 {
					tolerance = 0.02 / 300
				}
			}
			if math.Abs(float64(v)-want) > tolerance {
				t.Fatalf("%d: sample %d of %d: %v, want %v", n, x, r.Width, v, want)
			}
		}
	}
}

// Shrinking a photo averages: fine stripes become grey instead of beating.
func TestResizeAverages(t *testing.T) {
	m := &Image{Width: 512, Height: 512, Channels: 1, Pix: make([]float32, 512*512)}
	for i := range m.Pix {
		m.Pix[i] = float32(i % 2)
	}
	r, err := m.Resize(100)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range r.Pix {
		if x := i % 100; x < 2 || x > 97 { // a window cut off at the border holds an odd number of stripes
			continue
		}
		if math.Abs(float64(v)-0.5) > 0.01 {
			t.Fatalf("sample %d: %v", i, v)
		}
	}
}

// A photo shrunk to half and enlarged again keeps most of itself.
func TestResizePhotoThereAndBack(t *testing.T) {
	m, err := ReadImage(photos + "chelsea.png")
	if err != nil {
		t.Fatal(err)
	}
	half, err := m.Resize(226)
	if err != nil {
		t.Fatal(err)
	}
	if back := half.scaled(m.Width, m.Height); metric.PSNR(m.Pix, back.Pix) < 30 {
		t.Errorf("%.2f dB", metric.PSNR(m.Pix, back.Pix))
	}
}

func TestZoomAndBusiest(t *testing.T) {
	m := &Image{Width: 100, Height: 80, Channels: 1, Pix: make([]float32, 8000), Depth: 16}
	m.Pix[50*100+70] = 1
	x, y := m.Busiest(16, 16)
	if x > 70 || x+16 <= 70 || y > 50 || y+16 <= 50 {
		t.Errorf("busiest at (%d,%d)", x, y)
	}
	z, err := m.Zoom(69, 49, 3, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	if z.Width != 12 || z.Height != 8 || z.Depth != 16 {
		t.Fatalf("%dx%d", z.Width, z.Height)
	}
	for i, v := range z.Pix {
		want := float32(0)
		if x, y := i%12, i/12; x >= 4 && x < 8 && y >= 4 {
			want = 1
		}
		if v != want {
			t.Fatalf("sample %d: %v", i, v)
		}
	}
	if x, y := m.Busiest(1000, 1000); x != 0 || y != 0 {
		t.Errorf("the whole image's window is at (%d,%d)", x, y)
	}
}
