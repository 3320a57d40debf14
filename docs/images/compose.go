//go:build ignore

// Compose makes the README's picture out of a run's report: its first two pictures (noisy, denoised) side by side.
//
//	go run docs/images/compose.go out/report.html docs/images/chelsea-before-after.png
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"regexp"
)

var picture = regexp.MustCompile(`src="data:image/png;base64,([^"]*)" alt="(noisy|denoised)"`)

// gap is the space between the pictures in pixels.
const gap = 8

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: compose REPORT PICTURE")
		os.Exit(2)
	}
	if err := compose(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compose(report, out string) error {
	page, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	pictures := map[string]image.Image{}
	for _, found := range picture.FindAllSubmatch(page, -1) {
		data, err := base64.StdEncoding.DecodeString(html.UnescapeString(string(found[1])))
		if err != nil {
			return err
		}
		if pictures[string(found[2])], err = png.Decode(bytes.NewReader(data)); err != nil {
			return err
		}
	}
	noisy, denoised := pictures["noisy"], pictures["denoised"]
	if noisy == nil || denoised == nil {
		return fmt.Errorf("%s: has no pictures called noisy and denoised", report)
	}
	size := noisy.Bounds().Size()
	sheet := image.NewRGBA(image.Rect(0, 0, 2*size.X+gap, size.Y))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(sheet, image.Rect(0, 0, size.X, size.Y), noisy, noisy.Bounds().Min, draw.Src)
	draw.Draw(sheet, image.Rect(size.X+gap, 0, 2*size.X+gap, size.Y), denoised, denoised.Bounds().Min, draw.Src)
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
