package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits"
)

// put writes a file below a folder of the test.
func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func table(t testing.TB, path string, c ReadConfig) *Table {
	t.Helper()
	got, err := ReadTable(path, c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// all gathers a column whole, in order.
func all(t testing.TB, c Column) *onnx.Tensor {
	t.Helper()
	dtype, dims := c.Rows.Sample()
	out := onnx.NewTensor(dtype, append([]int64{c.Rows.Len()}, dims...)...)
	if err := c.Rows.Gather(out.Data, numbers(nil, c.Rows.Len())); err != nil {
		t.Fatal(err)
	}
	return out
}

// refuses wants one line that names the file and says every word.
func refuses(t *testing.T, path string, c ReadConfig, words ...string) {
	t.Helper()
	_, err := ReadTable(path, c)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), filepath.Base(path)) {
		t.Errorf("%v: error %v", words, err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func idx(code byte, dims []uint32, data []byte) []byte {
	b := []byte{0, 0, code, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func TestIDX(t *testing.T) {
	dir := t.TempDir()
	pixels := []byte{0, 255, 51, 102, 1, 2, 3, 4}
	images := idx(8, []uint32{2, 2, 2}, pixels)
	for _, data := range [][]byte{images, zipped(t, images)} {
		got := table(t, put(t, dir, "images", data), ReadConfig{Normalize: Normalization{Mean: []float64{0.5}, Std: []float64{0.25}}})
		x := all(t, got.Columns[0])
		if got.Columns[0].Kind != Samples || !slices.Equal(x.Dims, []int64{2, 2, 2}) || x.Float32s()[0] != -2 || x.Float32s()[1] != 2 || x.Float32s()[2] != float32((51.0/255-0.5)/0.25) {
			t.Errorf("images %v %v", x.Dims, x.Float32s())
		}
	}
	labels := table(t, put(t, dir, "labels", idx(8, []uint32{3}, []byte{7, 0, 9})), ReadConfig{})
	if c := labels.Columns[0]; c.Kind != Answers || !bytes.Equal(all(t, c).Data, []byte{7, 0, 9}) {
		t.Error("labels")
	}
	floats := idx(0x0d, []uint32{1, 2}, []byte{0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0})
	if x := all(t, table(t, put(t, dir, "floats", floats), ReadConfig{}).Columns[0]); x.Float32s()[0] != 1 || x.Float32s()[1] != -2 {
		t.Errorf("floats %v", x.Float32s())
	}
	put(t, dir, "set/train-images-idx3-ubyte", images)
	put(t, dir, "set/train-labels-idx1-ubyte.gz", zipped(t, idx(8, []uint32{2}, []byte{1, 0})))
	folder := filepath.Join(dir, "set")
	if got := table(t, folder, ReadConfig{}); len(got.Columns) != 2 || got.Columns[1].Kind != Answers {
		t.Error("folder")
	}
	refuses(t, folder, ReadConfig{Test: true}, "t10k-images")
}

func TestHostileIDX(t *testing.T) {
	dir := t.TempDir()
	file := func(data []byte) string { return put(t, dir, "x.idx", data) }
	good := idx(8, []uint32{2, 2, 2}, make([]byte, 8))
	refuses(t, file(good[:len(good)-1]), ReadConfig{}, "idx data", "8 bytes", "7 are there")
	refuses(t, file(append(slices.Clone(good), 0)), ReadConfig{}, "idx data", "9 are there")
	refuses(t, file(good[:9]), ReadConfig{}, "idx header", "ends after 9 of 16")
	refuses(t, file(idx(8, []uint32{1 << 31, 1 << 31, 1 << 31}, nil)), ReadConfig{}, "idx dims", "2147483648")
	refuses(t, file(idx(8, []uint32{1 << 30, 2}, make([]byte, 8))), ReadConfig{}, "idx data", "2147483648 bytes, 8 are there")
	packed := zipped(t, good)
	refuses(t, file(zipped(t, good[:len(good)-1])), ReadConfig{}, "idx data", "ends after 7 of 8")
	refuses(t, file(zipped(t, append(slices.Clone(good), 0))), ReadConfig{}, "more behind the 8 bytes")
	refuses(t, file(zipped(t, idx(8, []uint32{1 << 30, 2}, make([]byte, 8)))), ReadConfig{}, "idx dims")
	for i := 10; i < len(packed); i++ {
		bad := slices.Clone(packed)
		bad[i] ^= 0x10
		if _, err := ReadTable(file(bad), ReadConfig{}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := ReadTable(file(packed[:i]), ReadConfig{}); err == nil {
			t.Errorf("cut at %d", i)
		}
	}
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text    string
		config  ReadConfig
		samples []float32
		answers string
		classes []string
	}{
		"plain.csv":   {"1,2,0\n3,4,1\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[0 1]", nil},
		"no ending":   {"1,2,0\r\n3,4e1,1", ReadConfig{}, []float32{1, 2, 3, 40}, "[0 1]", nil},
		"header.csv":  {"\ufeffa,label,b\n1,5,2\n3,6,4\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[5 6]", nil},
		"named.csv":   {"a,label,b\n1,5,2\n3,6,4\n", ReadConfig{Label: "b"}, []float32{1, 5, 3, 6}, "[2 4]", nil},
		"first.csv":   {"7,1\n8,2\n", ReadConfig{Label: "0"}, []float32{1, 2}, "[7 8]", nil},
		"back.csv":    {"7,1,3\n8,2,4\n", ReadConfig{Label: "-2"}, []float32{7, 3, 8, 4}, "[1 2]", nil},
		"words.csv":   {"x,y\n1,dog\n2,\"cat\"\n3,dog\n", ReadConfig{}, []float32{1, 2, 3}, "[1 0 1]", []string{"cat", "dog"}},
		"nohead.csv":  {"1,2,dog\n3,4,cat\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[1 0]", []string{"cat", "dog"}},
		"known.csv":   {"x,y\n1,dog\n2,dog\n", ReadConfig{Classes: []string{"cat", "dog"}}, []float32{1, 2}, "[1 1]", []string{"cat", "dog"}},
		"target.tsv":  {"1\t0.5\n2\t1\n", ReadConfig{}, []float32{1, 2}, "[0.5 1]", nil},
		"colons.csv":  {"1;2;0\n3;4;1\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[0 1]", nil},
		"normal.csv":  {"1,9,0\n3,5,1\n", ReadConfig{Normalize: Normalization{Mean: []float64{1}, Std: []float64{2}}}, []float32{0, 4, 1, 2}, "[0 1]", nil},
		"spaced.csv":  {"1, 2, 0\n 3,4 ,1\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[0 1]", nil},
		"comment.csv": {"1,2,0\n\n3,4,1\n", ReadConfig{}, []float32{1, 2, 3, 4}, "[0 1]", nil},
	} {
		for _, data := range [][]byte{[]byte(c.text), zipped(t, []byte(c.text))} {
			got := table(t, put(t, dir, name, data), c.config)
			x, y := all(t, got.Columns[0]), all(t, got.Columns[1])
			shown := fmt.Sprint(y.Float32s())
			if y.DType == onnx.Int64 {
				shown = fmt.Sprint(y.Int64s())
			}
			if !slices.Equal(x.Float32s(), c.samples) || shown != c.answers || !slices.Equal(got.Classes, c.classes) {
				t.Errorf("%s: %v, answers %s, classes %v", name, x.Float32s(), shown, got.Classes)
			}
		}
	}
}

func TestHostileCSV(t *testing.T) {
	dir := t.TempDir()
	for text, words := range map[string][]string{
		"a,b\n1,2\n3\n":        {"line 3", "has 1 fields, the first line has 2"},
		"a,b\n1,2\n3,4,5\n":    {"line 3", "has 3 fields"},
		"1,2\nx,3\n":           {"line 2, column 0", `is "x"`},
		"a,b\nNaN,3\n":         {`line 2, column "a"`, `"NaN"`, "finite"},
		"a,b\n1e999,3\n":       {`line 2, column "a"`, "finite"},
		"a,b\n1e39,3\n":        {`line 2, column "a"`, "finite"},
		"a,b\n,3\n":            {`line 2, column "a"`, `is ""`},
		"a,b\n1,\n":            {`line 2, column "b"`, "is empty"},
		"a,b\n1,inf\n":         {`line 2, column "b"`, "finite"},
		"a,b\n":                {"holds no sample"},
		"a\n1\n":               {"one column"},
		"a,b\n1,\"2\n":         {"line 2"},
		"a,b\n\"1\"x,2\n":      {"line 2"},
		"\x1b[2J,b\n1,\x1b\n0": {"line 3", "has 1 fields"},
	} {
		refuses(t, put(t, dir, "bad.csv", []byte(text)), ReadConfig{}, words...)
	}
	refuses(t, put(t, dir, "bad.csv", []byte("a,b\n1,2\n")), ReadConfig{Label: "c"}, `no column "c"`, `"a", "b"`)
	refuses(t, put(t, dir, "bad.csv", []byte("1,2\n1,2\n")), ReadConfig{Label: "2"}, "2 columns and no header")
	refuses(t, put(t, dir, "bad.csv", []byte("a,b\n1,cow\n")), ReadConfig{Classes: []string{"cat"}}, `"cow"`, `"cat"`)
	refuses(t, put(t, dir, "long.csv", append([]byte("1,2\n"), bytes.Repeat([]byte("1"), maxCSVLine+2)...)), ReadConfig{}, "line 2", "more than")
	packed := zipped(t, []byte(strings.Repeat("1,2,3\n", 100)))
	refuses(t, put(t, dir, "cut.csv.gz", packed[:len(packed)-9]), ReadConfig{}, "gzip", "cut short")
	packed[len(packed)-6] ^= 1
	refuses(t, put(t, dir, "sum.csv.gz", packed), ReadConfig{}, "gzip", "checksum")
	refuses(t, put(t, dir, "x.bin.txt", []byte("hello")), ReadConfig{}, "is no .npy")
	refuses(t, put(t, dir, "empty.csv", nil), ReadConfig{}, "is no .npy")
}

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	stream := []byte{}
	for i := range 11 {
		stream = binary.LittleEndian.AppendUint16(stream, uint16(i*7000))
	}
	got := table(t, put(t, dir, "t.bin", stream), ReadConfig{Length: 5})
	ids, labels := all(t, got.Columns[0]), all(t, got.Columns[1])
	if !slices.Equal(ids.Dims, []int64{2, 5}) || ids.Int64s()[9] != 63000 || labels.Int64s()[0] != 7000 || labels.Int64s()[9] != 70000%65536 {
		t.Errorf("stream %v %v", ids.Int64s(), labels.Int64s())
	}
	lines := "[5, 6, 7]\n\n[8]\n"
	got = table(t, put(t, dir, "t.jsonl", []byte(lines)), ReadConfig{})
	if ids, mask := all(t, got.Columns[0]).Int64s(), all(t, got.Columns[1]).Int64s(); !slices.Equal(ids, []int64{5, 6, 7, 8, 0, 0}) || !slices.Equal(mask, []int64{1, 1, 1, 1, 0, 0}) {
		t.Errorf("lines %v %v", ids, mask)
	}
	named := `{"input_ids": [1, 2, 3], "token_type_ids": [0, 0, 1], "labels": 2}` + "\n" + `{"labels": 0, "token_type_ids": [0], "input_ids": [9]}`
	got = table(t, put(t, dir, "t.jsonl.gz", zipped(t, []byte(named))), ReadConfig{Length: 2})
	var names []string
	for _, c := range got.Columns {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"input_ids", "attention_mask", "labels", "token_type_ids"}) || len(got.Notes) != 2 ||
		!slices.Equal(all(t, got.Columns[0]).Int64s(), []int64{1, 2, 9, 0}) || !slices.Equal(all(t, got.Columns[2]).Int64s(), []int64{2, 0}) {
		t.Errorf("named %v %v", names, got.Notes)
	}
	got = table(t, put(t, dir, "t.jsonl", []byte(`{"input_ids":[1,2],"labels":[2,3]}`+"\n"+`{"input_ids":[4],"labels":[5]}`)), ReadConfig{})
	if l := all(t, got.Columns[2]).Int64s(); !slices.Equal(l, []int64{2, 3, 5, -100}) {
		t.Errorf("labels %v", l)
	}
	for text, words := range map[string][]string{
		"[1]\n[1, 2.5]\n":                          {"line 2", `"input_ids"`, "whole number"},
		"[1]\n[1, \"a\"]\n":                        {"line 2", "whole number"},
		"[1]\n{\"a\": [1]}\n":                      {"line 2", `"a"`, `"input_ids"`},
		"{\"a\": [1]}\n{\"a\": 1}\n":               {"line 2", "list in some lines"},
		"[9223372036854775807]\n":                  {"line 1", "no token number"},
		"[99999999999999999999]\n":                 {"line 1"},
		"{\"a\": [[1]]}\n":                         {"line 1", `"a"`},
		"{\"a\": null}\n":                          {"line 1", `"a"`},
		"{\"a\"\n":                                 {"line 1", "no JSON object"},
		"[1]\n" + strings.Repeat("[", 20000):       {"line 2"},
		"{\"a\": []}\n":                            {`"a"`, "empty"},
		"[" + strings.Repeat("1,", 1<<20) + "1]\n": {"line 1", "at most 1048576"},
	} {
		refuses(t, put(t, dir, "bad.jsonl", []byte(text)), ReadConfig{}, words...)
	}
	refuses(t, put(t, dir, "odd.bin", stream[:7]), ReadConfig{Length: 2}, "7 bytes", "16 bits")
	refuses(t, put(t, dir, "short.bin", stream), ReadConfig{}, "11 tokens", "128")
}

// picture is a PNG or JPEG of one colour.
func picture(t testing.TB, format string, w, h int, c color.Color) []byte {
	t.Helper()
	var m interface {
		image.Image
		Set(x, y int, c color.Color)
	} = image.NewNRGBA(image.Rect(0, 0, w, h))
	if _, grey := c.(color.Gray); grey {
		m = image.NewGray(image.Rect(0, 0, w, h))
	}
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	var err error
	if format == "jpg" {
		err = jpeg.Encode(&b, m, nil)
	} else {
		err = png.Encode(&b, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImageFolder(t *testing.T) {
	dir := t.TempDir()
	red := color.NRGBA{255, 0, 51, 255}
	put(t, dir, "train/dog/b.png", picture(t, "png", 5, 3, color.Gray{102}))
	put(t, dir, "train/dog/a.PNG", picture(t, "png", 4, 4, red))
	put(t, dir, "train/dog/notes.txt", []byte("not a picture"))
	put(t, dir, "train/cat/c.jpg", picture(t, "jpg", 8, 8, color.Gray{255}))
	put(t, dir, "test/dog/d.png", picture(t, "png", 4, 4, red))
	got := table(t, dir, ReadConfig{Image: []int64{3, 2, 2}})
	x, y := all(t, got.Columns[0]), all(t, got.Columns[1])
	if !slices.Equal(got.Classes, []string{"cat", "dog"}) || !slices.Equal(y.Int64s(), []int64{0, 1, 1}) || !slices.Equal(x.Dims, []int64{3, 3, 2, 2}) {
		t.Fatalf("classes %v, labels %v, dims %v", got.Classes, y.Int64s(), x.Dims)
	}
	for i, want := range []float32{1, 1, 1, 1, 0, 0.2, 0.4, 0.4, 0.4} { // by picture and channel
		for j := range 4 {
			if v := x.Float32s()[4*i+j]; math.Abs(float64(v-want)) > 1e-6 {
				t.Errorf("picture %d, channel %d: %g, want %g", i/3, i%3, v, want)
			}
		}
	}
	if again := all(t, got.Columns[0]); !bytes.Equal(again.Data, x.Data) { // from the cache
		t.Error("the second epoch has other pictures")
	}
	grey := table(t, dir, ReadConfig{Test: true, Classes: got.Classes, Image: []int64{1, 0, 0}})
	if x, y := all(t, grey.Columns[0]), all(t, grey.Columns[1]); !slices.Equal(x.Dims, []int64{1, 1, 4, 4}) || y.Int64s()[0] != 1 || math.Abs(float64(x.Float32s()[3])-0.3216) > 1e-3 {
		t.Errorf("grey %v %v", x.Dims, x.Float32s())
	}
	put(t, dir, "test/cow/d.png", picture(t, "png", 4, 4, red))
	refuses(t, dir, ReadConfig{Test: true, Classes: got.Classes}, `"cow"`, "not among")
	refuses(t, filepath.Join(dir, "test"), ReadConfig{Image: []int64{4, 2, 2}}, "4 channels")
	put(t, dir, "other/empty/x.txt", nil)
	refuses(t, filepath.Join(dir, "other"), ReadConfig{}, "empty", "no picture")
	refuses(t, filepath.Join(dir, "other/empty"), ReadConfig{}, "neither IDX files nor folders")
	// A damaged picture is named when its batch is read.
	broken := picture(t, "jpg", 64, 64, color.Gray{9})
	path := put(t, dir, "train/dog/z.jpg", broken[:len(broken)/2])
	b, err := NewBatches(map[string]Rows{"x": table(t, dir, ReadConfig{Image: []int64{1, 2, 2}}).Columns[0].Rows}, nil, BatchConfig{Size: 4, Ordered: true})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPrefetcher(b)
	defer p.Close()
	if _, err := p.At(1); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("damaged picture: %v", err)
	}
	if _, err := p.At(1); err == nil {
		t.Error("asked again, the damaged picture is fine")
	}
}

// Prefetched batches are those of Batches, whatever step is asked for.
func TestPrefetcher(t *testing.T) {
	x := onnx.NewTensor(onnx.Int64, 23)
	for i := range x.Int64s() {
		x.Int64s()[i] = int64(i)
	}
	batches := func() *Batches {
		b, err := NewBatches(map[string]Rows{"x": tensorRows{x}}, nil, BatchConfig{Size: 5, Partial: true, Seed: 9})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, p := batches(), NewPrefetcher(batches())
	defer p.Close()
	for _, step := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 40, 41, 2, 2, 3} {
		want, got := at(t, b, step)["x"].Int64s(), at(t, p, step)["x"].Int64s()
		if !slices.Equal(want, got) {
			t.Fatalf("step %d: %v, want %v", step, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	rest, drawn, err := Split(10, 0.3, 4)
	if err != nil || len(rest) != 7 || len(drawn) != 3 {
		t.Fatal(rest, drawn, err)
	}
	if both := slices.Sorted(slices.Values(slices.Concat(rest, drawn))); !slices.Equal(both, numbers(nil, 10)) {
		t.Errorf("parts %v and %v", rest, drawn)
	}
	x := onnx.NewTensor(onnx.Int64, 10)
	x.Int64s()[drawn[1]] = 5
	if got := all(t, Column{Rows: Part(tensorRows{x}, drawn)}).Int64s(); !slices.Equal(got, []int64{0, 5, 0}) {
		t.Errorf("part %v", got)
	}
	if _, _, err := Split(3, 0.1, 0); err == nil {
		t.Error("a part of nothing")
	}
}

func TestReshaped(t *testing.T) {
	for _, r := range []Rows{tensorRows{onnx.NewTensor(onnx.Float, 2, 6)}, &byteRows{data: make([]byte, 12), count: 2, dims: []int64{6}, channels: 1, table: Normalization{}.table(1)}} {
		got, err := Reshaped(r, []int64{2, 3})
		if err != nil {
			t.Fatal(err)
		}
		if x := all(t, Column{Rows: got}); !slices.Equal(x.Dims, []int64{2, 2, 3}) {
			t.Errorf("dims %v", x.Dims)
		}
		if _, err := Reshaped(r, []int64{5}); err == nil {
			t.Error("5 of 6 elements")
		}
	}
}

// FuzzTable holds that no file of data brings a reader down.
func FuzzTable(f *testing.F) {
	f.Add([]byte("1,2,0\n3,4,1\n"))
	f.Add(idx(8, []uint32{2, 2}, make([]byte, 4)))
	f.Add([]byte("[1,2]\n[3]\n"))
	f.Add(zipped(f, []byte("a,b\n1,dog\n")))
	f.Add([]byte("a good film\t1\nbad\t0\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, ending := range []string{".csv", ".tsv", ".bin", ".x"} {
			got, err := ReadTable(put(t, dir, "f"+ending, data), ReadConfig{Length: 3})
			if err != nil {
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("error of two lines: %q", err)
				}
				continue
			}
			for _, c := range got.Columns {
				if _, whole := c.Rows.(wholeRows); !whole && c.Rows.Len() > 0 {
					all(t, c)
				}
			}
		}
	})
}

// Text is no data yet: the refusal says what it wants to be.
func TestTextIsNoTokens(t *testing.T) {
	path := put(t, t.TempDir(), "corpus.txt", []byte("Call me Ishmael.\n"))
	_, err := ReadTable(path, ReadConfig{})
	in, ok := errors.AsType[*limits.InputError](err)
	if !ok || !strings.Contains(in.Hint, "token numbers") {
		t.Errorf("error %v, %+v", err, in)
	}
}
