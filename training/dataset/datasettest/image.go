package datasettest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Makers of test files. Every hostile file is built here from a sound one.

func encode[T any](t testing.TB, f func(*bytes.Buffer, T) error, m T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func PNG(t testing.TB, m image.Image) []byte {
	return encode(t, func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) }, m)
}

func JPEG(t testing.TB, m image.Image) []byte {
	return encode(t, func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, &jpeg.Options{Quality: 100}) }, m)
}

func BMP(t testing.TB, m image.Image) []byte {
	return encode(t, func(b *bytes.Buffer, m image.Image) error { return bmp.Encode(b, m) }, m)
}

func TIFF(t testing.TB, m image.Image, c tiff.CompressionType) []byte {
	return encode(t, func(b *bytes.Buffer, m image.Image) error {
		return tiff.Encode(b, m, &tiff.Options{Compression: c, Predictor: c == tiff.Deflate})
	}, m)
}

// Corners is a picture of w by h whose four quarters are red, green, blue and white in reading order.
func Corners(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	quarters := [4]color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, quarters[2*(2*y/h)+2*x/w])
		}
	}
	return m
}

// Grey16 is a ramp over all of 16 bits.
func Grey16(w, h int) *image.Gray16 {
	m := image.NewGray16(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.SetGray16(i%w, i/w, color.Gray16{Y: uint16(i * 65535 / (w*h - 1))})
	}
	return m
}

// PNGChunk is a chunk with its length and check sum.
func PNGChunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, name...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// WithPNGChunk puts a chunk behind the header.
func WithPNGChunk(data []byte, name string, body []byte) []byte {
	return bytes.Join([][]byte{data[:33], PNGChunk(name, body), data[33:]}, nil)
}

// ClaimPNG is a PNG of a few bytes whose header claims w by h pixels.
func ClaimPNG(w, h uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	header = append(header, 8, 2, 0, 0, 0)
	return bytes.Join([][]byte{
		[]byte("\x89PNG\r\n\x1a\n"), PNGChunk("IHDR", header),
		PNGChunk("IDAT", []byte{0x78, 0x9c, 0x03, 0, 0, 0, 0, 1}), PNGChunk("IEND", nil),
	}, nil)
}

// ClaimJPEG is data with other sizes in its frame header.
func ClaimJPEG(data []byte, w, h uint16) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(data[at+5:], h)
	binary.BigEndian.PutUint16(data[at+7:], w)
	return data
}

// EXIF is a TIFF structure that holds an orientation and nothing else.
func EXIF(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.AppendUint16(nil, 1)[0] == 0 {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, orientation)
	b = order.AppendUint16(b, 0)
	return order.AppendUint32(b, 0)
}

func WithJPEGEXIF(data, structure []byte) []byte {
	body := append([]byte("Exif\x00\x00"), structure...)
	segment := append([]byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))...)
	return bytes.Join([][]byte{data[:2], segment, body, data[2:]}, nil)
}

// WithTIFFOrientation puts the orientation into the first directory of a little-endian TIFF with the directory last.
func WithTIFFOrientation(data []byte, orientation uint16) []byte {
	order := binary.LittleEndian
	data = bytes.Clone(data)
	at := order.Uint32(data[4:])
	count := int(order.Uint16(data[at:]))
	entry := order.AppendUint16(order.AppendUint16(nil, 0x0112), 3)
	entry = order.AppendUint32(entry, 1)
	entry = order.AppendUint16(order.AppendUint16(entry, orientation), 0)
	entries := data[at+2 : int(at)+2+12*count]
	var out []byte
	placed := false
	for ; len(entries) > 0; entries = entries[12:] {
		if !placed && order.Uint16(entries) > 0x0112 {
			out, placed = append(out, entry...), true
		}
		out = append(out, entries[:12]...)
	}
	// The new directory goes to the end of the file, so that the old one's values stay where they are.
	order.PutUint32(data[4:], uint32(len(data)))
	data = order.AppendUint16(data, uint16(count+1))
	return order.AppendUint32(append(data, out...), 0)
}

// CMYKJPEG joins four grey JPEGs into one of four components, a scan each, as Adobe writes them (inverted).
func CMYKJPEG(t testing.TB, w, h int, ink [4]uint8) []byte {
	var out []byte
	for i, v := range ink {
		m := image.NewGray(image.Rect(0, 0, w, h))
		for j := range m.Pix {
			m.Pix[j] = 255 - v
		}
		data := JPEG(t, m)
		frame, scan := bytes.Index(data, []byte{0xff, 0xc0}), bytes.Index(data, []byte{0xff, 0xda})
		if i == 0 {
			out = append(out, data[:2]...)
			out = append(out, 0xff, 0xee, 0, 14)
			out = append(out, "Adobe\x00\x64\x00\x00\x00\x00\x00"...)
			out = append(out, data[2:frame]...)
			out = append(out, 0xff, 0xc0, 0, 8+3*4, 8, byte(h>>8), byte(h), byte(w>>8), byte(w), 4)
			for c := byte(1); c <= 4; c++ {
				out = append(out, c, 0x11, 0)
			}
			size := int(binary.BigEndian.Uint16(data[frame+2:]))
			out = append(out, data[frame+2+size:scan]...)
		}
		part := bytes.Clone(data[scan : len(data)-2])
		part[5] = byte(i + 1) // the scan's component
		out = append(out, part...)
	}
	return append(out, 0xff, 0xd9)
}

// bits collects a VP8L stream, least significant bit first.
type bits struct {
	data []byte
	n    int
}

func (b *bits) add(v uint64, n int) {
	for i := range n {
		if b.n%8 == 0 {
			b.data = append(b.data, 0)
		}
		b.data[b.n/8] |= byte(v>>i&1) << (b.n % 8)
		b.n++
	}
}

// VP8L is a lossless WebP stream of w by h: red 0 in the upper left quarter and 255 elsewhere, with the given green, blue
// and alpha.
func VP8L(w, h int, green, blue, alpha uint8) []byte {
	b := &bits{}
	b.add(0x2f, 8)
	b.add(uint64(w-1), 14)
	b.add(uint64(h-1), 14)
	b.add(1, 1) // alpha is used
	b.add(0, 3) // version
	b.add(0, 3) // no transform, no colour cache, one set of codes
	single := func(v uint8) {
		b.add(1, 1) // simple code
		b.add(0, 1) // of one symbol
		b.add(1, 1) // of eight bits
		b.add(uint64(v), 8)
	}
	single(green)
	b.add(1, 1)
	b.add(1, 1) // two symbols
	b.add(1, 1)
	b.add(0, 8)
	b.add(255, 8)
	single(blue)
	single(alpha)
	single(0) // distances
	for y := range h {
		for x := range w {
			if x < w/2 && y < h/2 {
				b.add(0, 1)
			} else {
				b.add(1, 1)
			}
		}
	}
	return b.data
}

// RIFF wraps WebP chunks, given as name and body in turn.
func RIFF(chunks ...any) []byte {
	body := []byte("WEBP")
	for i := 0; i < len(chunks); i += 2 {
		data := chunks[i+1].([]byte)
		body = append(body, chunks[i].(string)...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(data)))
		body = append(body, data...)
		if len(data)%2 == 1 {
			body = append(body, 0)
		}
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// VP8X is the extended WebP header.
func VP8X(flags byte, w, h int) []byte {
	b := []byte{flags, 0, 0, 0}
	for _, v := range []int{w - 1, h - 1} {
		b = append(b, byte(v), byte(v>>8), byte(v>>16))
	}
	return b
}
