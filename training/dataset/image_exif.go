package dataset

import (
	"bytes"
	"encoding/binary"
	"slices"

	"graft/onnx/limits"
)

// metadata is what a file says around its pixels.
type metadata struct {
	orientation int    // EXIF's 1 to 8; 1 when there is none
	note        string // goes to Image.Note
}

// readMetadata looks for the orientation and for more than one picture. Damage that does not matter to the first picture
// is passed over: the decoder judges the rest.
func readMetadata(format string, data []byte) (meta metadata, refusal *limits.InputError) {
	meta.orientation = 1
	switch format {
	case formatJPEG:
		refusal = jpegMetadata(data, &meta)
	case formatPNG:
		pngMetadata(data, &meta)
	case formatWebP:
		refusal = webpMetadata(data, &meta)
	case formatTIFF:
		meta.orientation = exifOrientation(data)
		// The decoder takes fax runs for black on white whatever the photometric tag says, so that half of such files
		// would come out as negatives.
		if c, _ := tiffValue(data, 0x0103); c >= 2 && c <= 4 {
			return meta, refuse("save it as PNG", "TIFF holds a black and white fax picture")
		}
		refusal = tiffPages(data, &meta)
	}
	return meta, refusal
}

// jpegMetadata walks the segments and counts the scans.
func jpegMetadata(data []byte, meta *metadata) *limits.InputError {
	scans := 0
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // a fill byte
			at++
			continue
		}
		if marker == 0xd9 {
			return nil
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return nil
		}
		body := data[at+4 : at+2+size]
		at += 2 + size
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			meta.orientation = exifOrientation(body[6:])
		case marker == 0xda:
			if scans++; scans > maxScans {
				return refuse("save it anew", "JPEG is made of more than %d scans", maxScans)
			}
			at += entropyLen(data[at:])
		}
	}
	return nil
}

// entropyLen is the length of a scan's coded data: up to a marker that is neither a stuffed byte nor a restart.
func entropyLen(data []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		at += i
		if next := data[at+1]; next != 0 && (next < 0xd0 || next > 0xd7) {
			return at
		}
		at += 2
	}
}

// pngMetadata walks the chunks.
func pngMetadata(data []byte, meta *metadata) {
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-12) {
			return
		}
		body := data[at+8 : at+8+int(size)]
		switch string(data[at+4 : at+8]) {
		case "acTL":
			meta.note = "animation: only the still picture is used"
		case "eXIf":
			meta.orientation = exifOrientation(body)
		case "IEND":
			return
		}
		at += 12 + int(size)
	}
}

// webpMetadata walks the RIFF chunks.
func webpMetadata(data []byte, meta *metadata) *limits.InputError {
	for at := 12; at+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if size > int64(len(data)-at-8) {
			return nil
		}
		body := data[at+8 : at+8+int(size)]
		switch string(data[at : at+4]) {
		case "ANIM", "ANMF":
			return refuse("save one frame as PNG", "is an animated WebP")
		case "EXIF":
			meta.orientation = exifOrientation(bytes.TrimPrefix(body, []byte("Exif\x00\x00")))
		}
		at += 8 + int(size) + int(size&1)
	}
	return nil
}

// maxPages bounds the walk along a TIFF's pages.
const maxPages = 10_000

// tiffPages follows the list of pages, which a hostile file may tie into a loop.
func tiffPages(data []byte, meta *metadata) *limits.InputError {
	order := tiffOrder(data)
	if order == nil {
		return nil
	}
	seen := map[uint32]bool{}
	for at := order.Uint32(data[4:]); at != 0; {
		if seen[at] || len(seen) == maxPages {
			return refuse("save it anew", "TIFF is damaged (its list of pages does not end)")
		}
		seen[at] = true
		if int64(at)+2 > int64(len(data)) {
			break
		}
		next := int64(at) + 2 + 12*int64(order.Uint16(data[at:]))
		if next+4 > int64(len(data)) {
			break
		}
		at = order.Uint32(data[next:])
	}
	if len(seen) > 1 {
		meta.note = "several pages: only the first is used"
	}
	return nil
}

// tiffOrder is the byte order that a TIFF header names, nil when it is none.
func tiffOrder(b []byte) binary.ByteOrder {
	if len(b) < 8 {
		return nil
	}
	switch string(b[:4]) {
	case "II*\x00":
		return binary.LittleEndian
	case "MM\x00*":
		return binary.BigEndian
	}
	return nil
}

// exifOrientation is the orientation, 1 to 8, in the first directory of a TIFF structure, which is what EXIF is. Whatever
// is not one counts as 1, upright.
func exifOrientation(b []byte) int {
	if v, ok := tiffValue(b, 0x0112); ok && v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// tiffValue is the value of a tag that holds a single integer in the first directory of a TIFF structure.
func tiffValue(b []byte, tag uint16) (uint32, bool) {
	const short, long, entrySize = 3, 4, 12
	order := tiffOrder(b)
	if order == nil {
		return 0, false
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 0, false
	}
	count := int(order.Uint16(b[at:]))
	entries := b[at+2:]
	for i := 0; i < count && len(entries) >= entrySize; i, entries = i+1, entries[entrySize:] {
		if order.Uint16(entries) != tag || order.Uint32(entries[4:]) != 1 {
			continue
		}
		switch order.Uint16(entries[2:]) {
		case short:
			return uint32(order.Uint16(entries[8:])), true
		case long:
			return order.Uint32(entries[8:]), true
		}
	}
	return 0, false
}

// upright turns and mirrors m as EXIF's orientation says it was stored: 3 upside down, 6 lying on its left side, 8 on its
// right side, and 2, 4, 5, 7 the mirror images of 1, 3, 6, 8.
func (m *Image) upright(orientation int) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Width, m.Height
	transposed := orientation >= 5
	mirrorX := slices.Contains([]int{2, 3, 7, 8}, orientation)
	mirrorY := slices.Contains([]int{3, 4, 6, 7}, orientation)
	toW, toH := w, h
	if transposed {
		toW, toH = h, w
	}
	return m.withPlanes(toW, toH, func(dst, src []float32) {
		for y := range toH {
			for x := range toW {
				sx, sy := x, y
				if transposed {
					sx, sy = y, x
				}
				if mirrorX {
					sx = w - 1 - sx
				}
				if mirrorY {
					sy = h - 1 - sy
				}
				dst[y*toW+x] = src[sy*w+sx]
			}
		}
	})
}
