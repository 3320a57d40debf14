package bilevel

import "testing"

func TestPicture(t *testing.T) {
	p, err := Picture([]float64{0, 1, -1, 0.5, 0, 0, 0, 0, 2, 2, 2, 2}, 2, 2, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b := p.Bounds(); b.Dx() != 7 || b.Dy() != 7 {
		t.Fatalf("%v", b)
	}
	for _, c := range []struct {
		x, y int
		want uint8
	}{{0, 0, 0}, {1, 1, 128}, {2, 1, 255}, {1, 2, 0}, {2, 2, 191}, {4, 1, 128}, {1, 4, 255}, {4, 4, 0}} {
		if got := p.GrayAt(c.x, c.y).Y; got != c.want {
			t.Errorf("at %d, %d: %d, want %d", c.x, c.y, got, c.want)
		}
	}
	if p, err := Picture(make([]float64, 24), 1, 8, 1, 3); err != nil || p.Bounds().Dx() != 26 || p.Bounds().Dy() != 22 {
		t.Errorf("of signals: %v, %v", p.Bounds(), err)
	}
	if _, err := Picture(make([]float64, 5), 2, 2, 1, 1); err == nil {
		t.Error("numbers that are no tiles are drawn")
	}
}
