package denoiser

import (
	"fmt"
	"math"
)

// Search is where Tune looks for a weight.
type Search struct {
	Start     float64 // where it begins; above 0
	Low, High float64 // ends; 0: a ten thousandth of Start, and ten thousand times it
	Tolerance float64 // relative width of the interval at which it stops; 0: 0.01
}

// Tuned is what Tune found.
type Tuned struct {
	Weight, MSE float64
	Looks       int  // weights that were tried
	Edge        bool // the best weight is an end of the search
}

// Tune finds the weight at which an error is least, by the logarithm of the weight: from the start it doubles or halves the weight for
// as long as the error falls, and then divides the interval of three weights, the middle one the best, by the golden section
// (Kiefer, Proc. AMS 4(3) 1953). The error should have one minimum; the result is the best of all weights that were tried.
func Tune(s Search, mse func(weight float64) (float64, error)) (Tuned, error) {
	if s.Low == 0 {
		s.Low = s.Start / 1e4
	}
	if s.High == 0 {
		s.High = s.Start * 1e4
	}
	if s.Tolerance == 0 {
		s.Tolerance = 0.01
	}
	if !(s.Low > 0 && s.Low <= s.Start && s.Start <= s.High && s.High <= math.MaxFloat64 && s.Tolerance > 1e-12) {
		return Tuned{}, fmt.Errorf("tune a weight: from %g in %g to %g with tolerance %g", s.Start, s.Low, s.High, s.Tolerance)
	}
	t := tuning{of: mse, best: Tuned{MSE: math.Inf(1)}}
	low, high := math.Log(s.Low), math.Log(s.High)
	near := func(x float64) float64 { return max(low, min(high, x)) }
	middle := math.Log(s.Start)
	value := t.at(middle)
	left, right := near(middle-math.Ln2), near(middle+math.Ln2)
	up := false
	for middle < right && t.at(right) < value {
		left, middle, value, right, up = middle, right, t.last, near(right+math.Ln2), true
	}
	for !up && left < middle && t.at(left) < value {
		right, middle, value, left = middle, left, t.last, near(left-math.Ln2)
	}
	const part = 0.3819660112501051 // (3 - sqrt 5)/2
	for right-left > s.Tolerance && t.err == nil {
		next := middle + part*(right-middle)
		if middle-left > right-middle {
			next = middle - part*(middle-left)
		}
		switch better := t.at(next) < value; {
		case better && next > middle:
			left, middle, value = middle, next, t.last
		case better:
			right, middle, value = middle, next, t.last
		case next > middle:
			right = next
		default:
			left = next
		}
	}
	if t.err != nil {
		return Tuned{}, t.err
	}
	x := math.Log(t.best.Weight)
	t.best.Edge = x-low < s.Tolerance || high-x < s.Tolerance
	return t.best, nil
}

// tuning keeps the best weight so far, and the first error.
type tuning struct {
	of   func(float64) (float64, error)
	best Tuned
	last float64
	err  error
}

// at is the error at a logarithm of the weight; where it fails it is infinite.
func (t *tuning) at(x float64) float64 {
	t.last = math.Inf(1)
	if t.err != nil {
		return t.last
	}
	weight := math.Exp(x)
	v, err := t.of(weight)
	if err == nil && math.IsNaN(v) {
		err = fmt.Errorf("tune a weight: the error at %g is no number", weight)
	}
	if t.err = err; err != nil {
		return t.last
	}
	t.last = v
	t.best.Looks++
	if v < t.best.MSE {
		t.best.Weight, t.best.MSE = weight, v
	}
	return v
}
