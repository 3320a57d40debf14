package signal

import (
	"fmt"
	"math"

	"graft/onnx/noise"
)

// Set is signals of one length, a row each.
type Set struct {
	Count, Length int
	Values        []float64 // Count rows
}

// maxValues bounds a set: 2 GiB of float64.
const maxValues = 1 << 28

// NewSet is a set of signals that are 0.
func NewSet(count, length int) (Set, error) {
	if count < 1 || length < 1 || count > maxValues/length {
		return Set{}, fmt.Errorf("%d signals of length %d: at least 1, and at most %d numbers, are wanted", count, length, maxValues)
	}
	return Set{Count: count, Length: length, Values: make([]float64, count*length)}, nil
}

// Row is signal i, and not a copy.
func (s Set) Row(i int) []float64 { return s.Values[i*s.Length : (i+1)*s.Length : (i+1)*s.Length] }

// Part is the signals from one number to before another, and not a copy.
func (s Set) Part(from, to int) Set {
	return Set{Count: to - from, Length: s.Length, Values: s.Values[from*s.Length : to*s.Length : to*s.Length]}
}

// Check says whether sizes and values agree, and names the first value that is not finite.
func (s Set) Check() error {
	if s.Count < 1 || s.Length < 1 || s.Count > maxValues/s.Length || len(s.Values) != s.Count*s.Length {
		return fmt.Errorf("%d signals of length %d have %d numbers", s.Count, s.Length, len(s.Values))
	}
	for i, v := range s.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("signal %d: sample %d is %v", i/s.Length, i%s.Length, v)
		}
	}
	return nil
}

// WithNoise is the set with white normal noise of standard deviation sigma. The noise of a signal depends on seed, stream and the
// signal's number alone.
func (s Set) WithNoise(sigma float64, seed uint64, stream string) Set {
	out := Set{Count: s.Count, Length: s.Length, Values: make([]float64, len(s.Values))}
	draw := make([]float32, s.Length)
	for i := range s.Count {
		noise.Normal(draw, noise.NewKey(seed, "noise of "+stream, uint64(i)))
		to := out.Row(i)
		for j, v := range s.Row(i) {
			to[j] = v + sigma*float64(draw[j])
		}
	}
	return out
}

// MSE is the mean of the squared differences of two sets of one size, NaN where sizes differ.
func MSE(a, b Set) float64 {
	if len(a.Values) != len(b.Values) || a.Length != b.Length {
		return math.NaN()
	}
	sum := 0.0
	for i, v := range a.Values {
		d := v - b.Values[i]
		sum += d * d
	}
	return sum / float64(len(a.Values))
}
