package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Heatmap is a table of numbers as coloured cells, with the scale of colours beside it.
type Heatmap struct {
	Title          string
	YLabel, XLabel string   // of rows and of columns
	Rows, Columns  []string // their names; nil: their numbers from 0
	// Values are by row and column. What is not finite is drawn as no cell.
	Values [][]float64
	// Diverging has a scale that is the same on both sides of zero, blue below and red above. Otherwise it goes from the smallest to the
	// largest number.
	Diverging bool
	Note      string // under the title
}

// mostCells bound a heat map along each side.
const mostCells = 128

// The colours of the scales, evenly spaced; between them they are mixed. Blue and orange are told apart by readers of any colour vision.
var (
	divergingColors  = []shade{{0x00, 0x3f, 0x66}, {0x00, 0x72, 0xb2}, {0x8f, 0xc1, 0xe0}, {0xf7, 0xf7, 0xf7}, {0xf0, 0xb9, 0x8a}, {0xd5, 0x5e, 0x00}, {0x7a, 0x36, 0x00}}
	sequentialColors = []shade{{0xf7, 0xf7, 0xf7}, {0x8f, 0xc1, 0xe0}, {0x00, 0x72, 0xb2}, {0x00, 0x2f, 0x4d}}
)

// shade is a colour of the screen.
type shade [3]float64

// at is the colour at a place of a scale, 0 to 1.
func at(scale []shade, t float64) shade {
	x := min(1, max(0, t)) * float64(len(scale)-1)
	i := min(int(x), len(scale)-2)
	var out shade
	for k := range out {
		out[k] = math.Round(scale[i][k] + (x-float64(i))*(scale[i+1][k]-scale[i][k]))
	}
	return out
}

func (s shade) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(s[0]), int(s[1]), int(s[2]))
}

// luminance is the relative one of WCAG 2.
func (s shade) luminance() float64 {
	y := 0.0
	for k, part := range [3]float64{0.2126, 0.7152, 0.0722} {
		if c := s[k] / 255; c <= 0.04045 {
			y += part * c / 12.92
		} else {
			y += part * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return y
}

// ink is the colour of a number on a cell: the one of black and white with more contrast, which is 4.5 to 1 at least.
func (s shade) ink() string {
	if y := s.luminance(); 1.05/(y+0.05) > (y+0.05)/0.05 {
		return "white"
	}
	return "black"
}

// span is what the scale goes from and to.
func (h Heatmap) span() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range h.Values {
		for _, v := range row {
			if finite(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low > high {
		low, high = 0, 1
	}
	if h.Diverging {
		high = max(high, -low)
		low = -high
	}
	if low == high {
		return low - 1, high + 1
	}
	return low, high
}

// numerals write numbers up to a size shortly: times a power of ten that is left out, with so many places.
type numerals struct {
	power  int
	places int
}

func numeralsOf(size float64) numerals {
	n := numerals{places: 2}
	if size == 0 || !finite(size) {
		return n
	}
	e := int(math.Floor(math.Log10(size)))
	switch {
	case e < -2 || e > 3:
		n.power, n.places = e, 1
	case e < -1:
		n.places = 3
	case e > 0:
		n.places = max(0, 2-e)
	}
	return n
}

func (n numerals) write(v float64) string {
	s := strconv.FormatFloat(v/math.Pow10(n.power), 'f', n.places, 64)
	if strings.Trim(s, "-0.") == "" {
		return "0"
	}
	return s
}

// SVG is the heat map as an svg element for an HTML page, of the kind that Figure.SVG gives.
func (h Heatmap) SVG() (string, error) {
	if err := h.check(); err != nil {
		return "", err
	}
	const fontSize, glyph, small, nameRunes = 11., 6.1, 9., 24
	rows, columns := len(h.Values), len(h.Values[0])
	low, high := h.span()
	write := numeralsOf(max(math.Abs(low), math.Abs(high)))
	scale := sequentialColors
	if h.Diverging {
		scale = divergingColors
	}
	longest := func(names []string, n int) (runes int) {
		for i := range n {
			runes = max(runes, utf8.RuneCountInString(nameOf(names, i, nameRunes)))
		}
		return runes
	}
	left := float64(longest(h.Rows, rows))*glyph + 14
	if h.YLabel != "" {
		left += 16
	}
	legend := float64(max(len(write.write(low)), len(write.write(high)), 6))*glyph + 30
	cellWidth := min(46, max(7, (720-left-legend-14)/float64(columns)))
	cellHeight := min(24, max(7, 620/float64(rows)))
	top := 44.
	if h.Note != "" {
		top += 15
	}
	upright := float64(longest(h.Columns, columns))*glyph+4 <= cellWidth || h.Columns == nil
	if !upright {
		top += float64(longest(h.Columns, columns))*glyph - 8
	}
	gridWidth, gridHeight := cellWidth*float64(columns), cellHeight*float64(rows)
	width, height := left+gridWidth+14+legend, top+max(gridHeight, 120)+8
	if h.XLabel != "" {
		top += 14
		height += 14
	}
	var s strings.Builder
	s.WriteString(svgOpen(h.Title, width, height))
	fmt.Fprintf(&s, "\n<g font-family=\"Liberation Sans,Arial,Helvetica,sans-serif\" font-size=\"%g\">\n", fontSize)
	fmt.Fprintf(&s, "<text x=\"0\" y=\"13\" font-size=\"13\" style=\"font-weight:bold\">%s</text>\n", escape(plain(h.Title, 80)))
	if h.Note != "" {
		fmt.Fprintf(&s, "<text x=\"0\" y=\"28\" opacity=\"0.75\">%s</text>\n", escape(plain(h.Note, 110)))
	}
	if h.XLabel != "" {
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", left+gridWidth/2, top-18, escape(plain(h.XLabel, 60)))
	}
	if h.YLabel != "" {
		x, y := 10., top+gridHeight/2
		fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 %.1f %.1f)\">%s</text>\n", x, y, x, y, escape(plain(h.YLabel, 60)))
	}
	each := int(math.Ceil((float64(len(strconv.Itoa(columns)))*glyph + 3) / cellWidth)) // numbers of columns that have room
	for i := range columns {
		x := left + cellWidth*(float64(i)+0.5)
		name := escape(nameOf(h.Columns, i, nameRunes))
		switch {
		case !upright:
			fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" transform=\"rotate(-90 %.1f %.1f)\">%s</text>\n", x+4, top-4, x+4, top-4, name)
		case h.Columns != nil || i%each == 0:
			fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" opacity=\"0.75\">%s</text>\n", x, top-4, name)
		}
	}
	every := int(math.Ceil(fontSize / cellHeight))
	for i, row := range h.Values {
		y := top + cellHeight*float64(i)
		if i%every == 0 {
			fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" opacity=\"0.75\">%s</text>\n", left-6, y+cellHeight/2+4, escape(nameOf(h.Rows, i, nameRunes)))
		}
		for j, v := range row {
			if !finite(v) {
				continue
			}
			x := left + cellWidth*float64(j)
			color := at(scale, (v-low)/(high-low))
			fmt.Fprintf(&s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%v\"><title>%s, %s: %s</title></rect>\n", x+0.5, y+0.5, cellWidth-1, cellHeight-1, color,
				escape(nameOf(h.Rows, i, nameRunes)), escape(nameOf(h.Columns, j, nameRunes)), strconv.FormatFloat(v, 'g', 4, 64))
			text := write.write(v)
			if cellHeight >= small+3 && cellWidth >= float64(len(text))*small*0.56+3 {
				fmt.Fprintf(&s, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" text-anchor=\"middle\" fill=\"%s\">%s</text>\n", x+cellWidth/2, y+cellHeight/2+3.2, small, color.ink(), text)
			}
		}
	}
	h.legend(&s, scale, write, left+gridWidth+14, top, low, high)
	s.WriteString("</g>\n</svg>\n")
	return s.String(), nil
}

