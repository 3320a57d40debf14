package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
)

// TestLoadExternalTold: whoever loads a model can learn what it keeps in which file.
func TestLoadExternalTold(t *testing.T) {
	g := onnx.NewGraph("two")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 256))
	first, second := onnx.NewTensor(onnx.Float, 256), onnx.NewTensor(onnx.Float, 256)
	second.Float32s()[0] = 1
	sum := g.Add("Add", []*onnx.Value{x, g.AddInitializer("a", first)}, 1).Output(0)
	y := g.Add("Add", []*onnx.Value{sum, g.AddInitializer("b", second)}, 1).Output(0)
	y.Type = x.Type
	g.AddOutput(y, "y")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	path := filepath.Join(t.TempDir(), "two.onnx")
	if err := m.SaveAs(path, onnx.SaveOptions{Weights: onnx.OneFile}); err != nil {
		t.Fatal(err)
	}
	var told []string
	_, err := onnx.Load(path, onnx.LoadOptions{External: func(location string, offset, length int64) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), location)); err != nil {
			t.Error(err)
		}
		told = append(told, fmt.Sprint(length))
	}})
	if err != nil || !slices.Equal(told, []string{"1024", "1024"}) {
		t.Errorf("%v, %v", told, err)
	}
}
