package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// logTicks marks decades, and their halves and fifths when few decades are shown.
type logTicks struct{}

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
			if v < low || v > high {
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
		return plot.DefaultTicks{}.Ticks(low, high)
	}
	return ticks
}
