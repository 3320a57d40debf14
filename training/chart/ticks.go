package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// linearTicks marks four to nine multiples of 1, 2 or 5 times a power of ten.
type linearTicks struct{}

// Ticks implements plot.Ticker for finite low < high.
func (linearTicks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{5, 2} {
		if (high-low)/(m*step) >= 4 {
			step *= m
			break
		}
	}
	places := int(max(0, math.Ceil(-math.Log10(step)-1e-9)))
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step && len(ticks) < 12; i++ {
		v := i * step
		label := strconv.FormatFloat(v, 'f', places, 64)
		if math.Abs(v) >= 1e7 || places > 6 {
			label = strconv.FormatFloat(v, 'g', 4, 64)
		}
		if i == 0 {
			label = "0"
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

// logTicks marks decades, what lies between them when they are not many, and halves and fifths when they are few.
type logTicks struct{}

// mostDecades have marks between them.
const mostDecades = 8

// Ticks implements plot.Ticker for 0 < low < high.
func (logTicks) Ticks(low, high float64) []plot.Tick {
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	span := math.Log10(high / low)
	every := math.Ceil(span / 6)
	var ticks []plot.Tick
	labels := 0
	for decade := from; decade <= to; decade++ {
		for m := 1; m <= 9; m++ {
			v := float64(m) * math.Pow(10, decade)
			if v < low || v > high || m > 1 && span > mostDecades {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 && math.Mod(decade-from, max(1, every)) == 0 || (m == 2 || m == 5) && span < 2.2 {
				t.Label = strconv.FormatFloat(v, 'g', 4, 64)
				labels++
			}
			ticks = append(ticks, t)
		}
	}
	if labels < 2 {
		return linearTicks{}.Ticks(low, high)
	}
	return ticks
}
