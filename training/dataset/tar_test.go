package dataset

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx/limits/limitstest"
	"graft/training/dataset/datasettest"
)

// entry is a file of an archive.
func entry(name string, data []byte) datasettest.TarEntry {
	return datasettest.TarEntry{Name: name, Data: data}
}

func TestTar(t *testing.T) {
	dir := t.TempDir()
	long := "set/train/dog/" + strings.Repeat("n", 120) + ".bmp"
	list := []datasettest.TarEntry{
		{Name: "set/test/dog", Kind: '5'}, entry("set/test/dog/t.bmp", datasettest.Dot(color.White)),
		{Name: "pax_global_header", Kind: 'g', Data: []byte("52 comment=0123456789012345678901234567890123456789\n")},
		{Name: "set/train/dog", Kind: '5'}, entry("./set/train/dog/b.bmp", datasettest.Dot(color.NRGBA{255, 0, 51, 255})),
		{Name: "././@LongLink", Kind: 'L', Data: []byte(long + "\x00")}, entry(long[:100], datasettest.Dot(color.Gray{102})),
		entry("set/train/dog/._b.bmp", []byte("of another system")), entry("set/train/README", []byte("text")),
		{Name: "pax", Kind: 'x', Data: []byte("28 path=set/train/cat/c.bmp\n")}, entry("x", datasettest.Dot(color.Black)),
	}
	for name, data := range map[string][]byte{"set.tar": datasettest.Tar(list...), "set.tar.gz": datasettest.Gzip(datasettest.Tar(list...)), "no ending": datasettest.Tar(list...)} {
		path := put(t, dir, name, data)
		got := table(t, path, ReadConfig{Image: []int64{3, 2, 1}})
		x, y := all(t, got.Columns[0]), all(t, got.Columns[1])
		if !slices.Equal(got.Classes, []string{"cat", "dog"}) || !slices.Equal(y.Int64s(), []int64{0, 1, 1}) || !slices.Equal(x.Dims, []int64{3, 3, 2, 1}) {
			t.Fatalf("%s: classes %v, labels %v, dims %v", name, got.Classes, y.Int64s(), x.Dims)
		}
		if want := []float32{0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4}; !slices.Equal(x.Float32s(), want) {
			t.Errorf("%s: %v, want %v", name, x.Float32s(), want)
		}
		test := table(t, path, ReadConfig{Test: true, Classes: got.Classes, Normalize: Normalization{Mean: []float64{0.5}, Std: []float64{0.5}}})
		if x, y := all(t, test.Columns[0]), all(t, test.Columns[1]); !slices.Equal(y.Int64s(), []int64{1}) || x.Float32s()[0] != 1 {
			t.Errorf("%s: for testing %v %v", name, x.Float32s(), y.Int64s())
		}
	}
	flat := put(t, dir, "flat.tar", datasettest.Tar(entry("b/1.bmp", datasettest.Dot(color.White)), entry("a/1.bmp", datasettest.Dot(color.Black))))
	if got := table(t, flat, ReadConfig{}); !slices.Equal(got.Classes, []string{"a", "b"}) || got.Columns[0].Rows.Len() != 2 {
		t.Errorf("without parts: %v", got.Classes)
	}
	refuses(t, flat, ReadConfig{Classes: []string{"a"}}, `"b"`, "not among")
	// A damaged picture is named when its batch is read.
	broken := picture(t, "jpg", 64, 64, color.Gray{9})
	cut := put(t, dir, "cut.tar", datasettest.Tar(entry("a/1.bmp", datasettest.Dot(color.White)), entry("a/2.jpg", broken[:len(broken)/2])))
	rows := table(t, cut, ReadConfig{}).Columns[0].Rows
	if err := rows.Gather(make([]byte, 4*3), []uint32{1}); err == nil || !strings.Contains(err.Error(), `cut.tar: tar entry "a/2.jpg"`) {
		t.Errorf("a damaged picture: %v", err)
	}
}

func TestHostileTars(t *testing.T) {
	dir := t.TempDir()
	for _, c := range datasettest.HostileTars() {
		path := put(t, dir, "hostile.tar", c.Bytes)
		var got *Table
		var err error
		var allocated int64
		took := limitstest.CPU(t, func() {
			allocated = limitstest.Allocated(func() { got, err = ReadTable(path, ReadConfig{}) })
		})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "hostile.tar") || !strings.Contains(err.Error(), c.Want) {
			t.Errorf("%s: error %v, want %q", c.Name(), err, c.Want)
		}
		if got != nil || took > time.Second || allocated > 16<<20 {
			t.Errorf("%s: %v, %d KiB", c.Name(), took, allocated>>10)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files in the folder", len(left))
	}
}

