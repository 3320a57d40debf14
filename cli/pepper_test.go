package cli

import (
	"os"
	"path/filepath"
	"testing"

	"graft/export"
	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training/oes"
)

// sharedData is a file among the data beside the module's folder, or beside one above it; the test is skipped without it.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "shared", "data", filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path
		}
		dir = filepath.Dir(dir)
	}
	t.Skipf("needs ../shared/data/%s", name)
	return ""
}

// TestPublishedMask puts the mask that the authors of Optimal Eye Surgeon learned for the photo of peppers on their network
// and compacts it. Every parameter is non-zero before.
func TestPublishedMask(t *testing.T) {
	path := sharedData(t, "denoiser/oes_mask_pepper.pkl")
	m, err := graphs.Hourglass{Height: 192, Width: 192}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Initializers() {
		noise.Uniform(v.Const.Float32s(), noise.NewKey(2, v.Name, 0))
		for i, u := range v.Const.Float32s() {
			v.Const.Float32s()[i] = (u - 0.4999999) * 0.2
		}
	}
	set, err := loadMask(path, m.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if set.Kept() != 150_443 || set.Total() != 3_008_867 {
		t.Fatalf("%d of %d kept", set.Kept(), set.Total())
	}
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
	compact := m.Clone()
	done, err := masking.Compact(compact.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if done.Before != 3_008_867 || done.After != 1_014_155 {
		t.Errorf("%d parameters became %d, want 1,014,155", done.Before, done.After)
	}
	feeds := map[string]*onnx.Tensor{"z": oes.NewZ(3, 1, 32, 192, 192)}
	diff, err := export.Verify(t.Context(), m, compact, feeds, export.Tolerance{Absolute: 1e-5}, runtimetest.Options(t))
	if err != nil {
		t.Error(err)
	}
	t.Logf("largest difference %.3g", diff)
}
