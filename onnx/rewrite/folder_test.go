package rewrite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

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
