package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSaveExternal(t *testing.T) {
	m := mustParse(t, `<ir_version: 10, opset_import: ["" : 21]> g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add (x, w) }`)
	for i, name := range []string{"a", "b"} {
		big := NewTensor(Float, 1000)
		for k := range View[float32](big) {
			View[float32](big)[k] = float32(i*1000 + k)
		}
		m.Graph.AddInitializer(name, big)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.SaveExternal(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path + "_data")
	if err != nil || info.Size() != 4096+4000 {
		t.Errorf("data file: %v %v", info, err)
	}
	got, err := Load(path, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := m.Encode()
	second, _ := got.Encode()
	if !bytes.Equal(first, second) {
		t.Error("what is read differs from what was written")
	}
	data, _ := os.ReadFile(path)
	_, err = Decode(data)
	mustRefuse(t, err, "no folder")
}
