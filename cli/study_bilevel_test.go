package cli

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/training/bilevel"
	"graft/training/signal"
)

// TestLikeness: differences are all difference, however long and wherever; the centred identity's is known, and rows of 0 do not count.
func TestLikeness(t *testing.T) {
	const n = 64
	w := make([]float64, 4*n)
	w[3], w[4] = -2, 2
	w[n+62], w[n+63] = 0.1, -0.1
	w[2*n+10], w[2*n+12] = 1, -1 // not of neighbours
	if d := likeness(w[:2*n], n); math.Abs(d.Cosine-1) > 1e-12 || math.Abs(d.Energy-1) > 1e-12 {
		t.Errorf("differences: %+v", d)
	}
	if d := likeness(w, n); math.Abs(d.Cosine-2.5/3) > 1e-12 || math.Abs(d.Energy-(8+0.02+0.5)/(8+0.02+2)) > 1e-12 {
		t.Errorf("with another row and one of 0: %+v", d)
	}
	identity, err := bilevel.Free{Rows: n, Cols: n}.Begin(bilevel.CentredIdentity, 0.1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d, want := likeness(identity, n), 1/math.Sqrt(2*(1-1./n)); math.Abs(d.Cosine-want) > 1e-12 || math.Abs(d.Energy-want*want) > 1e-12 {
		t.Errorf("identity: %+v, want %g", d, want)
	}
	if d := likeness(make([]float64, n), n); *d != (differenceLikeness{}) {
		t.Errorf("zero: %+v", d)
	}
}

func TestSplitPictures(t *testing.T) {
	for count, want := range map[int][]string{2: {"1"}, 3: {"2"}, 4: {"3"}, 5: {"3"}, 9: {"3", "7"}} {
		var all []signal.Picture
		for i := range count {
			all = append(all, signal.Picture{Name: fmt.Sprint(i)})
		}
		train, test, err := splitPictures(all)
		var names []string
		for _, p := range test {
			names = append(names, p.Name)
		}
		if err != nil || !slices.Equal(names, want) || len(train)+len(test) != count {
			t.Errorf("of %d: %d to learn on, %v to test on, want %v, %v", count, len(train), names, want, err)
		}
	}
	if _, _, err := splitPictures(make([]signal.Picture, 1)); err == nil {
		t.Error("one picture is split")
	}
}

func TestMiddles(t *testing.T) {
	p := signal.Picture{Height: 5, Width: 4}
	for i := range 20 {
		p.Pix = append(p.Pix, float64(i))
	}
	if m := middleSquares([]signal.Picture{p}, 2)[0]; m.Height != 2 || m.Width != 2 || !slices.Equal(m.Pix, []float64{5, 6, 9, 10}) {
		t.Errorf("middle: %+v", m)
	}
	if m := middleSquares([]signal.Picture{p}, 9)[0]; !slices.Equal(m.Pix, p.Pix) || m.Height != 5 {
		t.Errorf("all: %+v", m)
	}
}

func TestDrawnSteps(t *testing.T) {
	if got := drawnSteps(6400); !slices.Equal(got, []int{0, 100, 400, 1600, 6400}) {
		t.Errorf("of 6400: %v", got)
	}
	if got := drawnSteps(5); !slices.Equal(got, []int{0, 1, 5}) {
		t.Errorf("of 5: %v", got)
	}
}
