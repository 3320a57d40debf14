package denoiser

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"graft/onnx/noise"
	"graft/training/metric"
	"graft/training/signal"
)

func signals(t *testing.T, kind, stream string, count int, sigma float64) (clean, noisy signal.Set) {
	t.Helper()
	k, err := signal.FindKind(kind)
	if err != nil {
		t.Fatal(err)
	}
	if clean, err = k.Make(signal.Config{Count: count, Length: 64, Seed: 1, Stream: stream}); err != nil {
		t.Fatal(err)
	}
	return clean, clean.WithNoise(sigma, 1, stream)
}

// TestBaselineLines tunes every method on signals and tries it on others: each removes noise, and what is made for a kind of signal
// is the best for it.
func TestBaselineLines(t *testing.T) {
	const sigma = 0.1
	left := map[string]map[string]float64{} // part of the noise's variance
	for _, kind := range []string{"piecewise", "dct-sparse"} {
		left[kind] = map[string]float64{}
		clean, noisy := signals(t, kind, "train", 1000, sigma)
		want, given := signals(t, kind, "test", 150, sigma)
		for _, b := range Baselines {
			if b.Lines == nil {
				continue
			}
			f, err := b.Lines(Given{Sigma: sigma, Signals: clean})
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			tuned, err := f.Tune(clean.Part(0, 150), noisy.Part(0, 150), Search{Start: b.Usual * sigma, Tolerance: 0.05})
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			x, err := f.Each(given, tuned.Weight)
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			left[kind][b.Name] = signal.MSE(x, want) / (sigma * sigma)
			t.Logf("%-11s %-16s weight %.2f of the noise's, %d looks: %.3f of it in training, %.3f in the test", kind, b.Name, tuned.Weight/sigma, tuned.Looks, tuned.MSE/(sigma*sigma), left[kind][b.Name])
			if !(left[kind][b.Name] < 0.99) {
				t.Errorf("%s on %s leaves %.3f of the noise", b.Name, kind, left[kind][b.Name])
			}
			for _, bad := range [][]float64{nil, {1, math.NaN()}, {math.Inf(-1)}} {
				if _, err := f(bad, 0.1); err == nil {
					t.Errorf("%s takes %v", b.Name, bad)
				}
			}
			for _, weight := range []float64{-1, math.NaN(), math.Inf(1)} {
				if _, err := f(given.Row(0), weight); err == nil {
					t.Errorf("%s takes weight %v", b.Name, weight)
				}
			}
			if b.Name == "nlm" { // patches that differ by no more than the noise are one
				continue
			}
			if x, err := f(given.Row(0), 0); err != nil || distance(x, given.Row(0)) > 1e-12 {
				t.Errorf("%s with weight 0 changes a signal by %g, %v", b.Name, distance(x, given.Row(0)), err)
			}
		}
	}
	if p := left["piecewise"]; p["tv"] > p["dct"] || p["tv"] > p["haar"] || p["haar-cycle"] > p["haar"] {
		t.Errorf("on steps %v", p)
	}
	if p := left["dct-sparse"]; p["dct"] > p["tv"] || p["dct"] > p["haar"] || p["dct-hard"] > p["tv"] {
		t.Errorf("on cosines %v", p)
	}
}

