package denoiser

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"graft/onnx/noise"
	"graft/training/signal"
)

// normal is a set of unit vectors of normal numbers.
func normal(t *testing.T, count, length int, stream string) signal.Set {
	t.Helper()
	s, err := signal.NewSet(count, length)
	if err != nil {
		t.Fatal(err)
	}
	s = s.WithNoise(1, 1, stream)
	for i := range count {
		unit(s.Row(i))
	}
	return s
}

// planted are signals of so many atoms of a random dictionary each.
func planted(t *testing.T, count, length, atoms, each int) (y, of signal.Set) {
	t.Helper()
	of = normal(t, atoms, length, "planted")
	y, err := signal.NewSet(count, length)
	if err != nil {
		t.Fatal(err)
	}
	weights := make([]float32, each)
	for i := range count {
		k := noise.NewKey(1, "planted weights", uint64(i))
		noise.Normal(weights, k)
		for j, w := range weights {
			floats.AddScaled(y.Row(i), float64(w), of.Row(int(noise.Float(k, uint32(100+j))*float32(atoms))))
		}
	}
	return y, of
}

// TestKSVDPlanted finds the dictionary that signals were made of, the experiment of Aharon, Elad and Bruckstein: an atom counts as
// found where the product with one that was learned is above 0.99. It may end where two atoms share a third's place; from four
// beginnings nine tenths are found.
func TestKSVDPlanted(t *testing.T) {
	y, of := planted(t, 1500, 20, 50, 3)
	found := 0
	for _, from := range []int{0, 100, 200, 300} {
		first := Dictionary(y.Part(from, from+50))
		first.Values = slices.Clone(first.Values)
		for i := range first.Count {
			unit(signal.Set(first).Row(i))
		}
		d, err := LearnDictionary(y, first, DictionaryConfig{Iterations: 30, Sparsity: 3})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.check(20); err != nil {
			t.Error(err)
		}
		for i := range of.Count {
			best := 0.0
			for k := range d.Count {
				best = max(best, math.Abs(floats.Dot(of.Row(i), signal.Set(d).Row(k))))
			}
			if best > 0.99 {
				found++
			}
		}
	}
	t.Logf("%d of 4 times 50 atoms", found)
	if found < 180 {
		t.Errorf("%d of 4 times 50 atoms are found", found)
	}
}

// TestPursuit: of an orthonormal dictionary the largest products are taken; what is left over is orthogonal to what is found; it stops
// where told, and all of a signal is found where it may be.
func TestPursuit(t *testing.T) {
	d := Dictionary(normal(t, 40, 16, "atoms"))
	gram := product(signal.Set(d), signal.Set(d))
	y := normal(t, 30, 16, "signals")
	for _, c := range []struct {
		most int
		rest float64
	}{{3, 0}, {0, 0.2}, {0, 0}, {16, 1e-12}} {
		p := newPursuit(d, gram, c.most, c.rest)
		for i := range y.Count {
			row := y.Row(i)
			p.find(product(y.Part(i, i+1), signal.Set(d)), floats.Dot(row, row))
			x := make([]float64, 16)
			p.sum(x)
			left := slices.Clone(row)
			floats.Sub(left, x)
			size := floats.Dot(left, left)
			for _, k := range p.atom {
				if v := floats.Dot(left, signal.Set(d).Row(k)); math.Abs(v) > 1e-9 {
					t.Errorf("%+v: what is left over has product %g with an atom that is in", c, v)
				}
			}
			if c.most == 3 && len(p.atom) != 3 || c.most != 3 && size > c.rest+1e-9 {
				t.Errorf("%+v: %d atoms leave %g", c, len(p.atom), size)
			}
			if n := len(p.atom); c.rest == 0.2 && n > 1 {
				v := p.z[n-1]
				if size+v*v <= c.rest {
					t.Errorf("%+v: the last of %d atoms was not wanted", c, n)
				}
			}
		}
	}
	basis := Dictionary{Count: 16, Length: 16, Values: cosineBasis(16)}
	p := newPursuit(basis, product(signal.Set(basis), signal.Set(basis)), 4, 0)
	products := product(y.Part(0, 1), signal.Set(basis))
	p.find(products, 1)
	sizes := slices.Clone(products)
	for i, v := range sizes {
		sizes[i] = math.Abs(v)
	}
	slices.Sort(sizes)
	for k, i := range p.atom {
		if math.Abs(products[i]) != sizes[15-k] {
			t.Errorf("atom %d of an orthonormal basis has product %g, want %g", k, products[i], sizes[15-k])
		}
	}
	p.find(make([]float64, 16), 0)
	if len(p.atom) != 0 {
		t.Errorf("0 is a sum of %d atoms", len(p.atom))
	}
}

func TestKSVDRefused(t *testing.T) {
	y := normal(t, 10, 16, "signals")
	good, err := CosineFrame2(4, 36)
	if err != nil || good.check(16) != nil {
		t.Fatal(err, good.check(16))
	}
	long := Dictionary{Count: 1, Length: 16, Values: make([]float64, 16)}
	for _, c := range []struct {
		y signal.Set
		d Dictionary
		c DictionaryConfig
	}{{signal.Set{}, good, DictionaryConfig{}}, {y, Dictionary{}, DictionaryConfig{}}, {y, long, DictionaryConfig{}}, {y, good, DictionaryConfig{Iterations: -1}},
		{y, good, DictionaryConfig{Deviation: math.NaN()}}, {normal(t, 3, 9, "other"), good, DictionaryConfig{}}} {
		if _, err := LearnDictionary(c.y, c.d, c.c); err == nil {
			t.Errorf("learned with %+v from %d signals of %d", c.c, c.y.Count, c.y.Length)
		}
	}
	zero, err := signal.NewSet(5, 16)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := LearnDictionary(zero, good, DictionaryConfig{Iterations: 2}); err != nil || d.check(16) != nil {
		t.Errorf("from signals that are 0: %v, %v", err, d.check(16))
	}
	for _, atoms := range []int{0, -4, 35} {
		if _, err := CosineFrame2(4, atoms); err == nil {
			t.Errorf("a frame of %d atoms", atoms)
		}
	}
	small := Planes{Pix: make([]float32, 7*9), Channels: 1, Height: 7, Width: 9}
	if _, err := KSVD(small, 0.1, KSVDConfig{}); err == nil {
		t.Error("a picture smaller than a patch")
	}
	if _, err := KSVD(Planes{Pix: make([]float32, 81), Channels: 1, Height: 9, Width: 9}, 0.1, KSVDConfig{Dictionary: good}); err == nil {
		t.Error("atoms of 4x4 for patches of 8x8")
	}
	if _, err := KSVDLine(Dictionary{}); err == nil {
		t.Error("a dictionary of no atoms")
	}
}
