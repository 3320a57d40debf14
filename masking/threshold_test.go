package masking_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/masking"
)

func TestKeepCount(t *testing.T) {
	for _, c := range []struct {
		n        int64
		sparsity float64
		want     int64
	}{
		{3_008_867, 0.95, 150_443}, {3_008_867, 0, 3_008_867}, {100, 0.9, 10}, {10, 0.7, 3}, {1000, 0.999, 1}, {10, 0.99, 0}, {0, 0.5, 0},
	} {
		if got := masking.KeepCount(c.n, c.sparsity); got != c.want {
			t.Errorf("KeepCount(%d, %g) = %d, want %d", c.n, c.sparsity, got, c.want)
		}
	}
}

func TestTopK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		scores := make([]float32, 1+r.IntN(60))
		for i := range scores {
			scores[i] = float32(r.IntN(8)) - 4 // many ties
		}
		k := int64(r.IntN(len(scores) + 1))
		keep, err := masking.TopK(scores, k, 9)
		if err != nil {
			t.Fatal(err)
		}
		kept, least, most := int64(0), float32(math.Inf(1)), float32(math.Inf(-1))
		for i, yes := range keep {
			if yes {
				kept, least = kept+1, min(least, scores[i])
			} else {
				most = max(most, scores[i])
			}
		}
		if kept != k || least < most {
			t.Fatalf("%d of %v: kept %d, the least %g, left out %g", k, scores, kept, least, most)
		}
	}
}

func TestTopKTies(t *testing.T) {
	scores := make([]float32, 1000)
	pick := func(seed uint64) []bool {
		keep, err := masking.TopK(scores, 500, seed)
		if err != nil {
			t.Fatal(err)
		}
		return keep
	}
	a := pick(1)
	if !slices.Equal(a, pick(1)) {
		t.Error("one seed gave two choices")
	}
	if slices.Equal(a, pick(2)) {
		t.Error("two seeds gave one choice")
	}
	first := 0
	for _, yes := range a[:500] {
		if yes {
			first++
		}
	}
	if first < 200 || first > 300 {
		t.Errorf("%d of 500 ties come from the first half", first)
	}
}

func TestTopKRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for want, f := range map[string]func() error{
		"keep 3 of 2 weights":          func() error { _, err := masking.TopK([]float32{1, 2}, 3, 0); return err },
		"keep -1 of 2 weights":         func() error { _, err := masking.TopK([]float32{1, 2}, -1, 0); return err },
		"weight 1 is not a number":     func() error { _, err := masking.TopK([]float32{1, nan, 3}, 1, 0); return err },
		"score of weight 0 is not a n": func() error { _, err := masking.TopK([]float32{nan}, 0, 0); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	inf := float32(math.Inf(1))
	keep, err := masking.TopK([]float32{-inf, inf, 0}, 2, 0)
	if err != nil || !slices.Equal(keep, []bool{false, true, true}) {
		t.Errorf("infinite scores: %v, %v", keep, err)
	}
}
