package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// palette is Okabe and Ito's, of which every two colours differ for readers of any colour vision, without its black and
// its yellow, which vanish on a dark and on a white page.
var palette = []color.NRGBA{
	{R: 0x00, G: 0x72, B: 0xb2, A: 255}, // blue
	{R: 0xd5, G: 0x5e, B: 0x00, A: 255}, // vermilion
	{R: 0x00, G: 0x9e, B: 0x73, A: 255}, // green
	{R: 0xcc, G: 0x79, B: 0xa7, A: 255}, // purple
	{R: 0xe6, G: 0x9f, B: 0x00, A: 255}, // orange
	{R: 0x56, G: 0xb4, B: 0xe9, A: 255}, // sky
}

var dashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 2, 2, 2}}

// lineStyle is the i-th curve's: all colours solid, then all dashed, and so on.
func lineStyle(i int) draw.LineStyle {
	return draw.LineStyle{
		Color: palette[i%len(palette)], Width: 1.6,
		Dashes: dashes[i/len(palette)%len(dashes)],
	}
}

func styleOf(entries []entry, name string) draw.LineStyle {
	for _, e := range entries {
		if e.name == name {
			return e.style
		}
	}
	return lineStyle(0)
}

const (
	keyLength = vg.Length(22)
	keyGap    = vg.Length(5)
	entryGap  = vg.Length(16)
)

func (e entry) width() vg.Length {
	return keyLength + keyGap + style(10, draw.XLeft, draw.YCenter).Width(e.label()) + entryGap
}

func (e entry) label() string { return plain(e.name, 40) }

// legendRows breaks the entries into rows that fit. A single curve needs no legend when it has no name.
func legendRows(entries []entry) [][]entry {
	var rows [][]entry
	var used vg.Length
	for _, e := range entries {
		if e.name == "" && len(entries) == 1 {
			return nil
		}
		w := e.width()
		if len(rows) == 0 || used+w > figureWidth-2*margin+entryGap {
			rows = append(rows, nil)
			used = 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += w
	}
	return rows
}

func drawLegend(c draw.Canvas, row []entry, top vg.Length) {
	x, y := c.Min.X, top-legendHeight/2+2
	for _, e := range row {
		thick := e.style
		thick.Width = 2.2
		c.StrokeLine2(thick, x, y, x+keyLength, y)
		c.FillText(style(10, draw.XLeft, draw.YCenter), vg.Point{X: x + keyLength + keyGap, Y: y}, e.label())
		x += e.width()
	}
}
