package metric

import "math"

// MSE is the mean of the squared differences of a and b, summed in float64. Nothing is clipped. It is NaN when the lengths
// differ or are 0, or when a value is NaN.
func MSE(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	var sum float64
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += d * d
	}
	return sum / float64(len(a))
}

// PSNR is the peak signal-to-noise ratio in decibels of two signals whose range is 1: 10 log10(1/MSE). Nothing is clipped.
// Equal signals have +Inf; what makes MSE NaN makes PSNR NaN.
func PSNR(a, b []float32) float64 { return 10 * math.Log10(1/MSE(a, b)) }
