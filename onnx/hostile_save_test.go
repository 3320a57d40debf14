//go:build unix

package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestHostileW01SavedInline re-saves a model with weights in another file: the file is read, never written.
func TestHostileW01SavedInline(t *testing.T) {
	dir := modelDir(t)
	victim := filepath.Join(dir, "..", "secret")
	m := identityModel(externalTensor("w", []int64{4}, "location", "../secret"))
	_, err := loadIn(t, dir, m, LoadOptions{})
	mustRefuse(t, err, "outside")
	before, _ := os.ReadFile(victim)
	got, err := loadIn(t, dir, m, LoadOptions{AllowExternal: []string{filepath.Dir(victim)}})
	if err != nil {
		t.Fatal(err)
	}
	View[float32](got.Graph.Lookup("w").Const)[0] = 42
	if err := got.Save(filepath.Join(dir, "out.onnx")); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(victim); !bytes.Equal(before, after) {
		t.Error("the data file changed")
	}
	again, err := Load(filepath.Join(dir, "out.onnx"), LoadOptions{})
	if err != nil || again.Graph.Lookup("w").Const.Float32s()[0] != 42 {
		t.Errorf("%v", err)
	}
}

// TestHostileW02HardLinkedOutput saves over a file that has another name: the other name keeps its content.
func TestHostileW02HardLinkedOutput(t *testing.T) {
	dir := modelDir(t)
	victim, out := filepath.Join(dir, "..", "secret"), filepath.Join(dir, "out.onnx")
	if err := os.Link(victim, out); err != nil {
		t.Fatal(err)
	}
	if err := mustDecode(t, marshal(t, goodModel())).Save(out); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(victim); !bytes.Equal(data, make([]byte, 1024)) {
		t.Error("the other name changed")
	}
}

// TestHostileW03PlantedLink saves where a link to a victim was planted: the link is replaced.
func TestHostileW03PlantedLink(t *testing.T) {
	dir := modelDir(t)
	out := filepath.Join(dir, "out.onnx")
	link(t, "../secret", out)
	if err := mustDecode(t, marshal(t, goodModel())).Save(out); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "..", "secret")); !bytes.Equal(data, make([]byte, 1024)) {
		t.Error("the victim changed")
	}
	if info, err := os.Lstat(out); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v %v", info, err)
	}
}

func TestHostileW05OutputIsInput(t *testing.T) {
	dir := modelDir(t)
	m, err := loadIn(t, dir, goodModel(), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, LoadOptions{}); err != nil {
		t.Error(err)
	}
}

func TestSaveNeedsRoom(t *testing.T) {
	m := mustDecode(t, marshal(t, goodModel()))
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none", "out.onnx"), t.TempDir()} {
		if err := m.Save(path); err == nil {
			t.Errorf("saved to %q", path)
		}
	}
}
