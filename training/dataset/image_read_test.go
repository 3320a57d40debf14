package dataset

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"testing"

	"golang.org/x/image/tiff"
)

const photos = "../../testdata/images/"

func TestReadPhotos(t *testing.T) {
	for _, c := range []struct {
		file    string
		w, h, c int
	}{
		{"chelsea.png", 451, 300, 3}, {"camera.png", 512, 512, 1},
		{"coffee.png", 600, 400, 3}, {"astronaut.png", 512, 512, 3},
	} {
		m, err := ReadImage(filepath.FromSlash(photos + c.file))
		if err != nil {
			t.Fatal(err)
		}
		if m.Width != c.w || m.Height != c.h || m.Channels != c.c || m.Depth != 8 || m.Alpha != nil || m.Note != "" {
			t.Errorf("%s: %dx%dx%d, depth %d, alpha %v, note %q", c.file, m.Width, m.Height, m.Channels, m.Depth, m.Alpha != nil, m.Note)
		}
		if err := m.Check(); err != nil {
			t.Error(err)
		}
	}
}

// The quarters of corners, as [r g b] at the middle of each.
func quarters(m *Image) string {
	var s string
	n := m.Width * m.Height
	for i := range 4 {
		at := (m.Height/4+i/2*m.Height/2)*m.Width + m.Width/4 + i%2*m.Width/2
		var rgb [3]int
		for c := range 3 {
			rgb[c] = int(math.Round(float64(m.Pix[min(c, m.Channels-1)*n+at])))
		}
		switch rgb {
		case [3]int{1, 0, 0}:
			s += "R"
		case [3]int{0, 1, 0}:
			s += "G"
		case [3]int{0, 0, 1}:
			s += "B"
		case [3]int{1, 1, 1}:
			s += "W"
		default:
			s += "?"
		}
	}
	return s
}

// The same picture comes out of every format, whatever the name says.
func TestFormats(t *testing.T) {
	pal := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.NRGBA{255, 255, 255, 255}})
	for i := range pal.Pix {
		pal.Pix[i] = uint8(2*(i/64*2/48) + i%64*2/64)
	}
	deep := image.NewNRGBA64(image.Rect(0, 0, 64, 48))
	src := corners(64, 48)
	for i := range 64 * 48 {
		deep.Set(i%64, i/64, src.At(i%64, i/64))
	}
	for name, data := range map[string][]byte{
		"png":             asPNG(t, src),
		"png palette":     asPNG(t, pal),
		"png 16":          asPNG(t, deep),
		"jpeg":            asJPEG(t, src),
		"bmp":             asBMP(t, src),
		"bmp palette":     asBMP(t, pal),
		"tiff":            asTIFF(t, src, tiff.Uncompressed),
		"tiff deflate":    asTIFF(t, src, tiff.Deflate),
		"tiff palette":    asTIFF(t, pal, tiff.Uncompressed),
		"tiff 16 deflate": asTIFF(t, deep, tiff.Deflate),
	} {
		m, err := ReadImage(write(t, "wrong.svg", data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		depth := 8
		if name == "png 16" || name == "tiff 16 deflate" {
			depth = 16
		}
		if q := quarters(m); m.Width != 64 || m.Height != 48 || m.Channels != 3 || m.Depth != depth || m.Alpha != nil || q != "RGBW" {
			t.Errorf("%s: %dx%dx%d depth %d alpha %v, quarters %s", name, m.Width, m.Height, m.Channels, m.Depth, m.Alpha != nil, q)
		}
	}
}

func TestGrey16IsExact(t *testing.T) {
	src := grey16(300, 250)
	for _, data := range [][]byte{asPNG(t, src), asTIFF(t, src, tiff.Uncompressed)} {
		m, err := DecodeImage("ramp", data)
		if err != nil {
			t.Fatal(err)
		}
		if m.Channels != 1 || m.Depth != 16 {
			t.Fatalf("%d channels, depth %d", m.Channels, m.Depth)
		}
		for i, v := range m.Pix {
			if want := src.Gray16At(i%300, i/300).Y; quantize(v, 65535) != want {
				t.Fatalf("sample %d: %v, want %d/65535", i, v, want)
			}
		}
	}
}

func TestAlphaIsSetAside(t *testing.T) {
	src := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	for i := range 1600 {
		src.SetNRGBA(i%40, i/40, color.NRGBA{200, 100, uint8(i), uint8(i % 256)})
	}
	straight, err := DecodeImage("a.png", asPNG(t, src))
	if err != nil {
		t.Fatal(err)
	}
	multiplied, err := DecodeImage("a.tif", premultipliedTIFF(t, src))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1600 {
		want := [4]uint8{200, 100, uint8(i), uint8(i % 256)}
		for c, w := range want {
			plane := straight.Alpha
			if c < 3 {
				plane = straight.Pix[c*1600:]
			}
			if plane[i] != float32(w)/255 {
				t.Fatalf("pixel %d channel %d: %v, want %d/255", i, c, plane[i], w)
			}
		}
		if a := int(want[3]); a > 0 {
			// A step of the multiplied sample is 255/a steps of the colour.
			if got := float64(multiplied.Pix[i]) * 255; math.Abs(got-200) > 255/float64(a) {
				t.Fatalf("pixel %d: red %v of a multiplied file, alpha %d", i, got, a)
			}
			if multiplied.Alpha[i] != float32(a)/255 {
				t.Fatalf("pixel %d: alpha %v", i, multiplied.Alpha[i])
			}
		}
	}
}

// premultipliedTIFF stores m with associated alpha.
func premultipliedTIFF(t *testing.T, m image.Image) []byte {
	rgba := image.NewRGBA(m.Bounds())
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			rgba.Set(x, y, m.At(x, y))
		}
	}
	return asTIFF(t, rgba, tiff.Uncompressed)
}

