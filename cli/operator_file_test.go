package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training/dataset"
)

// TestReadOperator reads one operator in every form, and says what is none.
func TestReadOperator(t *testing.T) {
	values := []float64{-1, 1, 0, 0, 0, 0, -1, 1}
	named := func(name string, t *onnx.Tensor) *onnx.Tensor { t.Name = name; return t }
	npy := func(x *onnx.Tensor) []byte {
		var b bytes.Buffer
		if err := dataset.WriteNpy(&b, x); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	st := func(list ...*onnx.Tensor) []byte {
		data, err := safetensors.Encode(list, nil)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	w := func(dims ...int64) *onnx.Tensor { return named("W", onnx.FromSlice(values, dims...)) }
	beta := named("beta", onnx.FromSlice([]float64{0.25}))
	for _, c := range []struct {
		name  string
		data  []byte
		beta  float64 // 0: none
		fails bool
	}{
		{"a.npy", npy(w(2, 4)), 0, false},
		{"b.npy", npy(w(2, 2, 2)), 0, false},
		{"c.npy", npy(w(2, 1, 2, 2)), 0, false},
		{"d.npy", npy(w(8)), 0, true},
		{"e.npy", npy(w(1, 2, 2, 2)), 0, true},
		{"f.safetensors", st(w(2, 4), beta), 0.25, false},
		{"g.safetensors", st(named("other", w(2, 4))), 0, false},
		{"h.safetensors", st(named("other", w(2, 4)), beta), 0, true},
		{"i.safetensors", st(w(2, 4), named("beta", onnx.FromSlice([]float64{1, 2}))), 0, true},
		{"j.json", []byte(`{"W": [[-1, 1, 0, 0], [0, 0, -1, 1]], "beta": 0.25}`), 0.25, false},
		{"k.json", []byte(`[[-1, 1, 0, 0], [0, 0, -1, 1]]`), 0, false},
		{"l.json", []byte(`{"beta": 0.25}`), 0, true},
		{"m.json", []byte(`{"W": [[1, 2], [3]]}`), 0, true},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		o, beta, err := readOperator(path)
		switch {
		case c.fails:
			if err == nil {
				t.Errorf("%s: read as %v", c.name, o)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case o.Rows != 2 || o.Columns != 4 || !slices.Equal(o.W, values) || o.Origin != c.name:
			t.Errorf("%s: %+v", c.name, o)
		case (beta != nil) != (c.beta != 0) || beta != nil && *beta != c.beta:
			t.Errorf("%s: beta %v, want %v", c.name, beta, c.beta)
		}
	}
}