// TestBaselinePictures: every method that needs no other pictures removes noise from a photograph, the same whenever it does.
func TestBaselinePictures(t *testing.T) {
	const sigma = 25. / 255
	clean, noisy := photo(t, "camera.png", 96, sigma)
	smallClean, small := photo(t, "chelsea.png", 24, sigma)
	tiny, _ := photo(t, "camera.png", 12, 0)
	before := metric.PSNR(clean.Pix, noisy.Pix)
	gain := map[string]float64{}
	for _, b := range Baselines {
		if b.Doc == "" || b.Weight == "" || !(b.Usual > 0) {
			t.Errorf("%s is not described", b.Name)
		}
		if found, err := FindBaseline(b.Name); err != nil || found.Doc != b.Doc {
			t.Errorf("%s is not found: %v", b.Name, err)
		}
		if b.Pictures == nil {
			continue
		}
		f, err := b.Pictures(Given{Sigma: sigma})
		if err != nil {
			t.Fatalf("%s: %v", b.Name, err)
		}
		x, err := f(noisy, b.Usual*sigma)
		if err != nil {
			t.Fatalf("%s: %v", b.Name, err)
		}
		first, err := f(small, b.Usual*sigma)
		again, failed := f(small, b.Usual*sigma)
		if err != nil || failed != nil || !slices.Equal(first.Pix, again.Pix) {
			t.Errorf("%s: another result the second time, %v, %v", b.Name, err, failed)
		}
		gain[b.Name] = metric.PSNR(clean.Pix, x.Pix) - before
		t.Logf("%-16s %.2f dB more than %.2f", b.Name, gain[b.Name], before)
		if !(gain[b.Name] > 3.5) {
			t.Errorf("%s: %.2f dB more", b.Name, gain[b.Name])
		}
		was, second := metric.PSNR(smallClean.Pix, small.Pix), metric.PSNR(smallClean.Pix, first.Pix)
		if !(second > was+2) {
			t.Errorf("%s in colour: %.2f dB from %.2f", b.Name, second, was)
		}
		quiet, err := b.Pictures(Given{})
		if err != nil {
			t.Fatalf("%s: %v", b.Name, err)
		}
		if still, err := quiet(smallClean, 0); err != nil || metric.MSE(still.Pix, smallClean.Pix) > 1e-13 {
			t.Errorf("%s without noise changes a picture by %g, %v", b.Name, metric.MSE(still.Pix, smallClean.Pix), err)
		}
		if still, err := quiet(tiny, 1e-5); err != nil || metric.MSE(still.Pix, tiny.Pix) > 1e-9 {
			t.Errorf("%s with a small weight changes a picture by %g, %v", b.Name, metric.MSE(still.Pix, tiny.Pix), err)
		}
		for _, weight := range []float64{-1, math.NaN(), math.Inf(1)} {
			if _, err := f(small, weight); err == nil {
				t.Errorf("%s takes weight %v", b.Name, weight)
			}
		}
		for _, y := range []Planes{{Pix: make([]float32, 30), Channels: 1, Height: 5, Width: 6}, {Pix: make([]float32, 9), Channels: 1, Height: 1, Width: 9}, {Pix: make([]float32, 3), Channels: 3, Height: 1, Width: 1}} {
			// Below a block of 8x8 there is a result or an error that says so.
			if x, err := f(y, 0.1); err == nil && slices.ContainsFunc(x.Pix, func(v float32) bool { return math.Abs(float64(v)) > 1e-6 }) {
				t.Errorf("%s makes %v of black", b.Name, x.Pix)
			} else if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%dx%d", y.Width, y.Height)) {
				t.Errorf("%s of %dx%d pixels: %v", b.Name, y.Width, y.Height, err)
			}
		}
		nan := noisy.empty()
		nan.Pix[7] = float32(math.NaN())
		for _, bad := range []Planes{{}, nan} {
			if _, err := f(bad, 0.1); err == nil {
				t.Errorf("%s takes a picture that is none", b.Name)
			}
		}
	}
	if gain["bm3d"] < gain["ksvd"] || gain["ksvd"] < gain["tv"] || gain["ksvd"] < gain["transform"] || gain["tv"] < gain["tv-anisotropic"] || gain["haar-cycle"] < gain["haar"] {
		t.Errorf("gains of %v", gain)
	}
	if _, err := FindBaseline("magic"); err == nil {
		t.Error("a baseline that there is not")
	}
}

// TestBaselineOtherPictures: what learns may do so from clean pictures, and is then the same for all noisy ones.
func TestBaselineOtherPictures(t *testing.T) {
	const sigma = 25. / 255
	_, noisy := photo(t, "camera.png", 40, sigma)
	clean, _ := photo(t, "chelsea.png", 32, sigma)
	for _, name := range []string{"ksvd", "transform", "transform-frame"} {
		b, err := FindBaseline(name)
		if err != nil {
			t.Fatal(err)
		}
		own, err := b.Pictures(Given{Sigma: sigma})
		if err != nil {
			t.Fatal(err)
		}
		taught, err := b.Pictures(Given{Sigma: sigma, Pictures: []Planes{clean, clean}})
		if err != nil {
			t.Fatal(err)
		}
		x, err := own(noisy, b.Usual*sigma)
		if err != nil {
			t.Fatal(err)
		}
		z, err := taught(noisy, b.Usual*sigma)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(x.Pix, z.Pix) {
			t.Errorf("%s: pictures to learn from change nothing", name)
		}
		if _, err := b.Pictures(Given{Pictures: []Planes{{Pix: make([]float32, 9), Channels: 1, Height: 3, Width: 3}}}); err == nil {
			t.Errorf("%s learns from a picture that is smaller than a patch", name)
		}
		if _, err := b.Lines(Given{}); err == nil {
			t.Errorf("%s learns from no signals", name)
		}
	}
}

