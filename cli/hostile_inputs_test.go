package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/limits/limitstest"
	"graft/training/dataset/datasettest"
)

// Files of inputs and data, given to each verb that reads such: N arrays of NumPy, I pictures, Y11 JSON.

func TestHostileNpy(t *testing.T) {
	list := files("hostile.npy", datasettest.HostileNpy())
	refuseThrough(t, list, "run $DIR/model.onnx --out $OUT --input x=$DIR/hostile.npy")
	refuseThrough(t, first(list), inputLines("hostile.npy")...)
}

func TestHostileNpz(t *testing.T) {
	list := files("hostile.npz", datasettest.HostileNpz())
	refuseThrough(t, list, "convert $DIR/hostile.npz --out $OUT.safetensors")
	refuseThrough(t, first(list), append(inputLines("hostile.npz"), "convert $DIR/model.onnx --weights $DIR/hostile.npz --out $OUT.onnx")...)
}

// pictured lies beside a picture: a model that takes one.
func pictured(t testing.TB, folder string) {
	t.Helper()
	data, err := parsed17("g (float[N, 3, 40, 48] x) => (float[N, 3, 40, 48] y) { y = Identity (x) }")
	if err != nil {
		t.Fatal(err)
	}
	file("pixels.onnx", data)(t, folder)
	file("good.png", datasettest.PNG(t, datasettest.Corners(64, 48)))(t, folder)
}

func TestHostileImages(t *testing.T) {
	for _, c := range datasettest.HostileImages(t) {
		h := hostile{id: c.Name(), says: c.Want, read: len(c.Bytes), make: func(t testing.TB, folder string) {
			pictured(t, folder)
			file(c.What, c.Bytes)(t, folder)
		}}
		lines := []string{"denoise $DIR/" + c.What + " --out $OUT"}
		// A small picture is made larger where a model takes it, and other endings are of no pictures.
		if ending := filepath.Ext(c.What); c.What != "one.jpg" && c.What != "tiny.webp" && ending != ".gif" && ending != ".heic" && ending != ".gz" {
			lines = append(lines, "run $DIR/pixels.onnx --out $OUT --input x=$DIR/"+c.What)
		}
		if strings.HasPrefix(c.What, "max.") || strings.HasPrefix(c.What, "magic.") {
			lines = append(lines, "denoise $DIR/good.png --out $OUT --clean $DIR/"+c.What, "denoise $DIR/good.png --out $OUT --task inpaint --hole $DIR/"+c.What)
		}
		if c.ID == "I01" { // a picture may be small where it is an input
			h.says += "|is cut short"
		}
		refuseThrough(t, []hostile{h}, lines...)
	}
}

func TestHostileJSONInput(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	cases := []limitstest.Case{
		{ID: "Y11", What: "deep", Bytes: []byte(deep), Want: "nested more than 32 deep"},
		{ID: "Y11", What: "deep in an object", Bytes: []byte(`{"x":` + deep), Want: "nested more than 32 deep"},
		{ID: "Y11", What: "deep objects", Bytes: []byte(strings.Repeat(`{"x":`, 20_000)), Want: "stands where an array"},
		{ID: "Y11", What: "deep under another name", Bytes: []byte(`{"y":` + deep + strings.Repeat("]", 20_000) + "}"), Want: "is no input|exceeded max depth"},
		{ID: "Y09", What: "NaN", Bytes: []byte(`[[NaN, 1]]`), Want: "is no JSON"},
		{ID: "Y09", What: "1e400", Bytes: []byte(`[[1e400, 1]]`), Want: `"1e400" is no number`},
		{ID: "Y09", What: "octal", Bytes: []byte(`[[0777, 1]]`), Want: "is no JSON"},
		{ID: "Y09", What: "no", Bytes: []byte(`[[no, 1]]`), Want: "is no JSON"},
		{ID: "Y10", What: "BOM", Bytes: []byte("\xef\xbb\xbf[[1, 2]]"), Want: "is no JSON"},
		{ID: "Y10", What: "UTF-16", Bytes: []byte("\xff\xfe[\x00]\x00"), Want: "UTF-8"},
		{ID: "Y04", What: "key twice", Bytes: []byte(`{"x": [[1, 2]], "x": [[1, 2]]}`), Want: `has "x" twice`},
		{ID: "Y04", What: "unknown key", Bytes: []byte(`{"\u001b[2J": [[1, 2]]}`), Want: `has "\x1b[2J", which is no input|has no "x"`},
		{ID: "Y05", What: "above the limit", Bytes: make([]byte, mostText+1), Want: "16777217 bytes, text has at most 16777216"},
		{ID: "Y05", What: "a string of ten megabytes", Bytes: []byte(`[["` + strings.Repeat("a", 10<<20) + `"]]`), Want: "stands for a number"},
	}
	refuseThrough(t, files("hostile.json", cases), "run $DIR/model.onnx --out $OUT --input $DIR/hostile.json", "run $DIR/model.onnx --out $OUT --input x=$DIR/hostile.json")
	texts := []limitstest.Case{
		{ID: "Y10", What: "UTF-16 text", Bytes: []byte("\xff\xfe1\x002\x00"), Want: "UTF-8"},
		{ID: "Y09", What: "1e400 in a text", Bytes: []byte("1e400 2"), Want: `"1e400" is no number`},
		{ID: "Y05", What: "a word of ten megabytes", Bytes: []byte(strings.Repeat("a", 10<<20)), Want: "is no number"},
		{ID: "Y09", What: "too few", Bytes: []byte("1 2 3"), Want: "do not fill"},
	}
	refuseThrough(t, files("hostile.txt", texts), "run $DIR/model.onnx --out $OUT --input x=$DIR/hostile.txt")
}
