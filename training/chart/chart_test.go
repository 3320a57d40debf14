package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run is a training run of n points: PSNR rises, the dense curve falls again.
func run(n int) Figure {
	var x, sparse, dense, ls, ld []float64
	for i := range n {
		t := float64(i) / float64(n-1)
		wave := 0.15 * math.Sin(40*t)
		x = append(x, t*5000)
		sparse = append(sparse, 12+17*(1-math.Exp(-6*t))+wave)
		dense = append(dense, 12+17*(1-math.Exp(-9*t))-8*t*t+wave)
		ls = append(ls, 0.2*math.Exp(-5*t)+0.012)
		ld = append(ld, 0.2*math.Exp(-6*t)+0.002)
	}
	noisy := Series{"noisy input", []float64{0, 5000}, []float64{20.1, 20.1}}
	return Figure{Title: "chelsea.png, noise 0.1, quick", Panels: []Panel{
		{YLabel: "PSNR (dB)", Series: []Series{{"sparse (5 % kept)", x, sparse}, {"dense", x, dense}, noisy}},
		{XLabel: "step", YLabel: "loss", Log: true, Series: []Series{{"sparse (5 % kept)", x, ls}, {"dense", x, ld}}},
	}}
}

func layers(n int) []Bar {
	var bars []Bar
	for i := range n {
		bars = append(bars, Bar{Name: fmt.Sprintf("s%d.down%d.conv.weight", i/4, i%4), Value: 0.37 * math.Exp(-float64(i)/6), Note: fmt.Sprintf("%d of %d", 37*i, 9216)})
	}
	return bars
}