func TestGreyWithAlphaAndPaletteAlpha(t *testing.T) {
	src := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	pal := image.NewPaletted(src.Rect, color.Palette{color.NRGBA{250, 10, 3, 0}, color.NRGBA{250, 10, 3, 1}, color.NRGBA{9, 9, 9, 255}})
	for i := range 1024 {
		src.SetNRGBA(i%32, i/32, color.NRGBA{uint8(i), uint8(i), uint8(i), 128})
		pal.Pix[i] = uint8(i % 3)
	}
	m, err := DecodeImage("grey", asPNG(t, src))
	if err != nil || m.Channels != 1 || m.Alpha[5] != 128./255 {
		t.Fatalf("%v, %v", m, err)
	}
	m, err = DecodeImage("palette", asPNG(t, pal))
	if err != nil || m.Channels != 3 {
		t.Fatalf("%v", err)
	}
	for i, a := range []float32{0, 1. / 255, 1} {
		if m.Alpha[i] != a || (i < 2 && m.Pix[i] != 250./255) {
			t.Errorf("entry %d: red %v, alpha %v", i, m.Pix[i], m.Alpha[i])
		}
	}
}

func TestCMYK(t *testing.T) {
	m, err := DecodeImage("ink.jpg", cmykJPEG(t, 48, 40, [4]uint8{0, 255, 128, 0}))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []float64{1, 0, 127. / 255} {
		if got := float64(m.Pix[c*48*40+777]); m.Channels != 3 || math.Abs(got-want) > 3./255 {
			t.Errorf("channel %d: %v, want %v", c, got, want)
		}
	}
}

func TestWebP(t *testing.T) {
	m, err := DecodeImage("a.webp", riff("VP8L", vp8l(64, 48, 0, 0, 255)))
	if err != nil {
		t.Fatal(err)
	}
	n := 64 * 48
	if m.Pix[0] != 0 || m.Pix[63] != 1 || m.Pix[n-1] != 1 || m.Pix[n] != 0 || m.Alpha != nil {
		t.Errorf("corners %v %v %v", m.Pix[0], m.Pix[63], m.Pix[n-1])
	}
	m, err = DecodeImage("a.webp", riff("VP8X", vp8x(1<<3, 64, 48), "VP8L", vp8l(64, 48, 51, 0, 102), "EXIF", exif(binary.LittleEndian, 6)))
	if err != nil {
		t.Fatal(err)
	}
	// Turned right: the black quarter goes from the upper left to the upper right.
	if m.Width != 48 || m.Height != 64 || m.Pix[0] != 1 || m.Pix[47] != 0 || m.Pix[n] != 0.2 || m.Alpha[9] != 0.4 {
		t.Errorf("%dx%d corners %v %v, green %v, alpha %v", m.Width, m.Height, m.Pix[0], m.Pix[47], m.Pix[n], m.Alpha[9])
	}
}

