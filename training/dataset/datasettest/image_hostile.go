package datasettest

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/image/tiff"

	"graft/onnx/limits/limitstest"
)

// HostileImages are files that are no pictures, or worse: I01 to I05. What is the name of the file.
func HostileImages(t testing.TB) []limitstest.Case {
	sound := Corners(64, 48)
	pngData, jpegData, bmpData := PNG(t, sound), JPEG(t, sound), BMP(t, sound)
	tiffData := TIFF(t, sound, tiff.Deflate)

	le := binary.LittleEndian
	loop := bytes.Clone(tiffData)
	ifd := int(le.Uint32(loop[4:]))
	le.PutUint32(loop[ifd+2+12*int(le.Uint16(loop[ifd:])):], uint32(ifd))
	hugeTIFF := bytes.Clone(tiffData)
	for i := range int(le.Uint16(hugeTIFF[ifd:])) {
		if e := hugeTIFF[ifd+2+12*i:]; le.Uint16(e) == 256 || le.Uint16(e) == 257 {
			le.PutUint16(e[2:], 4)
			le.PutUint32(e[8:], 65535)
		}
	}
	fax := bytes.Clone(tiffData)
	for i := range int(le.Uint16(fax[ifd:])) {
		if e := fax[ifd+2+12*i:]; le.Uint16(e) == 259 {
			le.PutUint16(e[8:], 4)
		}
	}
	outside := bytes.Clone(tiffData)
	le.PutUint32(outside[4:], 1<<31)
	hugeBMP := bytes.Clone(bmpData)
	le.PutUint32(hugeBMP[18:], 20000)
	le.PutUint32(hugeBMP[22:], 20000)
	scan := jpegData[bytes.Index(jpegData, []byte{0xff, 0xda}):]
	scans := bytes.Join([][]byte{jpegData[:len(jpegData)-2], bytes.Repeat(scan[:len(scan)-2], 600), {0xff, 0xd9}}, nil)
	flipped := bytes.Clone(pngData)
	flipped[len(flipped)/2] ^= 0x10

	wild := RIFF("VP8L", VP8L(64, 48, 0, 0, 255))
	le.PutUint32(wild[16:], 0xfffffff0) // the size of its chunk

	return []limitstest.Case{
		{ID: "I01", What: "one.png", Bytes: ClaimPNG(1, 1), Want: "1x1 pixels"},
		{ID: "I01", What: "thin.png", Bytes: ClaimPNG(4000, 31), Want: "4000x31 pixels"},
		{ID: "I01", What: "huge.png", Bytes: ClaimPNG(20000, 20000), Want: "20000x20000 pixels"},
		{ID: "I01", What: "max.png", Bytes: ClaimPNG(65535, 65535), Want: "65535x65535 pixels"},
		{ID: "I01", What: "int32.png", Bytes: ClaimPNG(1<<31-1, 1<<31-1), Want: "absurd number of pixels"},
		{ID: "I01", What: "wrap.png", Bytes: ClaimPNG(1<<31, 1), Want: "PNG header"},
		{ID: "I01", What: "zero.png", Bytes: ClaimPNG(0, 64), Want: "PNG header"},
		{ID: "I01", What: "wide.png", Bytes: ClaimPNG(8193, 64), Want: "a side may have at most 8192"},
		{ID: "I01", What: "high.png", Bytes: ClaimPNG(64, 8193), Want: "a side may have at most 8192"},
		{ID: "I01", What: "area.png", Bytes: ClaimPNG(8192, 8192), Want: "67.1 megapixels"},
		{ID: "I01", What: "max.jpg", Bytes: ClaimJPEG(jpegData, 65535, 65535), Want: "65535x65535 pixels"},
		{ID: "I01", What: "one.jpg", Bytes: ClaimJPEG(jpegData, 1, 1), Want: "1x1 pixels"},
		{ID: "I01", What: "huge.bmp", Bytes: hugeBMP, Want: "20000x20000 pixels"},
		{ID: "I01", What: "huge.tif", Bytes: hugeTIFF, Want: "65535x65535 pixels"},
		{ID: "I01", What: "canvas.webp", Bytes: RIFF("VP8X", VP8X(0, 16000, 16000), "VP8L", VP8L(64, 48, 0, 0, 255)), Want: "16000x16000 pixels"},
		{ID: "I01", What: "liar.webp", Bytes: RIFF("VP8X", VP8X(0, 640, 480), "VP8L", VP8L(64, 48, 0, 0, 255)), Want: "WebP is damaged"},
		{ID: "I01", What: "tiny.webp", Bytes: RIFF("VP8L", VP8L(2, 2, 0, 0, 255)), Want: "2x2 pixels"},
		{ID: "I02", What: "loop.tif", Bytes: loop, Want: "list of pages does not end"},
		{ID: "I02", What: "outside.tif", Bytes: outside, Want: "TIFF header is cut short"},
		{ID: "I03", What: "hollow.png", Bytes: ClaimPNG(6000, 6000), Want: "PNG is cut short"},
		{ID: "I03", What: "short.png", Bytes: pngData[:len(pngData)/2], Want: "PNG is cut short"},
		{ID: "I03", What: "header.png", Bytes: pngData[:20], Want: "PNG header is cut short"},
		{ID: "I03", What: "magic.png", Bytes: pngData[:8], Want: "PNG header is cut short"},
		{ID: "I03", What: "flipped.png", Bytes: flipped, Want: "PNG is damaged"},
		{ID: "I03", What: "hollow.jpg", Bytes: ClaimJPEG(jpegData, 6000, 6000), Want: "JPEG is cut short"},
		{ID: "I03", What: "short.jpg", Bytes: jpegData[:len(jpegData)-len(scan)/2], Want: "JPEG is cut short"},
		{ID: "I03", What: "magic.jpg", Bytes: jpegData[:3], Want: "JPEG header is cut short"},
		{ID: "I03", What: "scans.jpg", Bytes: scans, Want: "more than 500 scans"},
		{ID: "I03", What: "short.bmp", Bytes: bmpData[:2000], Want: "BMP is cut short"},
		{ID: "I03", What: "magic.bmp", Bytes: []byte("BM"), Want: "BMP header is cut short"},
		{ID: "I03", What: "short.tif", Bytes: tiffData[:len(tiffData)-40], Want: "TIFF"},
		{ID: "I03", What: "magic.tif", Bytes: []byte("II*\x00"), Want: "TIFF header is cut short"},
		{ID: "I03", What: "short.webp", Bytes: RIFF("VP8L", VP8L(64, 48, 0, 0, 255)[:60]), Want: "WebP"},
		{ID: "I03", What: "hollow.webp", Bytes: RIFF(), Want: "WebP header"},
		{ID: "I03", What: "chunk.webp", Bytes: wild, Want: "WebP"},
		{ID: "I04", What: "moving.gif", Bytes: []byte("GIF89a\x01\x00\x01\x00"), Want: "a GIF image"},
		{ID: "I04", What: "old.bmp", Bytes: append([]byte("BM"), make([]byte, 200)...), Want: "not read here"},
		{ID: "I04", What: "fax.tif", Bytes: fax, Want: "fax picture"},
		{ID: "I04", What: "moving.webp", Bytes: RIFF("VP8X", VP8X(2, 64, 48), "ANIM", make([]byte, 6)), Want: "animated WebP"},
		{ID: "I05", What: "empty.png", Bytes: nil, Want: "the file is empty"},
		{ID: "I05", What: "byte.png", Bytes: []byte{0x89}, Want: "is not an image"},
		{ID: "I05", What: "noise.png", Bytes: bytes.Repeat([]byte{0x00, 0x01, 0xfe}, 400), Want: "is not an image"},
		{ID: "I05", What: "text.png", Bytes: []byte("name,value\nä,1\n"), Want: "is text"},
		{ID: "I05", What: "drawing.png", Bytes: []byte("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), Want: "an SVG drawing"},
		{ID: "I05", What: "page.jpg", Bytes: []byte("\n<!DOCTYPE html><html><body>404</body></html>"), Want: "an HTML page"},
		{ID: "I05", What: "phone.heic", Bytes: []byte("\x00\x00\x00\x18ftypheic"), Want: "a HEIC image"},
		{ID: "I05", What: "model.onnx.gz", Bytes: []byte("\x1f\x8b\x08\x00"), Want: "a gzip archive"},
		{ID: "I05", What: "big.tif", Bytes: []byte("II+\x00\x08\x00\x00\x00"), Want: "a BigTIFF image"},
	}
}
