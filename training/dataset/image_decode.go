package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

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
func DecodeImage(name string, data []byte) (m *Image, err error) {
	refuse := func(hint string, cause error, format string, args ...any) (*Image, error) {
		return nil, &ImageError{File: name, Reason: fmt.Sprintf(format, args...), Hint: hint, Err: cause}
	}
	format, ok := sniff(data[:min(len(data), sniffLen)])
	switch {
	case len(data) > maxFileBytes:
		return refuse("", nil, "the file has %d MiB, %d are accepted", len(data)>>20, maxFileBytes>>20)
	case format == "empty":
		return refuse("", nil, "the file is empty")
	case format == "":
		return refuse(formatsHint, nil, "is not an image")
	case !ok:
		return refuse(formatsHint, nil, "is not an image that is read here but %s", format)
	}
	defer func() {
		if p := recover(); p != nil {
			m, err = refuse("save it anew", nil, "the %s decoder gave up on damaged data (%v)", format, p)
		}
	}()
	meta := readMetadata(format, data)
	if meta.reason != "" {
		return refuse(meta.hint, nil, "%s", meta.reason)
	}
	header, err := decoders[format].config(bytes.NewReader(data))
	if err != nil {
		reason, hint := explain(format+" header", err)
		return refuse(hint, err, "%s", reason)
	}
	w, h := header.Width, header.Height
	switch {
	case w < minSide || h < minSide:
		return refuse("give a larger picture", nil, "%dx%d pixels, but a side needs at least %d", w, h, minSide)
	case w > maxSide || h > maxSide:
		return refuse("make it smaller", nil, "the header claims %dx%d pixels, but a side may have at most %d", w, h, maxSide)
	case w*h > maxPixels:
		return refuse("make it smaller", nil, "the header claims %dx%d pixels, %.1f megapixels, but at most %d are accepted",
			w, h, float64(w)*float64(h)/1e6, maxPixels/1_000_000)
	}
	picture, err := decoders[format].decode(bytes.NewReader(data))
	if err != nil {
		reason, hint := explain(format, err)
		return refuse(hint, err, "%s", reason)
	}
	if b := picture.Bounds(); b.Dx() != w || b.Dy() != h {
		return refuse("save it anew", nil, "the header claims %dx%d pixels, the data has %dx%d", w, h, b.Dx(), b.Dy())
	}
	m, err = planes(picture, format)
	if err != nil {
		return refuse("save it as PNG", err, "%s: %v", format, err)
	}
	m.Note = meta.note
	return m.upright(meta.orientation), nil
}

// explain turns a decoder's error into a reason and a hint.
func explain(what string, err error) (reason, hint string) {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return what + " is cut short", "fetch the file again"
	}
	text := err.Error()
	for _, prefix := range []string{"png: ", "bmp: ", "tiff: ", "webp: ", "invalid JPEG format: ", "unsupported JPEG feature: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if strings.Contains(err.Error(), "nsupported") {
		return what + " uses a feature that is not read here (" + text + ")", "save it as PNG"
	}
	return what + " is damaged (" + text + ")", "save it anew"
}