// BT.601 gives black at luma 16 and white at 235; the colours are the standard's own bars.
func TestStudioRange(t *testing.T) {
	for _, c := range []struct{ y, cb, cr, r, g, b uint8 }{
		{16, 128, 128, 0, 0, 0}, {235, 128, 128, 255, 255, 255}, {126, 128, 128, 128, 128, 128},
		{82, 90, 240, 255, 0, 0}, {145, 54, 34, 0, 255, 0}, {41, 240, 110, 0, 0, 255}, {255, 128, 128, 255, 255, 255}, {0, 128, 128, 0, 0, 0},
	} {
		r, g, b := studioToRGB(c.y, c.cb, c.cr)
		for i, d := range []int{int(r) - int(c.r), int(g) - int(c.g), int(b) - int(c.b)} {
			if d < -2 || d > 2 {
				t.Errorf("studioToRGB(%d, %d, %d)[%d] = %d %d %d, want %d %d %d", c.y, c.cb, c.cr, i, r, g, b, c.r, c.g, c.b)
			}
		}
	}
}

// Each orientation puts the quarters where the EXIF standard's table of row 0 and column 0 does.
func TestOrientation(t *testing.T) {
	want := []string{1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}
	src := corners(64, 40)
	for o := uint16(1); o <= 8; o++ {
		for name, data := range map[string][]byte{
			"jpeg little": withJPEGExif(asJPEG(t, src), exif(binary.LittleEndian, o)),
			"jpeg big":    withJPEGExif(asJPEG(t, src), exif(binary.BigEndian, o)),
			"png":         withPNGChunk(asPNG(t, src), "eXIf", exif(binary.BigEndian, o)),
			"tiff":        withTIFFOrientation(asTIFF(t, src, tiff.Uncompressed), o),
		} {
			m, err := DecodeImage(name, data)
			if err != nil {
				t.Fatal(err)
			}
			w, h := 64, 40
			if o >= 5 {
				w, h = h, w
			}
			if q := quarters(m); q != want[o] || m.Width != w || m.Height != h {
				t.Errorf("%s, orientation %d: %dx%d %s, want %s", name, o, m.Width, m.Height, q, want[o])
			}
		}
	}
}

// An EXIF block that cannot be right leaves the picture as it is stored.
func TestOrientationOfBrokenExif(t *testing.T) {
	sound := exif(binary.LittleEndian, 6)
	far := exif(binary.LittleEndian, 6)
	binary.LittleEndian.PutUint32(far[4:], math.MaxUint32)
	many := exif(binary.LittleEndian, 6)
	binary.LittleEndian.PutUint16(many[8:], 65535)
	binary.LittleEndian.PutUint16(many[10:], 0x0100)
	cases := [][]byte{nil, []byte("II"), far, many, exif(binary.BigEndian, 0), exif(binary.BigEndian, 9)}
	for i := range len(sound) - 6 { // cut before the value is whole
		cases = append(cases, sound[:i])
	}
	for i, b := range cases {
		if got := exifOrientation(b); got != 1 {
			t.Errorf("case %d: orientation %d", i, got)
		}
	}
}

func TestSeveralPictures(t *testing.T) {
	m, err := DecodeImage("moving.png", withPNGChunk(asPNG(t, corners(40, 40)), "acTL", make([]byte, 8)))
	if err != nil || m.Note == "" {
		t.Errorf("animated PNG: %v, note %q", err, m.Note)
	}
	pages := asTIFF(t, corners(40, 40), tiff.Uncompressed)
	at := int(binary.LittleEndian.Uint32(pages[4:]))
	next := at + 2 + 12*int(binary.LittleEndian.Uint16(pages[at:]))
	binary.LittleEndian.PutUint32(pages[next:], uint32(len(pages)))
	pages = append(pages, 0, 0, 0, 0, 0, 0)
	m, err = DecodeImage("pages.tif", pages)
	if err != nil || m.Note == "" {
		t.Errorf("TIFF of two pages: %v", err)
	}
}

func BenchmarkDecode12MP(b *testing.B) {
	m := corners(4000, 3000)
	for name, data := range map[string][]byte{"png": asPNG(b, m), "jpeg": asJPEG(b, m)} {
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			for b.Loop() {
				if _, err := DecodeImage(name, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
