package dataset

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// TestReadMatrix reads rows of numbers in every form, and says what is none.
func TestReadMatrix(t *testing.T) {
	npy := func(x *onnx.Tensor) string {
		var b bytes.Buffer
		if err := WriteNpy(&b, x); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, c := range []struct{ name, data, refusal string }{
		{"a.csv", "1,2.5,-3\n4,5e-1,6\n", ""},
		{"b.csv", "\ufeffu,v,w\n1,2.5,-3\n4, 0.5,6", ""},
		{"c.tsv", "1\t2.5\t-3\n4\t0.5\t6\n", ""},
		{"d.csv", "1;2.5;-3\n4;0.5;6\n", ""},
		{"e.npy", npy(onnx.FromSlice([]float64{1, 2.5, -3, 4, 0.5, 6}, 2, 3)), ""},
		{"f.npy", npy(onnx.FromSlice([]float32{1, 2.5, -3, 4, 0.5, 6}, 2, 3)), ""},
		{"ragged.csv", "1,2,3\n4,5\n", "line 2: 2 numbers, the first line has 3"},
		{"word.csv", "1,2,3\n4,five,6\n", `line 2, column 2: "five" is no number`},
		{"first.csv", "1,two,3\n4,5,6\n", `line 1, column 2: "two" is no number`},
		{"first large.csv", "1e400,u,v\n4,5,6\n", "line 1, column 1"},
		{"large.csv", "1,2,3\n4,1e400,6\n", "1e400"},
		{"nan.csv", "1,2,3\n4,NaN,6\n", "row 1, column 1: is NaN"},
		{"inf.npy", npy(onnx.FromSlice([]float64{1, math.Inf(1)}, 1, 2)), "row 0, column 1: is +Inf"},
		{"header.csv", "a,b,c\n", "no row of numbers"},
		{"flat.npy", npy(onnx.FromSlice([]float64{1, 2}, 2)), "[rows, numbers of a row]"},
		{"deep.npy", npy(onnx.FromSlice([]float64{1, 2}, 1, 2, 1)), "[rows, numbers of a row]"},
		{"empty.npy", npy(onnx.FromSlice([]float64{}, 0, 3)), "[rows, numbers of a row]"},
		{"words.csv", "\x00\x01", "is no .npy, .npz or safetensors file, and no CSV"},
		{"quote.csv", "1,2\n\"3,4\n", "line"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := ReadMatrix(path)
		switch {
		case c.refusal != "":
			if err == nil || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%s: %v, %v, want ...%s...", c.name, m, err, c.refusal)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case !slices.Equal(m.Dims, []int64{2, 3}) || !slices.Equal(onnx.Read[float64](m), []float64{1, 2.5, -3, 4, 0.5, 6}):
			t.Errorf("%s: %v, %v", c.name, m.Dims, onnx.Read[float64](m))
		}
	}
	if _, err := ReadMatrix(t.TempDir()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := ReadMatrix(filepath.Join(t.TempDir(), "none.npy")); err == nil {
		t.Error("read a file that is not there")
	}
}
