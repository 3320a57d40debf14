package denoiser

import (
	"fmt"
	"math"
)

// checkLine refuses what is no signal, and a weight that is none.
func checkLine(method string, y []float64, weight float64) error {
	switch {
	case len(y) < 1 || len(y) > maxSamples:
		return fmt.Errorf("%s: a signal of %d samples", method, len(y))
	case !(weight >= 0) || math.IsInf(weight, 0):
		return fmt.Errorf("%s: weight %g", method, weight)
	}
	for i, v := range y {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: sample %d is %v", method, i, v)
		}
	}
	return nil
}

// softThreshold is argmin_x 1/2 (x-v)^2 + t|x|.
func softThreshold(v, t float64) float64 { return v - max(-t, min(t, v)) }

// hardThreshold is argmin_x 1/2 (x-v)^2 + t^2/2 [x != 0].
func hardThreshold(v, t float64) float64 {
	if math.Abs(v) <= t {
		return 0
	}
	return v
}