// legend draws the scale with five numbers, the largest on top.
func (h Heatmap) legend(s *strings.Builder, scale []shade, write numerals, x, top, low, high float64) {
	const width, height, steps = 12., 110., 44
	for i := range steps {
		t := 1 - (float64(i)+0.5)/steps
		fmt.Fprintf(s, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" fill=\"%v\"/>\n", x, top+height*float64(i)/steps, width, height/steps+0.1, at(scale, t))
	}
	for i := range 5 {
		v := high + (low-high)*float64(i)/4
		fmt.Fprintf(s, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x+width+6, top+height*float64(i)/4+4, write.write(v))
	}
	if write.power != 0 {
		fmt.Fprintf(s, "<text x=\"%.1f\" y=\"%.1f\">× 1e%d</text>\n", x, top-10, write.power)
	}
}

func nameOf(names []string, i, most int) string {
	if names == nil {
		return strconv.Itoa(i)
	}
	return plain(names[i], most)
}

func (h Heatmap) check() error {
	rows := len(h.Values)
	if rows == 0 || len(h.Values[0]) == 0 {
		return fmt.Errorf("draw heat map %q: there are no values", h.Title)
	}
	columns := len(h.Values[0])
	if rows > mostCells || columns > mostCells {
		return fmt.Errorf("draw heat map %q: %d rows of %d, %d of %d at most", h.Title, rows, columns, mostCells, mostCells)
	}
	for i, row := range h.Values {
		if len(row) != columns {
			return fmt.Errorf("draw heat map %q: row %d has %d values, the first has %d", h.Title, i+1, len(row), columns)
		}
	}
	if h.Rows != nil && len(h.Rows) != rows || h.Columns != nil && len(h.Columns) != columns {
		return fmt.Errorf("draw heat map %q: %d and %d names for %d rows of %d", h.Title, len(h.Rows), len(h.Columns), rows, columns)
	}
	return nil
}
