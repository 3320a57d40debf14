package dataset

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Names of the formats that are decoded.
const (
	formatPNG  = "PNG"
	formatJPEG = "JPEG"
	formatBMP  = "BMP"
	formatTIFF = "TIFF"
	formatWebP = "WebP"
)

// sniffLen is how much of a file sniff looks at.
const sniffLen = 512

// signatures are the bytes by which formats are known. Those not decoded are listed so that the refusal names them.
var signatures = []struct {
	offset      int
	magic, name string
}{
	{0, "\x89PNG\r\n\x1a\n", formatPNG},
	{0, "\xff\xd8\xff", formatJPEG},
	{0, "II*\x00", formatTIFF},
	{0, "MM\x00*", formatTIFF},
	{8, "WEBP", formatWebP},
	{0, "BM", formatBMP},
	{0, "II+\x00", "a BigTIFF image"},
	{0, "MM\x00+", "a BigTIFF image"},
	{0, "GIF8", "a GIF image"},
	{4, "ftypheic", "a HEIC image"},
	{4, "ftypheix", "a HEIC image"},
	{4, "ftypmif1", "a HEIF image"},
	{4, "ftypavif", "an AVIF image"},
	{4, "JXL ", "a JPEG XL image"},
	{0, "\xff\x0a", "a JPEG XL image"},
	{4, "jP  \r\n", "a JPEG 2000 image"},
	{0, "8BPS", "a Photoshop file"},
	{0, "v/1\x01", "an OpenEXR image"},
	{0, "\x00\x00\x01\x00", "an icon"},
	{0, "%PDF", "a PDF document"},
	{0, "PK\x03\x04", "a ZIP archive"},
	{0, "\x1f\x8b", "a gzip archive"},
	{0, "GGUF", "a GGUF model"},
}

// sniff tells from a file's first bytes what it is; ok is false when it is not decoded here, and name then says what it
// seems to be.
func sniff(head []byte) (name string, ok bool) {
	for _, s := range signatures {
		if len(head) >= s.offset && bytes.HasPrefix(head[s.offset:], []byte(s.magic)) {
			if s.name == formatWebP && !bytes.HasPrefix(head, []byte("RIFF")) {
				continue
			}
			switch s.name {
			case formatPNG, formatJPEG, formatTIFF, formatWebP, formatBMP:
				return s.name, true
			}
			return s.name, false
		}
	}
	if len(head) == 0 {
		return "empty", false
	}
	return sniffText(head), false
}

func sniffText(head []byte) string {
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff")))
	switch {
	case strings.HasPrefix(text, "<") && strings.Contains(text, "<svg"):
		return "an SVG drawing"
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "an HTML page"
	case strings.HasPrefix(text, "<"):
		return "an XML or HTML document"
	case len(head) >= 2 && (head[0] == 'P' && head[1] >= '1' && head[1] <= '6') && len(head) > 2 && head[2] <= ' ':
		return "a PNM image"
	}
	for rest := head; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		cut := len(head) == sniffLen && len(rest) < utf8.UTFMax
		if r == utf8.RuneError && n == 1 && !cut || r < ' ' && !strings.ContainsRune("\n\r\t\f", r) {
			return ""
		}
		rest = rest[n:]
	}
	return "text"
}
