package training_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
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

// ExampleNewArtifacts makes the artifacts of a classifier.
func ExampleNewArtifacts() {
	g := onnx.NewGraph("classifier")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 4}}})
	g.AddOutput(b.MatMul(x, g.AddInitializer("w", onnx.NewTensor(onnx.Float, 4, 3))), "logits")
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}

	objective, err := loss.New("cross-entropy", map[string]float64{"label-smoothing": 0.1})
	if err != nil {
		fmt.Println(err)
		return
	}
	artifacts, err := training.NewArtifacts(model, training.ArtifactConfig{Loss: objective, Optimizer: optim.Adam(optim.AdamConfig{}), ClipNorm: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range artifacts.Training.Graph.Inputs() {
		fmt.Println(v.Name, v.Type)
	}
	// Output:
	// x float [batch 4]
	// labels int64 [batch]
	// w float [4 3]
	// w_grad.accumulation.buffer float [4 3]
	// lazy_reset_grad bool [1]
}

// Example_artifacts is graft artifacts, graft train and graft export in Go: a line through three points.
func Example_artifacts() {
	dir, err := os.MkdirTemp("", "artifacts")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := fitLine(dir); err != nil {
		fmt.Println(err)
		return
	}
	model, err := training.TrainedModel{}.Read(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f", model.Graph.Lookup("w").Const.Float32s())
	// Output: [2.000]
}

// fitLine writes artifacts to dir and trains them.
func fitLine(dir string) error {
	g := onnx.NewGraph("line")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 1}}})
	g.AddOutput(b.MatMul(x, g.AddInitializer("w", onnx.NewTensor(onnx.Float, 1, 1))), "y")
	model := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}

	objective, err := loss.Lookup("mse")
	if err != nil {
		return err
	}
	optimizer, err := optim.New("heavy-ball", map[string]float64{"momentum": 0.5})
	if err != nil {
		return err
	}
	artifacts, err := training.NewArtifacts(model, training.ArtifactConfig{Loss: objective, Optimizer: optimizer})
	if err != nil {
		return err
	}
	if err := artifacts.Write(dir); err != nil {
		return err
	}

	step, _, err := training.OpenArtifacts(dir)
	if err != nil {
		return err
	}
	checkpoint := filepath.Join(dir, training.CheckpointDir)
	state, err := step.LoadCheckpoint(checkpoint, nil, nil)
	if err != nil {
		return err
	}
	batch := map[string]*onnx.Tensor{
		"x":                  onnx.FromSlice([]float32{1, 2, 3}, 3, 1),
		training.InputTarget: onnx.FromSlice([]float32{2, 4, 6}, 3, 1),
	}
	loop := training.Loop{Step: step,
		Rate: func(int64) float64 { return 0.05 },
		Feed: func(int64) map[string]*onnx.Tensor { return batch }}
	if state, err = loop.Run(context.Background(), state, 100, 0, nil); err != nil {
		return err
	}
	return step.SaveCheckpoint(checkpoint, state, nil)
}

// TestMain leaves the example that trains out where there is no ONNX Runtime, as tests are.
func TestMain(m *testing.M) {
	flag.Parse()
	err := runtime.Supported()
	if err == nil {
		_, err = runtime.FindLibrary(runtime.Options{})
	}
	if skip := flag.Lookup("test.skip"); err != nil && os.Getenv("ORT_REQUIRED") != "1" && skip.Value.String() == "" {
		if err := flag.Set("test.skip", "^Example_artifacts$"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
