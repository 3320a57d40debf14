package noise

import (
	"math"
	mathbits "math/bits"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestGoldenWords(t *testing.T) {
	// Files that were exported hold these numbers: they never change.
	k := NewKey(1, "z", 0)
	for i, want := range []uint32{0x1b683f78, 0x3699b6fc, 0x22637497} {
		if got := bits(k, uint64(i)); got != want {
			t.Errorf("bits(%d) = %#x, want %#x", i, got, want)
		}
	}
}

func TestUniformIsUniform(t *testing.T) {
	const n, cells = 1 << 20, 1024
	for step := range uint64(8) {
		u := make([]float32, n)
		Uniform(u, NewKey(42, "mask", step))
		observed, expected := make([]float64, cells), make([]float64, cells)
		for _, v := range u {
			if v <= 0 || v >= 1 {
				t.Fatalf("%v is outside (0, 1)", v)
			}
			observed[int(v*cells)]++
		}
		for i := range expected {
			expected[i] = n / cells
		}
		p := 1 - distuv.ChiSquared{K: cells - 1}.CDF(stat.ChiSquare(observed, expected))
		if p < 1e-5 || p > 1-1e-5 {
			t.Errorf("step %d: chi-square p = %g", step, p)
		}
	}
}

func TestSequencesAreIndependent(t *testing.T) {
	const n = 1 << 18
	a, b := make([]float32, n), make([]float32, n)
	series := func(x []float32) []float64 {
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = float64(v)
		}
		return out
	}
	limit := 5 / math.Sqrt(n)
	Uniform(a, NewKey(3, "mask", 10))
	for name, k := range map[string]Key{"next step": NewKey(3, "mask", 11), "next seed": NewKey(4, "mask", 10), "other stream": NewKey(3, "z", 10)} {
		Uniform(b, k)
		if r := stat.Correlation(series(a), series(b), nil); math.Abs(r) > limit {
			t.Errorf("%s: correlation %g", name, r)
		}
	}
	for _, lag := range []int{1, 2, 3, 16, 32, 64, 1024} {
		if r := stat.Correlation(series(a[:n-lag]), series(a[lag:]), nil); math.Abs(r) > limit {
			t.Errorf("lag %d: correlation %g", lag, r)
		}
	}
}

func TestAvalanche(t *testing.T) {
	k := NewKey(9, "a", 0)
	for bit := range 20 {
		flips := 0
		const n = 4096
		for i := range uint32(n) {
			flips += mathbits.OnesCount32((bits(k, uint64(i)*7919) ^ bits(k, uint64(i)*7919^1<<bit)) >> dropped)
		}
		mean := float64(flips) / n / (31 - dropped)
		if mean < 0.45 || mean > 0.55 {
			t.Errorf("index bit %d flips %.3f of the bits that are used", bit, mean)
		}
	}
}

func TestNormalMoments(t *testing.T) {
	x := make([]float32, 1<<18)
	Normal(x, NewKey(5, "noise", 0))
	var s, s2, s4 float64
	for _, v := range x {
		f := float64(v)
		s, s2, s4 = s+f, s2+f*f, s4+f*f*f*f
	}
	n := float64(len(x))
	if math.Abs(s/n) > 0.01 || math.Abs(s2/n-1) > 0.02 || math.Abs(s4/n-3) > 0.1 {
		t.Errorf("moments %.4f %.4f %.4f, want 0 1 3", s/n, s2/n, s4/n)
	}
}

// TestUniformAt: numbers filled at once are those at each index, from the sequence's beginning and far into it, for keys at the ends.
func TestUniformAt(t *testing.T) {
	keys := []Key{{0, 0}, {prime - 1, prime - 1}, {1, prime - 1}, {prime - 1, 0}}
	for i := range uint64(50) {
		keys = append(keys, NewKey(i, "all", i))
	}
	x := make([]float32, 3000)
	for _, k := range keys {
		for _, from := range []uint32{0, 1, 1 << 20, prime - 1500, 1<<32 - 3000} {
			UniformAt(x, k, from)
			for i, got := range x {
				if want := Float(k, from+uint32(i)); got != want {
					t.Fatalf("%v: at %d is %g, want %g", k, from+uint32(i), got, want)
				}
			}
		}
	}
}

func BenchmarkUniform(b *testing.B) {
	x := make([]float32, 1<<20)
	b.SetBytes(int64(len(x)) * 4)
	for i := range b.N {
		Uniform(x, NewKey(1, "bench", uint64(i)))
	}
}
