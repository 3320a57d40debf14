package training_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/ort"
)

// ortBatch is the batch of training/ort/testdata/make.py.
func ortBatch(step int64) (x, labels, target *onnx.Tensor) {
	x, labels, target = onnx.NewTensor(onnx.Float, 6, 4), onnx.NewTensor(onnx.Int64, 6), onnx.NewTensor(onnx.Float, 6, 3)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32((int64(i)*7+step*5)%16-8) / 8
	}
	for i := range labels.Int64s() {
		labels.Int64s()[i] = (int64(i) + step) % 3
		target.Float32s()[int64(3*i)+labels.Int64s()[i]] = 1
	}
	return x, labels, target
}

// Ten steps were taken by ONNX Runtime 1.19, which also took the next ten: graft's have the same losses.
func TestGoOnFromORT(t *testing.T) {
	for name, optimizer := range map[string]string{"mlp": "adamw-late", "mse": "sgd"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("ort", "testdata", name)
			load := func(file string) *onnx.Model {
				m, err := onnx.Load(filepath.Join(dir, file), onnx.LoadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			state, err := ort.ReadCheckpoint(filepath.Join(dir, "checkpoint"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := ort.NewForward(load(training.TrainingFile), state)
			if err != nil {
				t.Fatal(err)
			}
			o, err := ort.NewOptimizer(load(training.OptimizerFile))
			if err != nil {
				t.Fatal(err)
			}
			if o.Name != optimizer {
				t.Errorf("optimizer %s", o.Name)
			}
			begin := &training.Beginning{Updates: state.Groups[0].Step, Slots: state.Groups[0].Slots}
			a := artifacts(t, f.Model, training.ArtifactConfig{Loss: f.Loss, Optimizer: o.Optimizer, Begin: begin, Train: regexp.MustCompile(`^(?:fc1\.weight|fc2\.weight|fc2\.bias)$`)})
			folder := t.TempDir()
			if err := a.Write(folder); err != nil {
				t.Fatal(err)
			}
			step, contract, err := training.OpenArtifacts(folder)
			if err != nil {
				t.Fatal(err)
			}
			if contract.Output != "output" || len(contract.Parameters) != 3 || len(contract.Inputs) != 1 || strings.Join(contract.Frozen, " ") != "fc1.bias" {
				t.Errorf("contract: output %s, %d parameters, inputs %v, frozen %v", contract.Output, len(contract.Parameters), contract.Inputs, contract.Frozen)
			}
			snap, err := step.LoadCheckpoint(filepath.Join(folder, training.CheckpointDir), nil, nil)
			if err != nil || snap.Steps != 10 {
				t.Fatalf("snapshot %v, %v", snap, err)
			}
			if !same(snap, a.Start()) {
				t.Error("the checkpoint is not where the artifacts start")
			}
			data, err := os.ReadFile(filepath.Join(dir, "losses.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want []float64
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			largest := 0.0
			l := &training.Loop{Step: step, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 0.02 },
				Feed: func(step int64) map[string]*onnx.Tensor {
					x, labels, target := ortBatch(step)
					if name == "mse" {
						return map[string]*onnx.Tensor{"x": x, training.InputTarget: target}
					}
					return map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
				},
				Each: func(p training.Progress) error {
					largest = max(largest, math.Abs(p.Loss-want[p.Step-1]))
					return nil
				}}
			if _, err := l.Run(t.Context(), snap, 20, 0, nil); err != nil {
				t.Fatal(err)
			}
			if t.Logf("the losses of steps 11 to 20 differ by %.2g at most", largest); largest > 2e-6 {
				t.Errorf("the losses differ by %g", largest)
			}
		})
	}
}

func TestBeginningRefusals(t *testing.T) {
	config := find(t, "mse", "adam")
	config.Begin = &training.Beginning{Updates: 3, Slots: map[string]*onnx.Tensor{"w.momentum0": onnx.NewTensor(onnx.Float, 3, 4)}}
	if _, err := training.NewArtifacts(twoHeads(t), config); err == nil || !strings.Contains(err.Error(), `has no momentum0 of "a"`) {
		t.Error(err)
	}
	config.Begin.Slots["w.momentum0"] = onnx.NewTensor(onnx.Float, 4, 3)
	if _, err := training.NewArtifacts(twoHeads(t), config); err == nil || !strings.Contains(err.Error(), `momentum0 of "w" is float [4 3], the parameter is float [3 4]`) {
		t.Error(err)
	}
}