// TestPatches: on sums of steps down and across, total variation in two dimensions is better than cosines and than total variation of
// the samples in a row.
func TestPatches(t *testing.T) {
	const sigma = 0.1
	clean, noisy := signals(t, "constant-patch", "train", 60, sigma)
	left := map[string]float64{}
	for _, name := range []string{"tv", "tv-anisotropic", "dct", "haar-cycle", "line"} {
		b, err := FindBaseline(strings.Replace(name, "line", "tv", 1))
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Pictures(Given{Sigma: sigma})
		if err != nil {
			t.Fatal(err)
		}
		f := p.Patches(8)
		if name == "line" {
			f = TVLine
		}
		best, err := f.Tune(clean, noisy, Search{Start: b.Usual * sigma, Tolerance: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		left[name] = best.MSE / (sigma * sigma)
		if _, err := p.Patches(8)(make([]float64, 63), 0.1); err == nil {
			t.Errorf("%s takes 63 samples for 8x8", name)
		}
	}
	t.Logf("of the noise: %v", left)
	if left["tv-anisotropic"] > left["dct"] || left["tv-anisotropic"] > left["line"] || left["tv-anisotropic"] > left["tv"] {
		t.Errorf("left of the noise: %v", left)
	}
}

var tuned = flag.String("tuned", "", "levels of noise of 255, as 10,25,50: every method is tuned on parts of the photographs")

// TestTunedPictures lists for each method and level of noise the best weight on parts of the photographs, over the noise's deviation, and
// what it leaves; all methods see the same noise.
func TestTunedPictures(t *testing.T) {
	if *tuned == "" {
		t.Skip("needs -tuned LEVELS")
	}
	for level := range strings.SplitSeq(*tuned, ",") {
		sigma, err := strconv.ParseFloat(level, 64)
		if err != nil {
			t.Fatal(err)
		}
		sigma /= 255
		var clean, noisy []Planes
		for _, name := range []string{"astronaut.png", "camera.png", "chelsea.png", "coffee.png"} {
			p, err := signal.ReadPicture("../../testdata/images/" + name)
			if err != nil {
				t.Fatal(err)
			}
			const side = 128
			c := Planes{Channels: 1, Height: side, Width: side}
			for i := range side {
				for j := range side {
					c.Pix = append(c.Pix, float32(p.Pix[(i+100)*p.Width+j+100]))
				}
			}
			y := c.empty()
			noise.Normal(y.Pix, noise.NewKey(1, name, 0))
			for i, v := range c.Pix {
				y.Pix[i] = v + float32(sigma)*y.Pix[i]
			}
			clean, noisy = append(clean, c), append(noisy, y)
		}
		for _, b := range Baselines {
			if b.Pictures == nil {
				continue
			}
			f, err := b.Pictures(Given{Sigma: sigma})
			if err != nil {
				t.Fatal(err)
			}
			best, err := f.Tune(clean, noisy, Search{Start: b.Usual * sigma, Tolerance: 0.1})
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			usual := 0.0
			for i, y := range noisy {
				x, err := f(y, b.Usual*sigma)
				if err != nil {
					t.Fatalf("%s: %v", b.Name, err)
				}
				usual += metric.MSE(x.Pix, clean[i].Pix) / float64(len(noisy))
			}
			t.Logf("%3s %-16s best at %.2f: %.2f dB, at %.2f: %.2f dB; %d looks", level, b.Name, best.Weight/sigma, -10*math.Log10(best.MSE), b.Usual, -10*math.Log10(usual), best.Looks)
		}
	}
}

func BenchmarkBaselines(b *testing.B) {
	const sigma = 25. / 255
	_, noisy := photo(b, "camera.png", 256, sigma)
	for _, m := range Baselines {
		if m.Pictures == nil {
			continue
		}
		f, err := m.Pictures(Given{Sigma: sigma})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(m.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f(noisy, m.Usual*sigma); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
