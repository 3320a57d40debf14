package cli

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors"
	"graft/onnx/safetensors/safetensorstest"
	"graft/training/dataset"
	"graft/training/dataset/datasettest"
)

// Files of operators, given to each verb that reads such, and of what operators are learned from.

const buildOperator = "build analysis --set beta=1 --out $OUT.onnx --operator $DIR/"

func TestHostileOperatorNpy(t *testing.T) {
	list := files("hostile.npy", datasettest.HostileNpy())
	refuseThrough(t, list, buildOperator+"hostile.npy", "learn-operator $DIR/hostile.npy --out $OUT")
	refuseThrough(t, first(list), "build analysis-filters --set beta=1 --out $OUT.onnx --operator $DIR/hostile.npy", "build analysis-signals --set beta=1 --out $OUT.onnx --operator $DIR/hostile.npy")
	list = files("hostile.npz", datasettest.HostileNpz())
	refuseThrough(t, first(list), buildOperator+"hostile.npz", "learn-operator $DIR/hostile.npz --out $OUT")
	list = files("hostile.safetensors", safetensorstest.Hostile())
	refuseThrough(t, first(list), buildOperator+"hostile.safetensors")
}

// operatorBytes is a .npy, or safetensors with names.
func operatorBytes(t *testing.T, list ...*onnx.Tensor) []byte {
	t.Helper()
	if list[0].Name == "" {
		var b bytes.Buffer
		if err := dataset.WriteNpy(&b, list[0]); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	data, err := safetensors.Encode(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Files that are whole, and no operators.
func TestHostileOperators(t *testing.T) {
	of := func(name string, v []float64, dims ...int64) *onnx.Tensor {
		x := onnx.FromSlice(v, dims...)
		x.Name = name
		return x
	}
	four := []float64{1, 2, 3, 4}
	w := of("W", four, 1, 4)
	var npy, st []limitstest.Case
	for _, c := range []struct {
		what string
		x    *onnx.Tensor
		want string
	}{
		{"NaN", of("", []float64{1, math.NaN(), 3, 4}, 1, 4), "row 0, column 1 of the operator is NaN"},
		{"infinity", of("", []float64{1, 2, 3, math.Inf(-1)}, 1, 4), "row 0, column 3 of the operator is -Inf"},
		{"beyond float32", of("", []float64{1, 2, 3, 1e39}, 1, 4), "row 0, column 3 of the operator is 1e+39"},
		{"far too large", of("", []float64{1e30, 2, 3, 4}, 1, 4), "norm 1e+30"},
		{"far too small", of("", []float64{1e-30, 0, 0, 0}, 1, 4), "norm 1e-30"},
		{"no square", of("", four[:3], 1, 3), "square patch"},
		{"no rows", of("", nil, 0, 4), "wants [rows, pixels of a patch]"},
		{"no columns", of("", nil, 4, 0), "wants [rows, pixels of a patch]"},
		{"one axis", of("", four, 4), "wants [rows, pixels of a patch]"},
		{"a number", of("", four[:1]), "wants [rows, pixels of a patch]"},
		{"filters that are no squares", of("", four, 1, 1, 4), "wants [rows, pixels of a patch]"},
		{"too many rows", of("", make([]float64, 4097), 4097, 1), "an operator of 4097x1"},
	} {
		npy = append(npy, limitstest.Case{ID: "N10", What: c.what, Bytes: operatorBytes(t, c.x), Want: c.want})
	}
	for _, c := range []struct {
		what string
		x    []*onnx.Tensor
		want string
	}{
		{"beta NaN", []*onnx.Tensor{w, of("beta", []float64{math.NaN()})}, "beta is NaN"},
		{"beta infinite", []*onnx.Tensor{w, of("beta", []float64{math.Inf(1)}, 1)}, "beta is +Inf"},
		{"beta negative", []*onnx.Tensor{w, of("beta", []float64{-1})}, "beta is -1"},
		{"two betas", []*onnx.Tensor{w, of("beta", four, 4)}, "wants one number"},
		{"no W", []*onnx.Tensor{of("w", four, 1, 4), of("v", four, 1, 4)}, "has no tensor W"},
	} {
		st = append(st, limitstest.Case{ID: "S10", What: c.what, Bytes: operatorBytes(t, c.x...), Want: c.want})
	}
	refuseThrough(t, files("hostile.npy", npy), buildOperator+"hostile.npy")
	refuseThrough(t, files("hostile.safetensors", st), buildOperator+"hostile.safetensors")
	refuseThrough(t, files("hostile.npy", []limitstest.Case{{ID: "N10", What: "filters too large", Bytes: operatorBytes(t, of("", make([]float64, 256), 1, 256)), Want: "filters of 16 pixels a side"},
		{ID: "N10", What: "filters too small", Bytes: operatorBytes(t, of("", four[:1], 1, 1)), Want: "filters of 1 pixels a side"}}),
		"build analysis-filters --set beta=1 --out $OUT.onnx --operator $DIR/hostile.npy")
}

func TestHostileOperatorJSON(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	var cases []limitstest.Case
	for _, c := range []struct{ id, what, text, want string }{
		{"Y11", "deep", deep, "nested more than 32 deep"},
		{"Y11", "deep in an object", `{"W":` + deep, "nested more than 32 deep"},
		{"Y11", "deep objects", strings.Repeat(`{"W":`, 20_000), "stands where an array"},
		{"Y09", "NaN", `[[NaN, 1, 2, 3]]`, "is no JSON"},
		{"Y09", "NaN as a word", `[["NaN", 1, 2, 3]]`, "row 0, column 0 of the operator is NaN"},
		{"Y09", "1e400", `[[1, 1e400, 2, 3]]`, `"1e400" is no number`},
		{"Y09", "infinity", `{"W": [["-Infinity", 1, 2, 3]], "beta": 1}`, "row 0, column 0 of the operator is -Inf"},
		{"Y09", "beta NaN", `{"W": [[0, 1, 2, 3]], "beta": "NaN"}`, "beta is NaN"},
		{"Y09", "beta 1e400", `{"W": [[0, 1, 2, 3]], "beta": 1e400}`, `"1e400" is no number`},
		{"Y04", "W twice", `{"W": [[1, 2, 3, 4]], "W": [[1, 2, 3, 5]]}`, `has "W" twice`},
		{"Y04", "beta twice", `{"W": [[1, 2, 3, 4]], "beta": 1, "beta": 2}`, `has "beta" twice`},
		{"Y04", "w", `{"w": [[1, 2, 3, 4]]}`, `has "w", which is no input`},
		{"Y09", "ragged", `[[1, 2, 3, 4], [1, 2, 3]]`, "arrays of one level have the dims"},
		{"Y09", "ragged deeper", `[[1, 2, 3, [4]]]`, "arrays of one level have the dims"},
		{"Y09", "no rows", `{"W": [], "beta": 1}`, "wants [rows, pixels of a patch]"},
		{"Y09", "no columns", `{"W": [[], []], "beta": 1}`, "wants [rows, pixels of a patch]"},
		{"Y09", "too many columns", `[[0` + strings.Repeat(",0", 5183) + `]]`, "an operator of 1x5184"},
		{"Y09", "beta of two", `{"W": [[1, 2, 3, 4]], "beta": [1, 2]}`, "wants one number"},
		{"Y09", "words", `[["a", 1, 2, 3]]`, "stands for a number"},
		{"Y09", "null", `{"W": null}`, "null is no element"},
		{"Y10", "BOM", "\xef\xbb\xbf[[1, 2, 3, 4]]", "is no JSON"},
		{"Y10", "UTF-16", "\xff\xfe[\x00]\x00", "UTF-8"},
		{"Y09", "cut short", `{"W": [[1, 2`, "ends too early"},
		{"Y09", "something behind", `[[1, 2, 3, 4]] 5`, "behind the JSON value"},
	} {
		cases = append(cases, limitstest.Case{ID: c.id, What: c.what, Bytes: []byte(c.text), Want: c.want})
	}
	refuseThrough(t, files("hostile.json", cases), buildOperator+"hostile.json")
}

// What operators are learned from: text of numbers, and pictures.
func TestHostileSignals(t *testing.T) {
	var cases []limitstest.Case
	for _, c := range []struct{ id, what, text, want string }{
		{"Y09", "1e400", "1,2\n3,1e400\n", "line 2, column 2"},
		{"Y09", "NaN", "1,2\n3,NaN\n", "row 1, column 1: is NaN"},
		{"Y09", "ragged", "1,2\n3\n", "line 2: 1 numbers, the first line has 2"},
		{"Y09", "one column", "1\n2,\n", "line 2|no CSV"},
		{"Y05", "a line of seventeen megabytes", "1,2\n" + strings.Repeat("3", 17<<20), "line 2: has more than 4194304 bytes"},
		{"Y10", "UTF-16", "\xff\xfe1\x002\x00", "no CSV"},
		{"O23", "names", "1,2\n3,\x1b[2J\n", `"\x1b[2J" is no number`},
	} {
		cases = append(cases, limitstest.Case{ID: c.id, What: c.what, Bytes: []byte(c.text), Want: c.want})
	}
	refuseThrough(t, files("hostile.csv", cases), "learn-operator $DIR/hostile.csv --out $OUT")
	for _, c := range datasettest.HostileImages(t) {
		if strings.HasPrefix(c.What, "max.") || strings.HasPrefix(c.What, "magic.") {
			h := hostile{id: c.Name(), says: c.Want + "|is cut short", read: len(c.Bytes), make: func(t testing.TB, folder string) {
				pictured(t, folder)
				file(c.What, c.Bytes)(t, folder)
			}}
			line := fmt.Sprintf("learn-operator $DIR/%s --out $OUT", c.What)
			if ending := filepath.Ext(c.What); ending == ".gif" || ending == ".heic" {
				h.says = c.What
			}
			refuseThrough(t, []hostile{h}, line)
		}
	}
}
