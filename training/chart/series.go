package chart

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"gonum.org/v1/plot/plotter"
)

// Series is one curve, which may turn back. A point that is not finite, or not above 0 on a logarithmic axis, leaves a gap.
type Series struct {
	Name string // shown in the legend; the same name has the same colour in every panel
	X, Y []float64
}

// maxPoints is what one curve is drawn with: more are gathered into their lowest and highest.
const maxPoints = 1200

// pieces cuts the curve at its gaps.
func (s Series) pieces(logX, log bool) ([]plotter.XYs, error) {
	if len(s.X) != len(s.Y) {
		return nil, fmt.Errorf("draw %q: %d values of x, %d of y", s.Name, len(s.X), len(s.Y))
	}
	var all []plotter.XYs
	var piece plotter.XYs
	for i, x := range s.X {
		y := s.Y[i]
		if !finite(x) || !finite(y) || log && y <= 0 || logX && x <= 0 {
			if piece != nil {
				all = append(all, piece)
			}
			piece = nil
			continue
		}
		piece = append(piece, plotter.XY{X: x, Y: y})
	}
	if piece != nil {
		all = append(all, piece)
	}
	for i := range all {
		all[i] = thin(all[i], maxPoints)
	}
	return all, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && math.Abs(v) < 1e100 }

// thin keeps of each of n/2 runs of points the lowest and the highest in their order, and the two ends.
func thin(p plotter.XYs, n int) plotter.XYs {
	if len(p) <= n {
		return p
	}
	out := plotter.XYs{p[0]}
	runs := (n - 2) / 2
	inner := p[1 : len(p)-1]
	for r := range runs {
		run := inner[r*len(inner)/runs : (r+1)*len(inner)/runs]
		low, high := 0, 0
		for i, v := range run {
			if v.Y < run[low].Y {
				low = i
			}
			if v.Y > run[high].Y {
				high = i
			}
		}
		out = append(out, run[min(low, high)])
		if low != high {
			out = append(out, run[max(low, high)])
		}
	}
	return append(out, p[len(p)-1])
}

// plain makes a foreign string fit for one short line.
func plain(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		head := (most - 1) * 2 / 3
		return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
	}
	return s
}
