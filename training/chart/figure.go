package chart

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"slices"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Panel is one pair of axes.
type Panel struct {
	XLabel, YLabel string
	Log, LogX      bool // the y axis is logarithmic; the x axis is
	Series         []Series
}

// Figure is panels one above the other, under one title and one legend.
type Figure struct {
	Title  string
	Panels []Panel // one to eight
}

// Measures in points, of which 72 are an inch.
const (
	figureWidth  = vg.Length(560)
	panelHeight  = vg.Length(200)
	headHeight   = vg.Length(26)
	legendHeight = vg.Length(16)
	margin       = vg.Length(8)
	pngDPI       = 192 // twice the dots of a screen
)

var (
	ink  = color.NRGBA{A: 255}
	rule = color.NRGBA{R: 128, G: 128, B: 128, A: 70}
)

// PNG is the figure on white, at twice the resolution of a screen: 1493 pixels wide.
func (f Figure) PNG() ([]byte, error) {
	entries, height, err := f.layout()
	if err != nil {
		return nil, err
	}
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(figureWidth, height), vgimg.UseDPI(pngDPI), vgimg.UseBackgroundColor(color.White))}
	if err := f.draw(draw.New(canvas), entries); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("draw chart: %w", err)
	}
	return b.Bytes(), nil
}

// entry is a line of the legend.
type entry struct {
	name  string
	style draw.LineStyle
}

// layout gives every name its style, in order of appearance, and the figure its height.
func (f Figure) layout() ([]entry, vg.Length, error) {
	if len(f.Panels) < 1 || len(f.Panels) > 8 {
		return nil, 0, fmt.Errorf("draw chart: %d panels, 1 to 8 are wanted", len(f.Panels))
	}
	var entries []entry
	for _, p := range f.Panels {
		for _, s := range p.Series {
			if !slices.ContainsFunc(entries, func(e entry) bool { return e.name == s.Name }) {
				entries = append(entries, entry{s.Name, lineStyle(len(entries))})
			}
		}
	}
	if len(entries) > 64 {
		return nil, 0, errors.New("draw chart: more than 64 curves")
	}
	rows := vg.Length(len(legendRows(entries)))
	return entries, headHeight + rows*legendHeight + vg.Length(len(f.Panels))*panelHeight + 2*margin, nil
}

func (f Figure) draw(c draw.Canvas, entries []entry) error {
	c = draw.Crop(c, margin, -margin, margin, -margin)
	title := style(12, draw.XLeft, draw.YTop)
	title.Font.Weight = xfont.WeightBold
	c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y}, plain(f.Title, 80))
	top := c.Max.Y - headHeight
	for _, row := range legendRows(entries) {
		drawLegend(c, row, top)
		top -= legendHeight
	}
	plots := make([][]*plot.Plot, len(f.Panels))
	for i, p := range f.Panels {
		drawn, err := p.plot(entries)
		if err != nil {
			return err
		}
		plots[i] = []*plot.Plot{drawn}
	}
	c.Max.Y = top
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: margin}
	for i, row := range plot.Align(plots, tiles, c) {
		plots[i][0].Draw(row[0])
	}
	return nil
}

// plot makes the panel's axes and curves.
func (p Panel) plot(entries []entry) (*plot.Plot, error) {
	d := plot.New()
	d.BackgroundColor = nil
	d.X.Label.Text, d.Y.Label.Text = plain(p.XLabel, 60), plain(p.YLabel, 30)
	for _, a := range []*plot.Axis{&d.X, &d.Y} {
		a.Label.TextStyle.Font = sans(10)
		a.Tick.Label.Font = sans(9)
		a.LineStyle = draw.LineStyle{Color: ink, Width: 0.75}
		a.Tick.LineStyle = a.LineStyle
		a.Padding = 2
		a.Tick.Marker = linearTicks{}
	}
	if p.Log {
		d.Y.Scale, d.Y.Tick.Marker = plot.LogScale{}, logTicks{}
	}
	if p.LogX {
		d.X.Scale, d.X.Tick.Marker = plot.LogScale{}, logTicks{}
	}
	grid := plotter.NewGrid()
	grid.Vertical = draw.LineStyle{Color: rule, Width: 0.5}
	grid.Horizontal = grid.Vertical
	d.Add(grid)
	points := 0
	for _, s := range p.Series {
		pieces, err := s.pieces(p.LogX, p.Log)
		if err != nil {
			return nil, err
		}
		for _, piece := range pieces {
			line := &plotter.Line{XYs: piece, LineStyle: styleOf(entries, s.Name)}
			d.Add(line)
			points += len(piece)
			if len(piece) == 1 { // a line of one point draws nothing
				d.Add(&plotter.Scatter{XYs: piece, GlyphStyle: draw.GlyphStyle{Color: line.Color, Radius: 2, Shape: draw.CircleGlyph{}}})
			}
		}
	}
	if points == 0 {
		d.X.Min, d.X.Max, d.Y.Min, d.Y.Max = 0, 1, 0.1, 1
	} else {
		d.Y.Min, d.Y.Max = widened(d.Y.Min, d.Y.Max, p.Log)
	}
	return d, nil
}

// widened leaves air above and below the curves.
func widened(low, high float64, log bool) (float64, float64) {
	if log {
		if high/low < 1.5 {
			return low / 1.25, high * 1.25
		}
		return low / 1.1, high * 1.1
	}
	air := (high - low) * 0.05
	if air == 0 {
		air = 0.5
	}
	return low - air, high + air
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func style(size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{Color: ink, Font: sans(size), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}
