package denoiser

import (
	"math"
	"slices"
	"testing"

	"graft/onnx/noise"
	"graft/training/dataset"
	"graft/training/metric"
)

// photo is a part of a photograph, and the same with seeded noise.
func photo(t testing.TB, name string, side int, sigma float64) (clean, noisy Planes) {
	t.Helper()
	m, err := dataset.ReadImage("../../testdata/images/" + name)
	if err != nil {
		t.Fatal(err)
	}
	clean = Planes{Channels: m.Channels, Height: side, Width: side}
	for c := range m.Channels {
		for i := range side {
			at := (c*m.Height+i+100)*m.Width + 100
			clean.Pix = append(clean.Pix, m.Pix[at:at+side]...)
		}
	}
	noisy = clean.empty()
	noise.Normal(noisy.Pix, noise.NewKey(1, "noise", 0))
	for i, v := range clean.Pix {
		noisy.Pix[i] = v + float32(sigma)*noisy.Pix[i]
	}
	return clean, noisy
}

func TestMethods(t *testing.T) {
	for _, c := range []struct {
		name    string
		image   string
		denoise func(Planes) (Planes, error)
		gain    float64 // least, in dB
	}{
		{"BM3D", "camera.png", func(y Planes) (Planes, error) { return BM3D(y, 0.1) }, 9},
		{"BM3D in colour", "chelsea.png", func(y Planes) (Planes, error) { return BM3D(y, 0.1) }, 9},
		{"total variation", "camera.png", func(y Planes) (Planes, error) { x, _, err := TVForNoise(y, 0.1, TVConfig{}); return x, err }, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean, noisy := photo(t, c.image, 96, 0.1)
			x, err := c.denoise(noisy)
			if err != nil {
				t.Fatal(err)
			}
			before, after := metric.PSNR(clean.Pix, noisy.Pix), metric.PSNR(clean.Pix, x.Pix)
			t.Logf("%.2f dB, %.2f dB", before, after)
			if after < before+c.gain {
				t.Errorf("%.2f dB from %.2f dB, want %g more", after, before, c.gain)
			}
			again, err := c.denoise(noisy)
			if err != nil || !slices.Equal(x.Pix, again.Pix) {
				t.Errorf("another result the second time, %v", err)
			}
		})
	}
}

// TestTVExact holds the one-dimensional form against a solution by hand: a step of two plateaus moves together by weight over
// length.
func TestTVExact(t *testing.T) {
	y := Planes{Pix: []float32{0, 0, 0, 0, 1, 1}, Channels: 1, Height: 1, Width: 6}
	for _, anisotropic := range []bool{false, true} {
		x, err := TV(y, TVConfig{Weight: 0.2, Anisotropic: anisotropic, Gap: 1e-9})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{0.05, 0.05, 0.05, 0.05, 0.9, 0.9} {
			if math.Abs(float64(x.Pix[i])-want) > 1e-4 {
				t.Errorf("%v: sample %d is %g, want %g", anisotropic, i, x.Pix[i], want)
			}
		}
	}
	x, err := TV(y, TVConfig{})
	if err != nil || !slices.Equal(x.Pix, y.Pix) {
		t.Errorf("weight 0 gives %v, %v", x.Pix, err)
	}
}

// TestTransforms: what goes forth comes back.
func TestTransforms(t *testing.T) {
	var block [4 * bmArea]float32
	noise.Normal(block[:], noise.NewKey(1, "block", 0))
	x := block
	for b := range 4 {
		blockTransform(x[b*bmArea:(b+1)*bmArea], &cosines)
	}
	hadamard(x[:], 4)
	energy := func(x []float32) (e float64) {
		for _, v := range x {
			e += float64(v) * float64(v)
		}
		return e
	}
	if a, b := energy(block[:]), energy(x[:]); math.Abs(a-b) > 1e-4*a {
		t.Errorf("energy %g becomes %g", a, b)
	}
	hadamard(x[:], 4)
	for b := range 4 {
		blockTransform(x[b*bmArea:(b+1)*bmArea], &cosinesBack)
		blockTransform(x[b*bmArea:(b+1)*bmArea], &wavelets)
		blockTransform(x[b*bmArea:(b+1)*bmArea], &waveletsBack)
	}
	for i := range x {
		if math.Abs(float64(x[i]-block[i])) > 1e-5 {
			t.Fatalf("sample %d is %g, was %g", i, x[i], block[i])
		}
	}
	y := Planes{Pix: []float32{0.1, 0.5, 0.9}, Channels: 3, Height: 1, Width: 1}
	z, _ := opponent(y, 1)
	for i, v := range natural(z).Pix {
		if math.Abs(float64(v-y.Pix[i])) > 1e-6 {
			t.Errorf("channel %d is %g, was %g", i, v, y.Pix[i])
		}
	}
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	good := Planes{Pix: make([]float32, 64), Channels: 1, Height: 8, Width: 8}
	for _, y := range []Planes{{}, {Pix: make([]float32, 3), Channels: 1, Height: 2, Width: 2}, {Pix: []float32{nan}, Channels: 1, Height: 1, Width: 1}} {
		if _, err := BM3D(y, 0.1); err == nil {
			t.Errorf("BM3D takes %v", y)
		}
		if _, err := TV(y, TVConfig{Weight: 1}); err == nil {
			t.Errorf("TV takes %v", y)
		}
	}
	for _, sigma := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := BM3D(good, sigma); err == nil {
			t.Errorf("BM3D takes noise of %g", sigma)
		}
	}
	if _, err := BM3D(Planes{Pix: make([]float32, 49), Channels: 1, Height: 7, Width: 7}, 0.1); err == nil {
		t.Error("BM3D takes a picture smaller than a block")
	}
	if _, err := TV(good, TVConfig{Weight: math.NaN()}); err == nil {
		t.Error("TV takes a weight that is no number")
	}
	if x, err := BM3D(good, 0.1); err != nil || slices.ContainsFunc(x.Pix, func(v float32) bool { return v != 0 }) {
		t.Errorf("a black picture becomes %v, %v", x.Pix, err)
	}
}

func BenchmarkBM3D(b *testing.B) {
	_, noisy := photo(b, "camera.png", 256, 0.1)
	for b.Loop() {
		if _, err := BM3D(noisy, 0.1); err != nil {
			b.Fatal(err)
		}
	}
}