// cifar is pictures of CIFAR-10: a label each, and pixels that tell where they are.
func cifar(labels ...byte) []byte {
	var b []byte
	for at, l := range labels {
		b = append(b, l)
		for i := range cifarPixels {
			b = append(b, byte(at+i/1024))
		}
	}
	return b
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "set/data_batch_2.bin", cifar(9))
	first := put(t, dir, "set/data_batch_1.bin", cifar(3, 0))
	put(t, dir, "set/test_batch.bin", cifar(5))
	put(t, dir, "set/batches.meta.txt", []byte("airplane\n"))
	archive := put(t, dir, "set.tar.gz", datasettest.Gzip(datasettest.Tar(entry("c/data_batch_2.bin", cifar(9)), entry("c/test_batch.bin", cifar(5)), entry("c/data_batch_1.bin", cifar(3, 0)))))
	for path, want := range map[string][]int64{filepath.Join(dir, "set"): {3, 0, 9}, archive: {3, 0, 9}, first: {3, 0}} {
		got := table(t, path, ReadConfig{})
		x, y := all(t, got.Columns[0]), all(t, got.Columns[1])
		if !slices.Equal(y.Int64s(), want) || !slices.Equal(x.Dims[1:], []int64{3, 32, 32}) || len(got.Classes) != 10 {
			t.Errorf("%s: labels %v, dims %v", path, y.Int64s(), x.Dims)
		}
		if v := x.Float32s(); v[0] != 0 || v[cifarPixels+2048] != float32(3.0/255) {
			t.Errorf("%s: pixels %g and %g", path, v[0], v[cifarPixels+2048])
		}
	}
	if y := all(t, table(t, filepath.Join(dir, "set"), ReadConfig{Test: true}).Columns[1]); !slices.Equal(y.Int64s(), []int64{5}) {
		t.Errorf("for testing %v", y.Int64s())
	}
	refuses(t, put(t, dir, "bad/data_batch_1.bin", cifar(10)), ReadConfig{}, "picture 0 has label 10", "0 to 9")
	refuses(t, put(t, dir, "odd/data_batch_1.bin", cifar(1)[:3072]), ReadConfig{}, "3072 bytes are no whole number")
	refuses(t, put(t, dir, "none/data_batch_1.bin", nil), ReadConfig{}, "0 bytes")
	refuses(t, filepath.Join(dir, "none"), ReadConfig{Test: true}, "no file of this part")
	refuses(t, filepath.Join(dir, "set"), ReadConfig{Classes: []string{"cat"}}, "not among")
}

func TestDigitFolder(t *testing.T) {
	dir := t.TempDir()
	digit := func(first string) []byte {
		return fmt.Appendf(nil, "{ \"data\": [%s%s]}\n", first, strings.Repeat(", 0.2", digitPixels-1))
	}
	for i := range 10 {
		put(t, dir, fmt.Sprintf("%d.json", i), digit("0.624"))
	}
	put(t, dir, "7.json", []byte(`{"data":[`+strings.TrimSuffix(strings.Repeat("1,", 2*digitPixels), ",")+`]}`))
	got := table(t, dir, ReadConfig{})
	x, y := all(t, got.Columns[0]), all(t, got.Columns[1])
	if !slices.Equal(y.Int64s(), []int64{0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9}) || !slices.Equal(x.Dims, []int64{11, 1, 28, 28}) {
		t.Errorf("labels %v, dims %v", y.Int64s(), x.Dims)
	}
	if v := x.Float32s(); v[0] != float32(159.0/255) || v[1] != 0.2 || v[7*digitPixels] != 1 {
		t.Errorf("pixels %g %g %g", v[0], v[1], v[7*digitPixels])
	}
	for text, words := range map[string][]string{
		`{"data":[1,2]}`: {"number 1 is 2"},
		`{"data":[1,0`:   {"cut short behind 1 numbers"},
		`{"data":[` + strings.Repeat("[", 20_000): {"number 0", "and goes on"},
		`{"data":[]}`:                                 {`number 0 is ""`},
		`{"data":[1,]}`:                               {`number 1 is ""`},
		`{"data":[NaN]}`:                              {"number 0 is NaN"},
		`{"data":[-0.1]}`:                             {"number 0 is -0.1"},
		`{"data":[1e400]}`:                            {"number 0"},
		`{"data":[0x1p-2]}`:                           {`number 0 is "0x1p-2"`},
		`{"data":[` + strings.Repeat("1", 5e6):        {"and goes on"},
		`{"data":{"a":1}}`:                            {`"["`},
		`{"dota":[1]}`:                                {`"\"data\""`},
		strings.Repeat("[", 1e6):                      {`"{"`},
		`{"data":[1]}`:                                {"1 numbers", "784"},
		string(digit("1")) + "x":                      {"behind its end"},
		strings.TrimSuffix(string(digit("1")), "}\n"): {`"}"`},
		"": {`"{"`},
	} {
		put(t, dir, "3.json", []byte(text))
		_, err := ReadTable(dir, ReadConfig{})
		for _, w := range append(words, "3.json") {
			if err == nil || !strings.Contains(err.Error(), w) || len(err.Error()) > 400 {
				t.Errorf("%.20s: error %v does not say %q", text, err, w)
			}
		}
	}
}

// FuzzTar holds that no archive brings the reader down.
func FuzzTar(f *testing.F) {
	for _, c := range datasettest.HostileTars() {
		if len(c.Bytes) < 1<<13 {
			f.Add(c.Bytes)
		}
	}
	f.Add(datasettest.Tar(entry("train/a/1.bmp", datasettest.Dot(color.White)), entry("train/b/1.bmp", datasettest.Dot(color.Black))))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; at+tarBlock <= len(data); at += tarBlock { // headers count only with their sums
			if bytes.HasPrefix(data[at+257:], []byte("ustar")) {
				data = slices.Clone(data)
				datasettest.Summed(data[at:][:tarBlock])
			}
		}
		got, err := ReadTable(put(t, dir, "f.tar", data), ReadConfig{})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of two lines: %q", err)
			}
			return
		}
		for _, c := range got.Columns {
			if _, whole := c.Rows.(wholeRows); !whole && c.Rows.Len() > 0 && c.Rows.Len() < 100 {
				dtype, dims := c.Rows.Sample()
				n := int64(dtype.Bits() / 8)
				for _, d := range dims {
					n *= d
				}
				if n < 1<<20 {
					_ = c.Rows.Gather(make([]byte, n), []uint32{0})
				}
			}
		}
	})
}
