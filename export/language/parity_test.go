package language

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// tolerance is the largest difference of a number from transformers' in float32.
const tolerance = 1e-4

// goldens are the folders that testdata/peers/language.py made.
func goldens(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*/golden.safetensors")
	if err != nil || len(list) < 15 {
		t.Fatalf("%d goldens, %v", len(list), err)
	}
	for i, path := range list {
		list[i] = filepath.Base(filepath.Dir(path))
	}
	return list
}

func golden(t testing.TB, name string) map[string]*onnx.Tensor {
	t.Helper()
	list, _, err := safetensors.ReadFile(filepath.Join("testdata", name, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*onnx.Tensor{}
	for _, w := range list {
		out[w.Name] = w
	}
	return out
}

func open(t testing.TB, path string) *Source {
	t.Helper()
	s, err := OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func session(t testing.TB, m *onnx.Model) *runtime.Session {
	t.Helper()
	return runtimetest.Open(t, m, runtimetest.Options(t))
}

func run(t testing.TB, s *runtime.Session, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	out, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// feedsOf are the golden tensors that a model reads, and empty caches.
func feedsOf(m *onnx.Model, g map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	feeds := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		if feeds[v.Name] = g[v.Name]; feeds[v.Name] == nil {
			s := v.Type.Shape
			feeds[v.Name] = onnx.NewTensor(onnx.Float, g["input_ids"].Dims[0], s[1].Size, 0, s[3].Size)
		}
	}
	return feeds
}

// far is the largest difference in rows of tokens that count, and in everything that has no row a token.
func far(t testing.TB, got, want, mask *onnx.Tensor) (worst float64) {
	t.Helper()
	if !got.Shape().Equal(want.Shape()) {
		t.Fatalf("%v, want %v", got.Type(), want.Type())
	}
	rows := int64(len(mask.Int64s()))
	width := want.Len() / rows
	for i, w := range want.Float32s() {
		if len(want.Dims) == 3 && mask.Int64s()[int64(i)/width] == 0 {
			continue
		}
		d := math.Abs(float64(got.Float32s()[i] - w))
		if worst = max(worst, d); math.IsNaN(d) {
			return d
		}
	}
	return worst
}

// TestParity holds the models of testdata/peers/language.py against what transformers computes.
func TestParity(t *testing.T) {
	for _, name := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join("testdata", name))
			m, err := s.Model(s.Options)
			if err != nil {
				t.Fatal(err)
			}
			g := golden(t, name)
			out := run(t, session(t, m), feedsOf(m, g))
			for _, v := range m.Graph.Outputs() {
				if strings.HasPrefix(v.Name, "present.") {
					continue
				}
				if g[v.Name] == nil {
					t.Fatalf("no golden of %s", v.Name)
				}
				if d := far(t, out[v.Name], g[v.Name], g["attention_mask"]); !(d < tolerance) {
					t.Errorf("%s differs by %g", v.Name, d)
				} else {
					t.Logf("%s differs by %.2g", v.Name, d)
				}
			}
		})
	}
}
