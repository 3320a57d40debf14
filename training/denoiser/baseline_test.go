package denoiser

import (
	"math"
	"slices"
	"testing"

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
		clean, noisy := signals(t, kind, "train", 1600, sigma)
		want, given := signals(t, kind, "test", 200, sigma)
		for _, b := range Baselines {
			if b.Lines == nil {
				continue
			}
			f, err := b.Lines(Given{Sigma: sigma, Signals: clean})
			if err != nil {
				t.Fatalf("%s: %v", b.Name, err)
			}
			tuned, err := f.Tune(clean.Part(0, 300), noisy.Part(0, 300), Search{Start: b.Usual * sigma, Tolerance: 0.05})
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
			if x, err := f(given.Row(0), 0); err != nil || distance(x, given.Row(0)) > 1e-12 {
				t.Errorf("%s with weight 0 changes a signal by %g, %v", b.Name, distance(x, given.Row(0)), err)
			}
		}
	}
	if p := left["piecewise"]; p["tv"] > p["dct"] || p["tv"] > p["haar"] || p["haar-shifts"] > p["haar"] {
		t.Errorf("on steps %v", p)
	}
	if p := left["dct-sparse"]; p["dct"] > p["tv"] || p["dct"] > p["haar"] || p["dct-cut"] > p["tv"] {
		t.Errorf("on cosines %v", p)
	}
}

// TestBaselinePictures: every method that needs no other pictures removes noise from a photograph, the same whenever it does.
func TestBaselinePictures(t *testing.T) {
	const sigma = 25. / 255
	clean, noisy := photo(t, "camera.png", 96, sigma)
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
		again, err := f(noisy, b.Usual*sigma)
		if err != nil || !slices.Equal(x.Pix, again.Pix) {
			t.Errorf("%s: another result the second time, %v", b.Name, err)
		}
		gain[b.Name] = metric.PSNR(clean.Pix, x.Pix) - before
		t.Logf("%-16s %.2f dB more than %.2f", b.Name, gain[b.Name], before)
		if !(gain[b.Name] > 3.5) {
			t.Errorf("%s: %.2f dB more", b.Name, gain[b.Name])
		}
		nan := noisy.empty()
		nan.Pix[7] = float32(math.NaN())
		for _, bad := range []Planes{{}, nan} {
			if _, err := f(bad, 0.1); err == nil {
				t.Errorf("%s takes a picture that is none", b.Name)
			}
		}
	}
	if _, err := FindBaseline("magic"); err == nil {
		t.Error("a baseline that there is not")
	}
}
