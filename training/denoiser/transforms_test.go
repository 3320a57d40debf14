package denoiser

import (
	"math"
	"testing"
)

func energy(x []float64) (e float64) {
	for _, v := range x {
		e += v * v
	}
	return e
}

func distance(a, b []float64) (d float64) {
	for i, v := range a {
		d = max(d, math.Abs(v-b[i]))
	}
	return d
}

// TestCosineLine holds the fast transform to the matrix, and that to orthonormality, for lengths with large prime factors too.
func TestCosineLine(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 17, 64, 97} {
		m, y := cosineBasis(n), line(n, 1)
		want := make([]float64, n)
		for k := range n {
			for i := range n {
				want[k] += m[k*n+i] * y[i]
				dot := 0.0
				for j := range n {
					dot += m[k*n+j] * m[i*n+j]
				}
				if k == i {
					dot--
				}
				if math.Abs(dot) > 1e-13 {
					t.Errorf("length %d: rows %d and %d have product %g", n, k, i, dot)
				}
			}
		}
		x := append([]float64(nil), y...)
		c := newCosineLine(n)
		c.forth(x)
		if d := distance(x, want); d > 1e-12 {
			t.Errorf("length %d: coefficients differ by %g", n, d)
		}
		c.back(x)
		if d := distance(x, y); d > 1e-12 {
			t.Errorf("length %d: back it differs by %g", n, d)
		}
		for _, hard := range []bool{false, true} {
			x, err := CosineLine(y, 0.4, hard)
			if err != nil {
				t.Fatal(err)
			}
			for k := range want { // of the solution the coefficients are those shrunk
				got := 0.0
				for i, v := range x {
					got += m[k*n+i] * v
				}
				shrunk := []float64{want[k]}
				if k > 0 {
					shrink(shrunk, 0.4, hard)
				}
				if math.Abs(got-shrunk[0]) > 1e-12 {
					t.Errorf("length %d: coefficient %d is %g, want %g", n, k, got, shrunk[0])
				}
			}
		}
	}
}

// TestHaar: energy stays, what goes forth comes back, differences of a constant are 0, and the mean over shifts is that.
func TestHaar(t *testing.T) {
	for _, c := range []struct{ h, w, levels int }{{1, 64, 6}, {32, 1, 5}, {16, 32, 4}, {8, 8, 1}} {
		y := line(c.h*c.w, 2)
		one := haar{h: c.h, w: c.w, levels: c.levels, line: c.h == 1 || c.w == 1}
		x := append([]float64(nil), y...)
		for level := range c.levels {
			one.blocks(level, 2<<level, func(at [4]int) {
				b := one.forth(x, at)
				for i, to := range at[:one.cells()] {
					x[to] = b[i]
				}
			})
		}
		if a, b := energy(x), energy(y); math.Abs(a-b) > 1e-12*a {
			t.Errorf("%+v: energy %g becomes %g", c, b, a)
		}
		x = append([]float64(nil), y...)
		one.orthonormal(x)
		if d := distance(x, y); d > 1e-13 {
			t.Errorf("%+v: back it differs by %g", c, d)
		}
		if d := distance(one.spin(y, 0), y); d > 1e-13 {
			t.Errorf("%+v: over shifts it differs by %g", c, d)
		}
		for _, hard := range []bool{false, true} {
			one.weight, one.hard = 0.8, hard
			mean := make([]float64, len(y))
			downs, rights := min(c.h, 1<<c.levels), min(c.w, 1<<c.levels)
			for down := range downs {
				for right := range rights {
					for i := range x {
						x[i] = y[(i/c.w+down)%c.h*c.w+(i%c.w+right)%c.w]
					}
					one.orthonormal(x)
					for i, v := range x {
						mean[(i/c.w+down)%c.h*c.w+(i%c.w+right)%c.w] += v / float64(downs*rights)
					}
				}
			}
			if d := distance(one.spin(y, 0), mean); d > 1e-12 {
				t.Errorf("%+v, hard %t: the mean over shifts differs by %g", c, hard, d)
			}
		}
	}
}

// TestHaarLine: at weight 0 any signal stays, at a large one all but the mean goes, and soft shrinking is the solution of its problem.
func TestHaarLine(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 16, 63, 64, 65} {
		y := line(n, 4)
		for _, cycle := range []bool{false, true} {
			x, err := HaarLine(y, 0, HaarConfig{CycleSpin: cycle})
			if err != nil || distance(x, y) > 1e-12 {
				t.Errorf("length %d: weight 0 changes it by %g, %v", n, distance(x, y), err)
			}
			if x, err = HaarLine(y, 1e9, HaarConfig{CycleSpin: cycle}); err != nil || n&(n-1) == 0 && !cycle && math.Abs(x[0]-x[n-1]) > 1e-12 {
				t.Errorf("length %d: a large weight leaves %v, %v", n, x, err)
			}
		}
	}
	// A step in the middle of 4 samples is one coefficient of (1+1)/2 = 1: shrunk by 0.5 the step is half as high.
	x, err := HaarLine([]float64{0, 0, 1, 1}, 0.5, HaarConfig{})
	if want := []float64{0.25, 0.25, 0.75, 0.75}; err != nil || distance(x, want) > 1e-15 {
		t.Errorf("a step becomes %v, want %v, %v", x, want, err)
	}
	x, err = HaarLine([]float64{0, 0, 1, 1}, 0.5, HaarConfig{Hard: true})
	if want := []float64{0, 0, 1, 1}; err != nil || distance(x, want) > 1e-15 {
		t.Errorf("hard, a step becomes %v, %v", x, err)
	}
}
