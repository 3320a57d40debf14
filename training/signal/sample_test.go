package signal

import (
	"math"
	"slices"
	"testing"
)

// TestSample: patches are from where they lie, every place is drawn, and the first of many are those of few.
func TestSample(t *testing.T) {
	pictures := []Picture{{Name: "a", Height: 3, Width: 4}, {Name: "b", Height: 2, Width: 3}}
	for i := range pictures {
		for j := range pictures[i].Height * pictures[i].Width {
			pictures[i].Pix = append(pictures[i].Pix, float64(100*i+j))
		}
	}
	s, err := Sample(pictures, 2, 800, 1, "train")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[float64]int{}
	for i := range s.Count {
		row := s.Row(i)
		wide := 4.
		if row[0] >= 100 {
			wide = 3
		}
		if !slices.Equal(row, []float64{row[0], row[0] + 1, row[0] + wide, row[0] + wide + 1}) {
			t.Fatalf("patch %v", row)
		}
		drawn[row[0]]++
	}
	if len(drawn) != 8 {
		t.Errorf("drawn from %v", drawn)
	}
	for at, n := range drawn { // 100 expected, deviation 9.4
		if n < 53 || n > 147 {
			t.Errorf("the patch at %g is drawn %d times", at, n)
		}
	}
	few, err := Sample(pictures, 2, 10, 1, "train")
	if err != nil || !slices.Equal(few.Values, s.Part(0, 10).Values) {
		t.Errorf("10 patches are not the first of 800, %v", err)
	}
	if other, err := Sample(pictures, 2, 10, 1, "test"); err != nil || slices.Equal(few.Values, other.Values) {
		t.Errorf("the same patches in another stream, %v", err)
	}
	for _, bad := range []struct{ side, count int }{{0, 1}, {-2, 1}, {3, 1}, {2, 0}, {2, 1 << 40}} {
		if _, err := Sample(pictures, bad.side, bad.count, 1, ""); err == nil {
			t.Errorf("sampled %+v", bad)
		}
	}
	if _, err := Sample(nil, 2, 1, 1, ""); err == nil {
		t.Error("sampled from nothing")
	}
	if _, err := Sample([]Picture{{Height: 4, Width: 4}}, 2, 1, 1, ""); err == nil {
		t.Error("sampled from a picture without samples")
	}
}

func TestCentrePairs(t *testing.T) {
	clean := Set{Count: 2, Length: 2, Values: []float64{1, 3, 5, 5}}
	noisy := Set{Count: 2, Length: 2, Values: []float64{2, 4, 4, 8}}
	if err := CentrePairs(clean, noisy); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(clean.Values, []float64{-2, 0, -1, -1}) || !slices.Equal(noisy.Values, []float64{-1, 1, -2, 2}) {
		t.Errorf("centred %v, %v", clean.Values, noisy.Values)
	}
	if err := CentrePairs(clean, clean.Part(0, 1)); err == nil {
		t.Error("two clean signals for one noisy")
	}
	if math.Abs(MSE(clean, noisy)-(1+1+1+9)/4.) > 0 {
		t.Error("the difference is another")
	}
}
