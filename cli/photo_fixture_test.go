package cli

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"strconv"
)

// writePhoto is graftphoto KIND WIDTH HEIGHT FILE: a smooth picture as PNG (of the kinds flat, white and hole: of one colour, white,
// black with a white square); and graftphoto size FILE, which prints its size
// and colour model.
func writePhoto(args []string) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "size":
		err = printPhoto(args[1])
	case len(args) == 4:
		width, _ := strconv.Atoi(args[1])
		height, _ := strconv.Atoi(args[2])
		err = makePhoto(args[0], width, height, args[3])
	default:
		err = fmt.Errorf("usage: graftphoto KIND WIDTH HEIGHT FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func printPhoto(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := png.DecodeConfig(f)
	if err != nil {
		return err
	}
	model := map[color.Model]string{color.GrayModel: "grey", color.RGBAModel: "rgb", color.NRGBAModel: "alpha",
		color.Gray16Model: "grey16", color.RGBA64Model: "rgb16", color.NRGBA64Model: "alpha16"}[c.ColorModel]
	fmt.Printf("%d x %d %s\n", c.Width, c.Height, model)
	return nil
}

func makePhoto(kind string, width, height int, path string) error {
	if kind == "claim" { // a header, and nothing of the kind behind it
		return os.WriteFile(path, claim(uint32(width), uint32(height)), 0o644)
	}
	at := func(x, y int) (r, g, b uint16) {
		v := 0.5 + 0.3*math.Sin(float64(x)/7)*math.Cos(float64(y)/5)
		return uint16(v * 65535), uint16((1 - v) * 50000), uint16(x * 65535 / width)
	}
	box := image.Rect(0, 0, width, height)
	switch kind {
	case "flat":
		at = func(int, int) (r, g, b uint16) { return 20000, 30000, 10000 }
	case "white":
		at = func(int, int) (r, g, b uint16) { return 65535, 65535, 65535 }
	case "hole":
		at = func(x, y int) (r, g, b uint16) {
			if x >= 8 && x < 16 && y >= 8 && y < 16 {
				return 65535, 65535, 65535
			}
			return 0, 0, 0
		}
	}
	var m interface {
		image.Image
		Set(x, y int, c color.Color)
	}
	switch kind {
	case "grey":
		m = image.NewGray(box)
	case "rgb16":
		m = image.NewRGBA64(box)
	default:
		m = image.NewNRGBA(box)
	}
	for y := range height {
		for x := range width {
			r, g, b := at(x, y)
			a := uint16(65535)
			if kind == "alpha" {
				a = uint16(65535 - x*30000/width)
			}
			m.Set(x, y, color.NRGBA64{R: r, G: g, B: b, A: a})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return err
	}
	data := b.Bytes()
	if kind == "truncated" {
		data = data[:len(data)/2]
	}
	return os.WriteFile(path, data, 0o644)
}

// claim is a PNG of a kilobyte that says it has so many pixels.
func claim(width, height uint32) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		named := append([]byte(name), body...)
		out = binary.BigEndian.AppendUint32(append(out, named...), crc32.ChecksumIEEE(named))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	chunk("IHDR", append(header, 8, 2, 0, 0, 0))
	chunk("IDAT", make([]byte, 1000))
	chunk("IEND", nil)
	return out
}
