//go:build ignore

// Compose makes a picture out of a run's report: pictures of it side by side, noisy and denoised when none are named, drawn
// --zoom times as large.
//
//	go run docs/images/compose.go out/report.html docs/images/chelsea-before-after.png
//	go run docs/images/compose.go --zoom 2 out/report.html docs/images/task-inpaint.png degraded restored clean
package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"regexp"
)

var picture = regexp.MustCompile(`src="data:image/png;base64,([^"]*)" alt="([a-z0-9 -]*)"`)

// gap is the space between the pictures in pixels.
const gap = 8

var zoom = flag.Int("zoom", 1, "pixels along a side of a pixel")

func main() {
	flag.Parse()
	if flag.NArg() < 2 || *zoom < 1 {
		fmt.Fprintln(os.Stderr, "usage: compose REPORT PICTURE [CAPTION ...]")
		os.Exit(2)
	}
	captions := flag.Args()[2:]
	if len(captions) == 0 {
		captions = []string{"noisy", "denoised"}
	}
	if err := compose(flag.Arg(0), flag.Arg(1), captions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compose(report, out string, captions []string) error {
	page, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	pictures := map[string]image.Image{}
	for _, found := range picture.FindAllSubmatch(page, -1) {
		if pictures[string(found[2])] != nil {
			continue // an enlarged part comes later in the page
		}
		data, err := base64.StdEncoding.DecodeString(html.UnescapeString(string(found[1])))
		if err != nil {
			return err
		}
		if pictures[string(found[2])], err = png.Decode(bytes.NewReader(data)); err != nil {
			return err
		}
	}
	first := pictures[captions[0]]
	if first == nil {
		return fmt.Errorf("%s: has no picture called %s", report, captions[0])
	}
	size := first.Bounds().Size().Mul(*zoom)
	sheet := image.NewRGBA(image.Rect(0, 0, len(captions)*(size.X+gap)-gap, size.Y))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for i, name := range captions {
		m := pictures[name]
		if m == nil {
			return fmt.Errorf("%s: has no picture called %s", report, name)
		}
		for y := range size.Y {
			for x := range size.X {
				sheet.Set(i*(size.X+gap)+x, y, m.At(m.Bounds().Min.X+x/(*zoom), m.Bounds().Min.Y+y/(*zoom)))
			}
		}
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := png.Encode(f, sheet); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
