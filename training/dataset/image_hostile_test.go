package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"graft/onnx/limits"
	"graft/onnx/limits/limitstest"

	"golang.org/x/image/tiff"
)

// Each hostile file gives one line that names it and says why, at once and without memory.
func TestHostileFiles(t *testing.T) {
	sound := corners(64, 48)
	pngData, jpegData, bmpData := asPNG(t, sound), asJPEG(t, sound), asBMP(t, sound)
	tiffData := asTIFF(t, sound, tiff.Deflate)

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

	for _, c := range []struct {
		name string
		data []byte
		want string // in the reason
	}{
		{"empty.png", nil, "the file is empty"},
		{"byte.png", []byte{0x89}, "is not an image"},
		{"noise.png", bytes.Repeat([]byte{0x00, 0x01, 0xfe}, 400), "is not an image"},
		{"text.png", []byte("name,value\nä,1\n"), "is text"},
		{"drawing.png", []byte("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "an SVG drawing"},
		{"page.jpg", []byte("\n<!DOCTYPE html><html><body>404</body></html>"), "an HTML page"},
		{"moving.gif", []byte("GIF89a\x01\x00\x01\x00"), "a GIF image"},
		{"phone.heic", []byte("\x00\x00\x00\x18ftypheic"), "a HEIC image"},
		{"model.onnx.gz", []byte("\x1f\x8b\x08\x00"), "a gzip archive"},
		{"one.png", claimPNG(1, 1), "1x1 pixels"},
		{"thin.png", claimPNG(4000, 31), "4000x31 pixels"},
		{"huge.png", claimPNG(20000, 20000), "20000x20000 pixels"},
		{"max.png", claimPNG(65535, 65535), "65535x65535 pixels"},
		{"int32.png", claimPNG(1<<31-1, 1<<31-1), "absurd number of pixels"},
		{"wrap.png", claimPNG(1<<31, 1), "PNG header"},
		{"zero.png", claimPNG(0, 64), "PNG header"},
		{"area.png", claimPNG(8192, 8192), "67.1 megapixels"},
		{"hollow.png", claimPNG(6000, 6000), "PNG is cut short"},
		{"short.png", pngData[:len(pngData)/2], "PNG is cut short"},
		{"header.png", pngData[:20], "PNG header is cut short"},
		{"magic.png", pngData[:8], "PNG header is cut short"},
		{"flipped.png", flipped, "PNG is damaged"},
		{"max.jpg", claimJPEG(jpegData, 65535, 65535), "65535x65535 pixels"},
		{"one.jpg", claimJPEG(jpegData, 1, 1), "1x1 pixels"},
		{"hollow.jpg", claimJPEG(jpegData, 6000, 6000), "JPEG is cut short"},
		{"short.jpg", jpegData[:len(jpegData)-len(scan)/2], "JPEG is cut short"},
		{"magic.jpg", jpegData[:3], "JPEG header is cut short"},
		{"scans.jpg", scans, "more than 500 scans"},
		{"huge.bmp", hugeBMP, "20000x20000 pixels"},
		{"short.bmp", bmpData[:2000], "BMP is cut short"},
		{"magic.bmp", []byte("BM"), "BMP header is cut short"},
		{"old.bmp", append([]byte("BM"), make([]byte, 200)...), "not read here"},
		{"loop.tif", loop, "list of pages does not end"},
		{"huge.tif", hugeTIFF, "65535x65535 pixels"},
		{"fax.tif", fax, "fax picture"},
		{"outside.tif", outside, "TIFF header is cut short"},
		{"short.tif", tiffData[:len(tiffData)-40], "TIFF"},
		{"big.tif", []byte("II+\x00\x08\x00\x00\x00"), "a BigTIFF image"},
		{"magic.tif", []byte("II*\x00"), "TIFF header is cut short"},
		{"canvas.webp", riff("VP8X", vp8x(0, 16000, 16000), "VP8L", vp8l(64, 48, 0, 0, 255)), "16000x16000 pixels"},
		{"liar.webp", riff("VP8X", vp8x(0, 640, 480), "VP8L", vp8l(64, 48, 0, 0, 255)), "WebP is damaged"},
		{"tiny.webp", riff("VP8L", vp8l(2, 2, 0, 0, 255)), "2x2 pixels"},
		{"moving.webp", riff("VP8X", vp8x(2, 64, 48), "ANIM", make([]byte, 6)), "animated WebP"},
		{"short.webp", riff("VP8L", vp8l(64, 48, 0, 0, 255)[:60]), "WebP"},
		{"hollow.webp", riff(), "WebP header"},
		{"chunk.webp", append(riff("VP8L", vp8l(64, 48, 0, 0, 255)), 0xff), "WebP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "chunk.webp" { // its size fields point far out
				le.PutUint32(c.data[16:], 0xfffffff0)
			}
			path := write(t, c.name, c.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var m *Image
			var err error
			took := limitstest.CPU(t, func() { m, err = ReadImage(path) })
			runtime.ReadMemStats(&after)
			oneLine(t, err, path, c.want)
			if m != nil {
				t.Error("an image came with the error")
			}
			// hollow.* claim an acceptable size, whose pixels the decoder may allocate before it finds none.
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 8<<20 && !strings.HasPrefix(c.name, "hollow") {
				t.Errorf("%d KiB allocated", spent>>10)
			}
			if took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func oneLine(t *testing.T, err error, path, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if strings.Count(text, path) != 1 || !strings.Contains(text, want) || strings.ContainsAny(text, "\n\r\x1b") || len(text) > 400 {
		t.Errorf("error %q, want one line with %q", text, want)
	}
	if e, ok := errors.AsType[*limits.InputError](err); ok && e.File != path {
		t.Errorf("error of file %q", e.File)
	}
	t.Log(text)
}

func TestUnreadablePaths(t *testing.T) {
	dir := t.TempDir()
	oneLine(t, second(ReadImage(dir)), dir, "is a folder")
	missing := filepath.Join(dir, "none.png")
	oneLine(t, second(ReadImage(missing)), missing, "no such file")
	if _, err := ReadImage(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not ErrNotExist", err)
	}
	if os.Geteuid() != 0 { // to root every file is readable
		secret := write(t, "secret.png", asPNG(t, corners(40, 40)))
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		oneLine(t, second(ReadImage(secret)), secret, "permission denied")
	}
	big := filepath.Join(dir, "big.png")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(asPNG(t, corners(40, 40)))
	if err := errors.Join(f.Truncate(maxFileBytes+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	oneLine(t, second(ReadImage(big)), big, "MiB")
}

// A name with control characters reaches the terminal quoted.
func TestHostileName(t *testing.T) {
	_, err := DecodeImage("a\x1b[2J\n.png", nil)
	if got := err.Error(); got != `"a\x1b[2J\n.png": the file is empty` {
		t.Errorf("%q", got)
	}
}

// Whatever bytes are flipped or cut, the decoders give an image that holds together or refuse the input, never a panic.
func TestDamagedEverywhere(t *testing.T) {
	src := corners(40, 36)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, sound := range [][]byte{
		asPNG(t, src), asJPEG(t, src), asBMP(t, src), asTIFF(t, src, tiff.Deflate), asTIFF(t, grey16(40, 36), tiff.Uncompressed),
		riff("VP8X", vp8x(1<<3, 40, 36), "VP8L", vp8l(40, 36, 1, 2, 3), "EXIF", exif(binary.BigEndian, 5)),
		withJPEGExif(asJPEG(t, image.NewGray(image.Rect(0, 0, 40, 36))), exif(binary.LittleEndian, 8)),
	} {
		for i := range 600 {
			data := bytes.Clone(sound)
			switch i % 3 {
			case 0:
				data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
			case 1:
				at := rng.IntN(min(len(data), 200))
				data[at] = [3]byte{0, 0x7f, 0xff}[rng.IntN(3)]
			case 2:
				data = data[:rng.IntN(len(data))]
			}
			m, err := DecodeImage("damaged", data)
			if err == nil {
				err = m.Check()
			} else if e, ok := errors.AsType[*limits.InputError](err); ok && !strings.Contains(e.Error(), "\n") {
				err = nil
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzDecodeImage(f *testing.F) {
	src := corners(40, 36)
	f.Add(asPNG(f, src))
	f.Add(withJPEGExif(asJPEG(f, src), exif(binary.BigEndian, 6)))
	f.Add(cmykJPEG(f, 32, 32, [4]uint8{1, 2, 3, 4}))
	f.Add(asBMP(f, src))
	f.Add(asTIFF(f, src, tiff.Uncompressed))
	f.Add(riff("VP8L", vp8l(40, 36, 1, 2, 3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := DecodeImage("fuzz", data); err == nil {
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