// save keeps a picture where CHART_OUT says, to be looked at.
func save(t *testing.T, name string, data []byte) {
	if dir := os.Getenv("CHART_OUT"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFigure(t *testing.T) {
	hostile := string([]byte{0xff, 0x1b}) + "</text><script>alert(1)</script>\n\"'&"
	one := []float64{3}
	odd := []float64{math.NaN(), 1, math.Inf(1), 2, -5, 0, 1e300, 3}
	many := Figure{Title: "many"}
	for i := range 2 {
		p := Panel{YLabel: "y", Log: i == 1}
		for j := range 20 {
			p.Series = append(p.Series, Series{fmt.Sprintf("method %d", j), []float64{0, 1, 2}, []float64{float64(j + 1), 5, float64(30 - j)}})
		}
		many.Panels = append(many.Panels, p)
	}
	for name, f := range map[string]Figure{
		"run":     run(201),
		"long":    run(200_000),
		"empty":   {Title: "nothing yet", Panels: []Panel{{YLabel: "PSNR (dB)"}, {YLabel: "loss", Log: true}}},
		"point":   {Panels: []Panel{{Series: []Series{{"one", one, one}}}, {Log: true, Series: []Series{{"one", one, one}}}}},
		"flat":    {Panels: []Panel{{Log: true, Series: []Series{{"f", []float64{0, 1}, []float64{2, 2}}}}}},
		"narrow":  {Panels: []Panel{{Log: true, Series: []Series{{"f", []float64{0, 1}, []float64{0.0111, 0.0182}}}}}},
		"wide":    {Panels: []Panel{{Log: true, Series: []Series{{"f", []float64{0, 1}, []float64{1e-30, 1e30}}}}}},
		"gaps":    {Panels: []Panel{{Series: []Series{{"g", []float64{0, 1, 2, 3, 4, 5, 6, 7}, odd}}}, {Log: true, Series: []Series{{"g", []float64{0, 1, 2, 3, 4, 5, 6, 7}, odd}}}}},
		"logs":    {Panels: []Panel{{Log: true, LogX: true, Series: []Series{{"l", []float64{0, 1e-3, 1e-2, 1e-1}, []float64{1, 1e-6, 1e-4, 1e-2}}, {"one", one, one}}}}},
		"hostile": {Title: hostile, Panels: []Panel{{XLabel: hostile, YLabel: hostile, Series: []Series{{hostile, []float64{0, 1}, []float64{0, 1}}}}}},
		"many":    many,
	} {
		t.Run(name, func(t *testing.T) {
			data, err := f.PNG()
			if err != nil {
				t.Fatal(err)
			}
			m, err := png.Decode(bytes.NewReader(data))
			if err != nil || m.Bounds().Dx() != 1493 {
				t.Fatalf("%v wide, %v", m.Bounds().Dx(), err)
			}
			svg, err := f.SVG()
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, svg)
			again, _ := f.PNG()
			svgAgain, _ := f.SVG()
			if !bytes.Equal(data, again) || svg != svgAgain {
				t.Error("a second drawing differs")
			}
			save(t, name+".png", data)
			save(t, name+".svg", []byte(svg))
			if len(svg) > 200_000 {
				t.Errorf("SVG of %d bytes", len(svg))
			}
		})
	}
}

func TestFigureErrors(t *testing.T) {
	for name, f := range map[string]Figure{
		"no panel": {}, "nine panels": {Panels: make([]Panel, 9)},
		"lengths": {Panels: []Panel{{Series: []Series{{"a", []float64{1, 2}, []float64{1}}}}}},
	} {
		if _, err := f.PNG(); err == nil {
			t.Errorf("%s: a PNG was drawn", name)
		}
		if _, err := f.SVG(); err == nil {
			t.Errorf("%s: an SVG was drawn", name)
		}
	}
}

// harmless: well-formed, of drawing elements only, and nothing in it acts or refers to anything.
func harmless(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if !strings.Contains(" svg title g path text line rect ", " "+e.Name.Local+" ") {
				t.Errorf("element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") || strings.Contains(a.Value, "url(") {
					t.Errorf("attribute %s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.ProcInst, xml.Directive:
			t.Errorf("%T in a fragment", e)
		}
	}
	if strings.Contains(svg, "#000000") {
		t.Error("black is written out: it vanishes on a dark page")
	}
}

func TestBars(t *testing.T) {
	hostile := []Bar{{"<script>\x00\x1b[2J" + strings.Repeat("long", 100), math.NaN(), "</svg>"}, {"b", -3, ""}, {"c", math.Inf(1), ""}, {"", 1e-9, ""}}
	for name, bars := range map[string][]Bar{"layers": layers(24), "none": nil, "many": layers(1000), "hostile": hostile} {
		svg := BarsSVG("kept <weights>", bars)
		harmless(t, svg)
		if svg != BarsSVG("kept <weights>", bars) {
			t.Errorf("%s: a second drawing differs", name)
		}
		save(t, "bars_"+name+".svg", []byte(svg))
	}
	if svg := BarsSVG("", layers(1000)); !strings.Contains(svg, "and 600 more") {
		t.Error("the rest is not counted")
	}
}

func TestPercent(t *testing.T) {
	for v, want := range map[float64]string{0: "0 %", 1: "100 %", 0.05: "5 %", 0.1234: "12.3 %", 0.0042: "0.42 %", 1e-6: "<0.01 %", 0.9999: "100 %", 0.1: "10 %", 0.3: "30 %"} {
		if got := percent(v); got != want {
			t.Errorf("percent(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 0.05: 0.08, 0.37: 0.4, 0.4: 0.4, 0.9: 1, 1: 1, 0.0099: 0.01} {
		if got := niceEnd(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("niceEnd(%v) = %v, want %v", v, got, want)
		}
	}
}

// Thinning keeps the ends and the extremes.
func TestThin(t *testing.T) {
	x, y := make([]float64, 100_000), make([]float64, 100_000)
	for i := range x {
		x[i], y[i] = float64(i), math.Sin(float64(i))
	}
	y[77_777], y[33_333] = 100, -100
	pieces, err := Series{X: x, Y: y}.pieces(false, false)
	if err != nil || len(pieces) != 1 || len(pieces[0]) > maxPoints {
		t.Fatalf("%d pieces, %v", len(pieces), err)
	}
	low, high, last := 0., 0., -1.
	for _, p := range pieces[0] {
		low, high = min(low, p.Y), max(high, p.Y)
		if p.X <= last {
			t.Fatal("out of order")
		}
		last = p.X
	}
	if low != -100 || high != 100 || pieces[0][0].X != 0 || last != 99_999 {
		t.Errorf("low %v, high %v, last %v", low, high, last)
	}
}

func TestLinearTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 5000, "0 1000 2000 3000 4000 5000"}, {11.2, 29.9, "12 14 16 18 20 22 24 26 28"}, {0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{-0.5, 0.5, "-0.4 -0.2 0 0.2 0.4"}, {0.0111, 0.0182, "0.012 0.013 0.014 0.015 0.016 0.017 0.018"}, {2.5, 3.5, "2.6 2.8 3.0 3.2 3.4"}, {0, 4e8, "0 1e+08 2e+08 3e+08 4e+08"},
	} {
		var got []string
		for _, tick := range (linearTicks{}).Ticks(c.low, c.high) {
			got = append(got, tick.Label)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v to %v: %v, want %v", c.low, c.high, got, c.want)
		}
	}
}
