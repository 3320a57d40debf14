package datasettest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"image/color"
	"strings"

	"graft/onnx/limits/limitstest"
)

// TarEntry is a file or, of another kind, a folder ('5'), a link ('1', '2'), attributes ('x') or a long name ('L').
type TarEntry struct {
	Name string
	Kind byte // 0: a file
	Data []byte
	Size int64  // what the header says; 0: as long as Data is
	Link string // where a link leads
}

// TarHeader is a block of ustar.
func TarHeader(e TarEntry) []byte {
	h := make([]byte, 512)
	copy(h, e.Name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	size := e.Size
	if size == 0 {
		size = int64(len(e.Data))
	}
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
	if h[156] = e.Kind; e.Kind == 0 {
		h[156] = '0'
	}
	copy(h[157:], e.Link)
	copy(h[257:], "ustar\x0000")
	return Summed(h)
}

// Summed puts the checksum into a header.
func Summed(h []byte) []byte {
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// Tar is an archive with its end.
func Tar(entries ...TarEntry) []byte {
	var b []byte
	for _, e := range entries {
		b = append(append(b, TarHeader(e)...), e.Data...)
		b = append(b, make([]byte, (512-len(e.Data)%512)%512)...)
	}
	return append(b, make([]byte, 1024)...)
}

// Gzip packs b quickly.
func Gzip(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// Dot is a picture of one pixel.
func Dot(c color.Color) []byte {
	return []byte("BM\x3a\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x18\x00" +
		"\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + bgr(c))
}

func bgr(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return string([]byte{byte(b >> 8), byte(g >> 8), byte(r >> 8), 0})
}

// HostileTars are attacks on a data set in an archive, by family: D01 names that lead out, D02 what is no file, D03 cut and
// damaged archives, D04 bombs, D05 what is no data set.
func HostileTars() []limitstest.Case {
	var cases []limitstest.Case
	add := func(id, what, want string, data []byte) {
		cases = append(cases, limitstest.Case{ID: id, What: what, Bytes: data, Want: want})
	}
	dot := Dot(color.Black)
	sound := TarEntry{Name: "train/cat/a.bmp", Data: dot}
	for _, name := range []string{"../a.bmp", "train/../../cat/a.bmp", "/etc/cat/a.bmp", `train\cat\a.bmp`, "..", "cat/.."} {
		add("D01", name, "leads out", Tar(sound, TarEntry{Name: name, Data: dot}))
	}
	record := func(key, value string) []byte {
		n := len(key) + len(value) + 3
		for len(fmt.Sprint(n))+len(key)+len(value)+3 != n {
			n = len(fmt.Sprint(n)) + len(key) + len(value) + 3
		}
		return fmt.Appendf(nil, "%d %s=%s\n", n, key, value)
	}
	add("D01", "attribute path", "leads out", Tar(TarEntry{Name: "pax", Kind: 'x', Data: record("path", "../../cat/a.bmp")}, sound))
	add("D01", "long name", "leads out", Tar(TarEntry{Name: "././@LongLink", Kind: 'L', Data: []byte("../" + strings.Repeat("a", 200) + "/b.bmp\x00")}, sound))
	add("D01", "NUL in a long name", "leads out", Tar(TarEntry{Name: "L", Kind: 'L', Data: []byte("cat/a\x00/../b.bmp")}, sound))
	add("D01", "escapes", `\x1b[2J`, Tar(TarEntry{Name: "cat/\x1b[2J.bmp", Data: []byte("no picture")}))
	add("D02", "symbolic link", "is a symbolic link", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: '2', Link: "/etc/passwd"}))
	add("D02", "hard link", "is a hard link", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: '1', Link: "train/cat/a.bmp"}))
	add("D02", "device", "is a device", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: '3'}))
	add("D02", "pipe", "is a pipe", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: '6'}))
	add("D02", "sparse file", "is a sparse file", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: 'S'}))
	add("D02", "unknown type", "unknown type 90", Tar(sound, TarEntry{Name: "cat/b.bmp", Kind: 'Z'}))
	add("D02", "folder with bytes", "is a folder of 58 bytes", Tar(TarEntry{Name: "cat", Kind: '5', Data: dot}, sound))

	whole := Tar(sound)
	add("D03", "without an end", "cut short", whole[:1024])
	add("D03", "in a file", "bytes", whole[:540])
	add("D03", "in a header", "cut short", append(bytes.Clone(whole[:1024]), whole[:100]...))
	add("D03", "packed, in a file", "cut short", Gzip(whole[:540]))
	packed := Gzip(whole)
	add("D03", "gzip cut", "gzip", packed[:len(packed)-9])
	add("D03", "checksum of gzip", "gzip", append(bytes.Clone(packed[:len(packed)-8]), make([]byte, 8)...))
	add("D03", "checksum of a header", "checksum is wrong", append(append([]byte("X"), whole[1:]...), 0))
	add("D03", "more behind the end", "more comes behind", append(bytes.Clone(whole), 1))
	add("D03", "twice", "is there twice", Tar(sound, sound))
	for _, size := range []string{"0x10", "-1", "999", "\x80\x00\x00\x00\xff"} {
		h := TarHeader(sound)
		clear(h[124:136])
		copy(h[124:], size)
		add("D03", "size "+fmt.Sprintf("%q", size), "is no octal number", append(Summed(h), dot...))
	}
	for _, text := range []string{"9 path=a", "99 path=a\n", "x path=a\n", "-1 path=a\n", "7 patha\n", "0 \n", "13 size=1e30\n"} {
		add("D03", fmt.Sprintf("attribute %q", text), "attributes are damaged", Tar(TarEntry{Name: "pax", Kind: 'x', Data: []byte(text)}, sound))
	}

	zeros := make([]byte, 1<<20)
	add("D04", "a claim", "more than the archive can hold", Tar(TarEntry{Name: "cat/a.bmp", Data: dot, Size: 1 << 32}))
	add("D04", "a packed claim", "more than the archive can hold", Gzip(Tar(TarEntry{Name: "cat/a.bmp", Data: dot, Size: 1 << 32})))
	add("D04", "zeros as a picture", "is no picture", Gzip(Tar(TarEntry{Name: "cat/a.bmp", Data: zeros})))
	add("D04", "zeros as a file", "bytes", Gzip(append(TarHeader(TarEntry{Name: "notes", Size: 1 << 30}), bytes.Repeat(zeros, 24)...)))
	add("D04", "zeros behind the end", "more comes behind", Gzip(append(bytes.Clone(whole), bytes.Repeat(zeros, 2)...)))
	add("D04", "a long name", "at most 65536", Tar(TarEntry{Name: "L", Kind: 'L', Data: zeros}, sound))
	add("D04", "long names", "in a row", Gzip(bytes.Repeat(append(TarHeader(TarEntry{Name: "L", Kind: 'L', Size: 65024}), make([]byte, 65024)...), 20)))
	add("D04", "a picture of its own size", "claims", Tar(TarEntry{Name: "cat/a.png", Data: ClaimPNG(65535, 65535)}))

	add("D05", "no class", "lies in no folder", Tar(TarEntry{Name: "a.bmp", Data: dot}))
	add("D05", "nothing", "neither pictures", Tar(TarEntry{Name: "notes.txt", Data: []byte("x")}))
	add("D05", "another part", "no pictures below a folder train", Tar(TarEntry{Name: "test/cat/a.bmp", Data: dot}))
	add("D05", "empty class", `"dog"`, Tar(TarEntry{Name: "train/dog/", Kind: '5'}, sound))
	add("D05", "labels of CIFAR", "label 10", Tar(TarEntry{Name: "x/data_batch_1.bin", Data: append([]byte{10}, make([]byte, 3072)...)}))
	add("D05", "size of CIFAR", "3072 bytes are no whole number", Tar(TarEntry{Name: "x/data_batch_1.bin", Data: make([]byte, 3072)}))
	return cases
}
