package bias

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"graft/onnx/noise"
)

// Interval is a confidence interval; a JSON list of two numbers.
type Interval [2]float64

// Resampling says how confidence intervals are found: the percentile bootstrap over items (Efron and Tibshirani 1993,
// chapter 13), drawn from the seed.
type Resampling struct {
	Seed    uint64
	Samples int     // 0: 2000
	Level   float64 // 0: 0.95
}

func (r Resampling) settled() Resampling {
	if r.Samples <= 0 {
		r.Samples = 2000
	}
	if !(r.Level > 0 && r.Level < 1) {
		r.Level = 0.95
	}
	return r
}

// Intervals draws samples of n items with replacement and gives the intervals of several statistics of them, which
// statistic writes into its second argument. The items of sample b depend on the seed, b and n alone: statistics before and
// after a change, taken of the same items in one call, are a paired bootstrap. A statistic that is no number in a sample
// (its group was not drawn) leaves that sample out.
func (r Resampling) Intervals(n, statistics int, statistic func(index []int, into []float64)) []Interval {
	r = r.settled()
	values := make([][]float64, statistics)
	index, uniform, into := make([]int, n), make([]float32, n), make([]float64, statistics)
	for b := range r.Samples {
		noise.Uniform(uniform, noise.NewKey(r.Seed, "bootstrap", uint64(b)))
		for i, u := range uniform {
			index[i] = int(float64(u) * float64(n))
		}
		statistic(index, into)
		for k, v := range into {
			if !math.IsNaN(v) {
				values[k] = append(values[k], v)
			}
		}
	}
	out := make([]Interval, statistics)
	for k, v := range values {
		if len(v) == 0 {
			out[k] = Interval{math.NaN(), math.NaN()}
			continue
		}
		slices.Sort(v)
		tail := (1 - r.Level) / 2
		out[k] = Interval{stat.Quantile(tail, stat.LinInterp, v, nil), stat.Quantile(1-tail, stat.LinInterp, v, nil)}
	}
	return out
}

// Mean gives the mean of values and its interval, by Intervals.
func (r Resampling) Mean(values []float64) (float64, Interval) {
	ci := r.Intervals(len(values), 1, func(index []int, into []float64) {
		sum := 0.
		for _, i := range index {
			sum += values[i]
		}
		into[0] = sum / float64(len(index))
	})
	return stat.Mean(values, nil), ci[0]
}

func everyIndex(n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	return index
}
