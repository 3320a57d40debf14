package pacbayes

import "math"

// ScaleGrid are the logarithms of prior scales that a certificate may take: the prior is chosen after the samples have been
// seen, and what it costs is the logarithm of how many there are, once for each scale.
type ScaleGrid struct {
	Low    float64 `json:"low"`
	Step   float64 `json:"step"`
	Points int     `json:"points"`
}

// UsualScales go from exp(-10) to exp(2) in steps of one per cent: finer steps cost more than they save.
var UsualScales = ScaleGrid{Low: -10, Step: 0.01, Points: 1201}

// At is a point of the grid.
func (g ScaleGrid) At(i int) float64 { return g.Low + float64(i)*g.Step }

// Union is what the choice of so many scales costs, in nats.
func (g ScaleGrid) Union(scales int) float64 { return float64(scales) * math.Log(float64(g.Points)) }

// On reports whether b is a point of the grid.
func (g ScaleGrid) On(b float64) bool {
	i := math.Round((b - g.Low) / g.Step)
	return i >= 0 && i < float64(g.Points) && g.At(int(i)) == b
}

// fit gives, for each group, the point where KL is smallest: next to exp(2b) = mean(sigma^2 + (w - w0)^2).
func (g ScaleGrid) fit(w, w0, sigma []float32, groups []int64) []float64 {
	out := make([]float64, len(groups))
	at := 0
	for l, n := range groups {
		sum := 0.0
		for i := at; i < at+int(n); i++ {
			d, s := float64(w[i])-float64(w0[i]), float64(sigma[i])
			sum += d*d + s*s
		}
		at += int(n)
		best := 0.5 * math.Log(sum/float64(n))
		// KL/|l| is exp(2(best-b))/2 + b and a constant.
		cost := func(i int) float64 { return math.Exp(2*(best-g.At(i)))/2 + g.At(i) }
		i := int(min(max(math.Floor((best-g.Low)/g.Step), 0), float64(g.Points-1)))
		if i+1 < g.Points && cost(i+1) < cost(i) {
			i++
		}
		out[l] = g.At(i)
	}
	return out
}
