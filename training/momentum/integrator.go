package momentum

import (
	"fmt"
	"math"
)

// Integrator follows x' = f(t, x) by the explicit method of Dormand and Prince of order 5 with an error estimate of order 4, whose
// steps it chooses so that the estimate of each element stays below Absolute + Relative |x|. It keeps the last step for the next
// interval. The zero value has no tolerance: both must be set, or one.
type Integrator struct {
	Absolute, Relative float64
	Evaluations        int // of f so far
	Steps, Refused     int

	step  float64 // the next; 0: not known yet
	slope [7][]float64
	try   []float64
}

// The method's coefficients: the nodes, what each slope begins from, and the weights of the orders 5 and 4 (Dormand and Prince 1980).
var (
	princeNodes = [7]float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1}
	princeRows  = [7][6]float64{
		{},
		{1. / 5},
		{3. / 40, 9. / 40},
		{44. / 45, -56. / 15, 32. / 9},
		{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
		{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}, // the result itself: its slope is the first of the next step
	}
	princeFourth = [7]float64{5179. / 57600, 0, 7571. / 16695, 393. / 640, -92097. / 339200, 187. / 2100, 1. / 40}
)

// Bounds of how a step changes, and what is kept of the estimate.
const (
	growMost, shrinkMost, margin = 5, 0.2, 0.9
	mostSteps                    = 10_000_000
)

// Go moves x from time t to end, where f sets slope to x' at a time.
func (in *Integrator) Go(f func(t float64, x, slope []float64) error, x []float64, t, end float64) error {
	if !(in.Absolute >= 0) || !(in.Relative >= 0) || in.Absolute+in.Relative == 0 {
		return fmt.Errorf("integrate: tolerances %g and %g: wants one above 0", in.Absolute, in.Relative)
	}
	if !(end >= t) || math.IsInf(end, 0) {
		return fmt.Errorf("integrate from %g to %g: wants an end behind the beginning", t, end)
	}
	if end == t {
		return nil
	}
	if len(in.try) != len(x) {
		in.try, in.step = make([]float64, len(x)), 0
		for i := range in.slope {
			in.slope[i] = make([]float64, len(x))
		}
	}
	eval := func(t float64, x, slope []float64) error {
		in.Evaluations++
		return f(t, x, slope)
	}
	if err := eval(t, x, in.slope[0]); err != nil { // f may be another one than before
		return err
	}
	if in.step == 0 {
		in.step = in.first(x, end-t)
	}
	for n := 0; t < end; n++ {
		if n >= mostSteps {
			return fmt.Errorf("integrate: %d steps do not lead from %g to %g: the equation is too stiff", n, t, end)
		}
		h, last := in.step, false
		if t+h >= end || end-t-h < 1e-3*h {
			h, last = end-t, true
		}
		for i := 1; i < len(princeRows); i++ {
			for j := range x {
				sum := 0.0
				for k, a := range princeRows[i][:i] {
					sum += a * in.slope[k][j]
				}
				in.try[j] = x[j] + h*sum
			}
			if err := eval(t+princeNodes[i]*h, in.try, in.slope[i]); err != nil {
				return err
			}
		}
		worst := 0.0
		for j := range x {
			e := 0.0
			for i := range in.slope {
				fifth := 0.0
				if i < 6 {
					fifth = princeRows[6][i]
				}
				e += (fifth - princeFourth[i]) * in.slope[i][j]
			}
			worst = max(worst, math.Abs(h*e)/(in.Absolute+in.Relative*max(math.Abs(x[j]), math.Abs(in.try[j]))))
		}
		if math.IsNaN(worst) {
			worst = math.Inf(1)
		}
		factor := max(shrinkMost, min(growMost, margin*math.Pow(worst, -0.2)))
		if worst > 1 {
			in.Refused++
			if in.step = h * min(factor, 1); in.step < 1e-14*max(math.Abs(t), end-t) {
				return fmt.Errorf("integrate: no step at %g is small enough: the solution leaves every bound", t)
			}
			continue
		}
		in.Steps++
		copy(x, in.try)
		in.slope[0], in.slope[6] = in.slope[6], in.slope[0]
		if last {
			t, in.step = end, max(in.step, h*factor) // cut short, a step says nothing about the next but that it may be larger
		} else {
			t, in.step = t+h, h*factor
		}
	}
	return nil
}

// first is a step to begin with: a hundredth of what changes x by its own size.
func (in *Integrator) first(x []float64, span float64) float64 {
	size, slope := 0.0, 0.0
	for j := range x {
		scale := in.Absolute + in.Relative*math.Abs(x[j])
		size, slope = max(size, math.Abs(x[j])/scale), max(slope, math.Abs(in.slope[0][j])/scale)
	}
	if size == 0 || slope == 0 {
		return span / 100
	}
	return min(span, 0.01*size/slope)
}
