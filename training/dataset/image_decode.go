package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"

	"graft/onnx/limits"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// decoders are the readers of each format: of its header alone, and of the first picture.
var decoders = map[string]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	formatPNG:  {png.DecodeConfig, png.Decode},
	formatJPEG: {jpeg.DecodeConfig, jpeg.Decode},
	formatBMP:  {bmp.DecodeConfig, bmp.Decode},
	formatTIFF: {tiff.DecodeConfig, tiff.Decode},
	formatWebP: {webp.DecodeConfig, webp.Decode},
}

// maxScans bounds the passes of a progressive JPEG: each may visit every pixel for a few bytes of file.
const maxScans = 500

// DecodeImage is ReadImage for a file's bytes; name stands in errors.
func DecodeImage(name string, data []byte) (*Image, error) {
	m, refusal := decodeImage(data, minSide)
	if refusal != nil {
		return nil, limits.InFile(name, refusal)
	}
	return m, nil
}

// decodeImage refuses sides below least pixels.
func decodeImage(data []byte, least int) (m *Image, refusal *limits.InputError) {
	format, ok := sniff(data[:min(len(data), sniffLen)])
	switch {
	case len(data) > maxFileBytes:
		return nil, refuse("", "the file has %d MiB or more, at most %d are accepted", len(data)>>20, maxFileBytes>>20)
	case format == "empty":
		return nil, refuse("", "the file is empty")
	case format == "":
		return nil, refuse(formatsHint, "is not an image")
	case !ok:
		return nil, refuse(formatsHint, "is %s", format)
	}
	defer func() {
		if p := recover(); p != nil {
			m, refusal = nil, refuse("save it anew", "the %s decoder gave up on damaged data (%s)", format, limits.Name(fmt.Sprint(p)))
		}
	}()
	meta, refusal := readMetadata(format, data)
	if refusal != nil {
		return nil, refusal
	}
	header, err := decoders[format].config(bytes.NewReader(data))
	if err != nil {
		return nil, explain(format+" header", err)
	}
	w, h := header.Width, header.Height
	switch {
	case w < least || h < least:
		return nil, refuse("give a larger picture", "%dx%d pixels, but a side needs at least %d", w, h, least)
	case w > maxSide || h > maxSide:
		return nil, refuse("make it smaller", "the header claims %dx%d pixels, but a side may have at most %d", w, h, maxSide)
	case w*h > maxPixels:
		return nil, refuse("make it smaller", "the header claims %dx%d pixels, %.1f megapixels, but at most %d are accepted",
			w, h, float64(w)*float64(h)/1e6, maxPixels/1_000_000)
	}
	if n := leastBytes(format, data, int64(w), int64(h)); n > int64(len(data)) {
		return nil, refuse("fetch the file again", "%s is cut short: %dx%d pixels take at least %d bytes, the file has %d", format, w, h, n, len(data))
	}
	picture, err := decoders[format].decode(bytes.NewReader(data))
	if err != nil {
		return nil, explain(format, err)
	}
	if b := picture.Bounds(); b.Dx() != w || b.Dy() != h {
		return nil, refuse("save it anew", "the header claims %dx%d pixels, the data has %dx%d", w, h, b.Dx(), b.Dy())
	}
	m, err = planes(picture, format)
	if err != nil {
		return nil, refuse("save it as PNG", "%s: %v", format, err)
	}
	m.Note = meta.note
	return m.upright(meta.orientation), nil
}

// leastBytes is what a file of w by h pixels has at least: decoders take memory for all of them before they look for the first. 0 where
// a few bytes may stand for any number of pixels.
func leastBytes(format string, data []byte, w, h int64) int64 {
	switch {
	case format == formatPNG && len(data) > 25:
		samples := map[byte]int64{2: 3, 4: 2, 6: 4}[data[25]] // of a pixel, by colour type
		return h * w * max(samples, 1) * int64(data[24]) / 8 / maxRatio
	case format == formatJPEG:
		// A block of 8x8 samples takes a bit or more, and one component at least has half of the pixels.
		return w * h / 64 / 8 / 2
	}
	return 0
}

// endsEarly are the decoders' words for pixel data that ends before the last pixel.
var endsEarly = []string{"not enough pixel data", "short Huffman data", "missing 0xff00 sequence"}

// explain turns a decoder's error into a refusal.
func explain(what string, err error) *limits.InputError {
	text := err.Error()
	early := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), slices.ContainsFunc(endsEarly, early):
		return refuse("fetch the file again", "%s is cut short", what)
	case strings.Contains(text, "dimension overflow"):
		return refuse("save it anew", "%s claims an absurd number of pixels", what)
	}
	unsupported := strings.Contains(text, "nsupported")
	for _, prefix := range []string{"png: ", "bmp: ", "tiff: ", "webp: ", "unsupported feature: ", "invalid format: ", "invalid JPEG format: ", "unsupported JPEG feature: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if unsupported {
		return refuse("save it as PNG", "%s uses a feature that is not read here (%s)", what, text)
	}
	return refuse("save it anew", "%s is damaged (%s)", what, text)
}
