package training_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// slope fits a line through three points.
func slope(options runtime.Options) (float32, error) {
	g := onnx.NewGraph("line")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 3, 1))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 1, 1))
	g.AddOutput(b.MatMul(x, w), "y")
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}

	step, err := training.NewStep(model, training.StepConfig{Loss: loss.MSE, Optimizer: optim.SGD(optim.SGDConfig{})})
	if err != nil {
		return 0, err
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return model.Graph.Lookup(name).Const })
	if err != nil {
		return 0, err
	}
	batch := map[string]*onnx.Tensor{
		"x":                  onnx.FromSlice([]float32{1, 2, 3}, 3, 1),
		training.InputTarget: onnx.FromSlice([]float32{2, 4, 6}, 3, 1),
	}
	loop := training.Loop{Step: step, Session: options,
		Rate: func(int64) float64 { return 0.05 },
		Feed: func(int64) map[string]*onnx.Tensor { return batch }}
	end, err := loop.Run(context.Background(), step.NewSnapshot(start, nil), 100, 0, nil)
	if err != nil {
		return 0, err
	}
	return end.Trained.Float32s()[0], nil
}

func Example() {
	w, err := slope(runtime.Options{})
	fmt.Println(w, err) // 2 <nil>
}

// TestExample runs what Example shows.
func TestExample(t *testing.T) {
	if w, err := slope(runtimetest.Options(t)); err != nil || math.Abs(float64(w)-2) > 1e-5 {
		t.Errorf("slope %g: %v", w, err)
	}
}
