package rewrite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestModelFolder inlines, upgrades and folds every model in the folder $GRAFT_MODELS and holds what it gives on made-up
// inputs to what the file gives.
func TestModelFolder(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_MODELS") == "" || len(files) == 0 {
		t.Skip("GRAFT_MODELS names no folder with models")
	}
	o := runtimetest.Options(t)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnx.Load(path, onnx.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			data, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			feeds, err := runtime.Sample(m.Graph, 1, nil)
			if err != nil {
				t.Skip(err)
			}
			want, err := run(data, feeds, o)
			if err != nil {
				t.Skip(err)
			}
			if err := rewrite.Inline(m); err != nil {
				t.Fatal(err)
			}
			if err := rewrite.Upgrade(m); err != nil {
				t.Fatal(err)
			}
			m.Graph.UnlistInitializers()
			if err := op.InferGraph(m.Graph); err != nil {
				t.Skip(err)
			}
			before := len(m.Graph.Nodes())
			made, err := rewrite.Fold(m.Graph, rewrite.Folding{Keep: func(v *onnx.Value) bool { return v.Const == nil || v.Const.DType.IsFloat() }})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d nodes, %d made by folding: %d nodes", before, made, len(m.Graph.Nodes()))
			m.Graph.AssignNames()
			if data, err = m.Encode(); err != nil {
				t.Fatal(err)
			}
			got, err := run(data, feeds, o)
			if err != nil {
				t.Fatal(err)
			}
			for name, w := range want {
				onnxtest.Close(t, got[name], w, 1e-4, 1e-4)
			}
		})
	}
}

func run(model []byte, feeds map[string]*onnx.Tensor, o runtime.Options) (map[string]*onnx.Tensor, error) {
	s, err := runtime.Open(model, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(context.Background(), feeds)
}

// evaluator computes constants by ONNX Runtime, as graft simplify does.
func evaluator(o runtime.Options) func(m *onnx.Model) ([]*onnx.Tensor, error) {
	return func(m *onnx.Model) ([]*onnx.Tensor, error) {
		m.Graph.AssignNames()
		data, err := m.Encode()
		if err != nil {
			return nil, err
		}
		got, err := run(data, nil, o)
		if err != nil {
			return nil, err
		}
		list := make([]*onnx.Tensor, len(m.Graph.Outputs()))
		for i, v := range m.Graph.Outputs() {
			list[i] = got[v.Name]
		}
		return list, nil
	}
}

// BenchmarkSimplifyFolder reads, simplifies and encodes every model in the folder $GRAFT_MODELS, from memory to memory.
// compare_simplify.py --function runs it beside OnnxSlim.
func BenchmarkSimplifyFolder(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_MODELS") == "" || len(files) == 0 {
		b.Skip("GRAFT_MODELS names no folder with models")
	}
	evaluate := evaluator(runtimetest.Options(b))
	for _, path := range files {
		b.Run(strings.TrimSuffix(filepath.Base(path), ".onnx"), func(b *testing.B) {
			data, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			var inside time.Duration
			for b.Loop() {
				m, err := onnx.Decode(data)
				if err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				if r := rewrite.Simplify(m, rewrite.Simplifying{MaxBytes: max(rewrite.DefaultFold, int64(len(data))), Evaluate: evaluate}); len(r.Skipped) > 0 {
					b.Fatal(r.Skipped)
				}
				inside += time.Since(start)
				if _, err := m.Encode(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(inside.Nanoseconds())/float64(b.N), "simplify-ns/op")
		})
	}
}
