package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// SVG is the figure as an svg element to be put into an HTML page: transparent, text and axes in the page's text colour
// (currentColor), no script, no link, no font file.
func (f Figure) SVG() (string, error) {
	entries, height, err := f.layout()
	if err != nil {
		return "", err
	}
	canvas := vgsvg.New(figureWidth, height)
	if err := f.draw(draw.New(canvas), entries); err != nil {
		return "", err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw chart: %w", err)
	}
	_, body, ok := strings.Cut(b.String(), "<svg")
	if ok {
		_, body, ok = strings.Cut(body, ">")
	}
	if !ok {
		return "", fmt.Errorf("draw chart: the SVG writer gave no svg element")
	}
	body = strings.NewReplacer(
		"stroke:#000000", "stroke:currentColor",
		"font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;",
	).Replace(body)
	return svgOpen(f.Title, float64(figureWidth), float64(height)) + body, nil
}

// svgOpen opens an svg element that scales to the width it is given, with a title for those who do not see it.
func svgOpen(title string, w, h float64) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" fill="currentColor">`+"\n<title>%s</title>",
		w, h, w, h, escape(plain(title, 200)))
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder gives no error
	return b.String()
}
