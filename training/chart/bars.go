package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bar is one row of a bar chart.
type Bar struct {
	Name  string
	Value float64 // a fraction, 0 to 1; outside it is clipped, NaN counts as 0
	Note  string  // shown behind the percentage: "12 of 240"
}

// maxBars is how many rows are drawn; the rest is counted.
const maxBars = 400

// BarsSVG is a horizontal bar chart of fractions as an svg element for an HTML page, of the kind that Figure.SVG gives.
func BarsSVG(title string, bars []Bar) string {
	const (
		width, rowHeight, barHeight = 720., 19., 11.
		top, fontSize, glyph        = 26., 11., 6.1
		nameRunes, noteRunes        = 36, 24
	)
	shown := bars[:min(len(bars), maxBars)]
	names, notes, longest, largest := 0, 0, 0., 0.
	for _, b := range shown {
		names = max(names, utf8.RuneCountInString(plain(b.Name, nameRunes)))
		notes = max(notes, utf8.RuneCountInString(b.label(noteRunes)))
		largest = max(largest, b.fraction())
	}
	end := niceEnd(largest)
	left := float64(names)*glyph + 12
	longest = width - left - float64(notes)*glyph - 14
	height := top + rowHeight*float64(len(shown)) + 6
	if len(bars) > len(shown) {
		height += rowHeight
	}
	var s strings.Builder
	s.WriteString(svgOpen(title, width, height))
	fmt.Fprintf(&s, "\n<g font-family=\"Liberation Sans,Arial,Helvetica,sans-serif\" font-size=\"%g\">\n", fontSize)
	for i := range 5 {
		v := end * float64(i) / 4
		x := left + longest*float64(i)/4
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"14\" text-anchor=\"middle\" opacity=\"0.75\">%s</text>\n", x, percent(v))
		fmt.Fprintf(&s, "<line x1=\"%.1f\" y1=\"20\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"currentColor\" stroke-opacity=\"0.18\"/>\n", x, x, top+rowHeight*float64(len(shown)))
	}
	for i, b := range shown {
		y := top + rowHeight*float64(i)
		length := longest * b.fraction() / end
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left-8, y+12, escape(plain(b.Name, nameRunes)))
		fmt.Fprintf(&s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#0072b2\"/>\n", left, y+2.5, length, barHeight)
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", left+longest+10, y+12, escape(b.label(noteRunes)))
	}
	if rest := len(bars) - len(shown); rest > 0 {
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\">and %d more</text>\n", left, top+rowHeight*float64(len(shown))+12, rest)
	}
	s.WriteString("</g>\n</svg>\n")
	return s.String()
}

func (b Bar) fraction() float64 {
	if !(b.Value > 0) {
		return 0
	}
	return min(1, b.Value)
}

func (b Bar) label(most int) string {
	s := percent(b.fraction())
	if b.Note != "" {
		s += " · " + plain(b.Note, most)
	}
	return s
}

// percent shows three significant digits at most.
func percent(v float64) string {
	v *= 100
	switch {
	case v == 0 || v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64) + " %"
	case v < 0.01:
		return "<0.01 %"
	case v < 1:
		return trimZeros(strconv.FormatFloat(v, 'f', 2, 64)) + " %"
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 1, 64)) + " %"
}

func trimZeros(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// niceEnd is the first of 1, 2, 4 or 8 times a power of ten, or 1, that is no less than v: its quarters are round numbers.
func niceEnd(v float64) float64 {
	if v <= 0 {
		return 1
	}
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 8, 10} {
		if end := m * decade; v <= end*(1+1e-12) {
			return min(1, end)
		}
	}
	return 1
}
