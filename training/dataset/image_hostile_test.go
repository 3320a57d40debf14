package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"graft/onnx/limits"
	"graft/onnx/limits/limitstest"
	"graft/training/dataset/datasettest"

	"golang.org/x/image/tiff"
)

// Each hostile file gives one line that names it and says why, at once and without memory.
func TestHostileFiles(t *testing.T) {
	for _, c := range datasettest.HostileImages(t) {
		t.Run(c.Name(), func(t *testing.T) {
			path := write(t, c.What, c.Bytes)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var m *Image
			var err error
			took := limitstest.CPU(t, func() { m, err = ReadImage(path) })
			runtime.ReadMemStats(&after)
			oneLine(t, err, path, c.Want)
			if m != nil {
				t.Error("an image came with the error")
			}
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 8<<20 {
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
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	oneLine(t, second(ReadImage(big)), big, "MiB")
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8<<20 {
		t.Errorf("%d KiB allocated for a file that is not read", (after.TotalAlloc-before.TotalAlloc)>>10)
	}
	oneLine(t, second(DecodeImage("big.png", make([]byte, maxFileBytes+1))), "big.png", "512 MiB or more")
}

// The size that was judged is the size that is used, whatever a decoder makes of the rest of the file.
func TestHostileDecoder(t *testing.T) {
	sound := decoders[formatPNG]
	defer func() { decoders[formatPNG] = sound }()
	other := sound
	other.decode = func(io.Reader) (image.Image, error) { return corners(64, 49), nil }
	decoders[formatPNG] = other
	oneLine(t, second(DecodeImage("x.png", asPNG(t, corners(64, 48)))), "x.png", "the header claims 64x48 pixels, the data has 64x49")
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
