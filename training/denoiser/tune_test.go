package denoiser

import (
	"errors"
	"math"
	"testing"
)

// TestTune finds minima of known curves, near the start and far from it, and counts what it takes.
func TestTune(t *testing.T) {
	for _, least := range []float64{1, 1.1, 0.003, 700, 9e-4} {
		looks := 0
		got, err := Tune(Search{Start: 1, Tolerance: 1e-4}, func(w float64) (float64, error) {
			looks++
			d := math.Log(w / least)
			return 3 + d*d/(1+math.Abs(d)), nil
		})
		if err != nil || math.Abs(math.Log(got.Weight/least)) > 1e-4 || math.Abs(got.MSE-3) > 1e-8 || got.Edge || got.Looks != looks || looks > 45 {
			t.Errorf("least at %g: %+v after %d looks, %v", least, got, looks, err)
		}
	}
	for _, c := range []struct {
		slope, want float64
	}{{1, 0.5}, {-1, 8}} {
		got, err := Tune(Search{Start: 2, Low: 0.5, High: 8}, func(w float64) (float64, error) { return c.slope * w, nil })
		if err != nil || !got.Edge || math.Abs(got.Weight-c.want) > 1e-12*c.want {
			t.Errorf("least at the end %g: %+v, %v", c.want, got, err)
		}
	}
	flat, err := Tune(Search{Start: 2}, func(float64) (float64, error) { return 1, nil })
	if err != nil || flat.Weight != 2 {
		t.Errorf("of a constant: %+v, %v", flat, err)
	}
	broken := errors.New("broken")
	if _, err := Tune(Search{Start: 1}, func(w float64) (float64, error) {
		if w < 0.9 {
			return 0, broken
		}
		return w, nil
	}); !errors.Is(err, broken) {
		t.Errorf("a method that fails: %v", err)
	}
	if _, err := Tune(Search{Start: 1}, func(float64) (float64, error) { return math.NaN(), nil }); err == nil {
		t.Error("an error that is no number")
	}
	for _, s := range []Search{{}, {Start: -1}, {Start: 1, Low: 2}, {Start: 1, High: 0.5}, {Start: math.NaN()}, {Start: math.Inf(1)}, {Start: 1, Tolerance: -1}} {
		if _, err := Tune(s, func(float64) (float64, error) { return 1, nil }); err == nil {
			t.Errorf("searched %+v", s)
		}
	}
}
