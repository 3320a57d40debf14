package noise_test

import (
	"math"
	"testing"

	"graft/onnx/noise"
)

// TestNormalPairs holds every number to the formula of its pair, to the bit, at lengths around those of the blocks.
func TestNormalPairs(t *testing.T) {
	key := noise.NewKey(5, "pairs", 9)
	for _, n := range []int{0, 1, 2, 3, 255, 256, 257, 511, 513, 2048} {
		got := make([]float32, n)
		noise.Normal(got, key)
		for i, x := range got {
			pair := uint32(i) &^ 1
			r := math.Sqrt(-2 * math.Log(float64(noise.Float(key, pair))))
			sin, cos := math.Sincos(2 * math.Pi * float64(noise.Float(key, pair+1)))
			want := float32(r * cos)
			if i&1 == 1 {
				want = float32(r * sin)
			}
			if x != want {
				t.Fatalf("%d numbers: number %d is %g, want %g", n, i, x, want)
			}
		}
	}
}

func BenchmarkNormal(b *testing.B) {
	dst := make([]float32, 1<<16)
	b.SetBytes(int64(4 * len(dst)))
	for b.Loop() {
		noise.Normal(dst, noise.NewKey(1, "bench", 2))
	}
}
