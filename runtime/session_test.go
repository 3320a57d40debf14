package runtime_test

import (
	"context"
	"testing"

	"graft/onnx"
	"graft/runtime"
)

func TestRun(t *testing.T) {
	s, err := runtime.Open(addOne(3), runtime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s.Inputs(), s.Outputs())
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{1, 2, 3})})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out["y"].Float32s())
}
