package chart

import (
	"math"
	"strings"
	"testing"
)

func waves(rows, columns int, size float64) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
		for j := range out[i] {
			out[i][j] = size * math.Sin(float64(i*3+j*j))
		}
	}
	return out
}

func TestHeatmap(t *testing.T) {
	hostile := string([]byte{0xff, 0x1b}) + "</text><script>alert(1)</script>\n\"'&" + strings.Repeat("long", 50)
	odd := [][]float64{{math.NaN(), 1, math.Inf(1)}, {-2, 0, math.Inf(-1)}}
	for name, h := range map[string]Heatmap{
		"heads":    {Title: "effects of heads", YLabel: "layer", XLabel: "head", Values: waves(12, 12, 0.3), Diverging: true, Note: "by ablation"},
		"tall":     {Title: "30 layers of 9", YLabel: "layer", XLabel: "head", Values: waves(30, 9, 0.004), Diverging: true},
		"wide":     {Title: "many", Values: waves(80, 64, 1e6)},
		"one":      {Values: [][]float64{{3}}},
		"zeros":    {Values: waves(2, 2, 0), Diverging: true},
		"odd":      {Title: "gaps", Values: odd, Diverging: true},
		"nothing":  {Title: "gaps", Values: [][]float64{{math.NaN()}}},
		"hostile":  {Title: hostile, YLabel: hostile, XLabel: hostile, Note: hostile, Rows: []string{hostile, "b"}, Columns: []string{hostile, "d", "e"}, Values: odd},
		"largest":  {Values: waves(mostCells, mostCells, 1)},
		"positive": {Title: "widths", YLabel: "layer", XLabel: "head", Values: [][]float64{{0.02, 0.03, 0.05, 0.04}, {0.01, 0.02, 0.03, 0.06}}},
	} {
		t.Run(name, func(t *testing.T) {
			svg, err := h.SVG()
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, svg)
			if again, _ := h.SVG(); again != svg {
				t.Error("a second drawing differs")
			}
			save(t, "heatmap_"+name+".svg", []byte(svg))
			cells := 0
			for _, row := range h.Values {
				for _, v := range row {
					if finite(v) {
						cells++
					}
				}
			}
			if got := strings.Count(svg, "</title></rect>"); got != cells {
				t.Errorf("%d cells, want %d", got, cells)
			}
		})
	}
	for name, h := range map[string]Heatmap{
		"empty": {}, "no columns": {Values: [][]float64{{}}}, "ragged": {Values: [][]float64{{1, 2}, {3}}},
		"names": {Values: [][]float64{{1}}, Rows: []string{"a", "b"}}, "large": {Values: make([][]float64, mostCells+1)},
	} {
		if _, err := h.SVG(); err == nil {
			t.Errorf("%s was drawn", name)
		}
	}
}

// TestHeatmapColors: numbers stand out from every cell, zero has no colour, and a scale gets darker to its ends.
func TestHeatmapColors(t *testing.T) {
	for _, scale := range [][]shade{divergingColors, sequentialColors} {
		for i := range 201 {
			c := at(scale, float64(i)/200)
			y, ink := c.luminance(), 0.
			if c.ink() == "white" {
				ink = 1
			}
			if contrast := (max(y, ink) + 0.05) / (min(y, ink) + 0.05); !(contrast >= 4.5) {
				t.Errorf("%v has the contrast %.2f with its number", c, contrast)
			}
		}
	}
	for i := 1; i <= 100; i++ {
		for name, step := range map[string]func(i int) shade{
			"up":   func(i int) shade { return at(divergingColors, 0.5+float64(i)/200) },
			"down": func(i int) shade { return at(divergingColors, 0.5-float64(i)/200) },
			"one":  func(i int) shade { return at(sequentialColors, float64(i)/100) },
		} {
			if is, was := step(i).luminance(), step(i-1).luminance(); is > was+1e-9 {
				t.Errorf("%s: step %d is lighter than the one before", name, i)
			}
		}
	}
	h := Heatmap{Diverging: true, Values: [][]float64{{0, 2, -1}}}
	svg, err := h.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range []string{`fill="#f7f7f7"><title>0, 0: 0<`, `fill="#7a3600"><title>0, 1: 2<`, `><title>0, 2: -1<`} {
		if !strings.Contains(svg, cell) {
			t.Errorf("no %s", cell)
		}
	}
	if low, high := h.span(); low != -2 || high != 2 {
		t.Errorf("the scale goes from %g to %g", low, high)
	}
}

func TestNumerals(t *testing.T) {
	for _, c := range []struct {
		size, v float64
		want    string
		power   int
	}{{0.3, 0.123, "0.12", 0}, {0.05, 0.0123, "0.012", 0}, {3, -1.234, "-1.23", 0}, {45, 12.34, "12.3", 0}, {450, 123.4, "123", 0}, {4500, 1234, "1234", 0},
		{1e6, 250000, "0.2", 6}, {4e-5, -2.5e-5, "-2.5", -5}, {0.3, -0.001, "0", 0}, {0, 0, "0", 0}} {
		n := numeralsOf(c.size)
		if got := n.write(c.v); got != c.want || n.power != c.power {
			t.Errorf("%g of up to %g is %q × 1e%d, want %q × 1e%d", c.v, c.size, got, n.power, c.want, c.power)
		}
	}
}
