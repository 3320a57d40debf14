package training_test

import (
	"context"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/safetensors"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// gradient is an optimizer whose next parameters are the gradient.
func gradient() optim.Optimizer {
	return optim.Optimizer{Name: "gradient", Update: func(_ *op.Builder, _, g *onnx.Value, _ []*onnx.Value, _, _ *onnx.Value) (*onnx.Value, []*onnx.Value) {
		return g, nil
	}}
}

// TestGoldenGradients holds output, loss and gradients of the hourglass to PyTorch's in float64, made by
// testdata/peers/goldens.py.
func TestGoldenGradients(t *testing.T) {
	const path = "../testdata/goldens/hourglass_tiny.safetensors"
	list, _, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string]*onnx.Tensor{}
	for _, v := range list {
		golden[v.Name] = narrow(v)
	}
	m, err := graphs.Hourglass{Channels: []int64{4, 4}, DownKernel: 5, UpKernel: 3, In: 3, Height: 16, Width: 16}.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]*onnx.Tensor{"z": golden["z"], training.InputTarget: golden["target"]}
	for name, constants := range map[string]map[string]*onnx.Tensor{"inputs": nil, "constants": constants} {
		t.Run(name, func(t *testing.T) {
			step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: gradient(), Constants: constants})
			if err != nil {
				t.Fatal(err)
			}
			weights, err := step.Packing.Pack(func(name string) *onnx.Tensor { return golden["param/"+name] })
			if err != nil {
				t.Fatal(err)
			}
			s := runtimetest.Open(t, step.Model, runtimetest.OneThread(t))
			all := map[string]*onnx.Tensor{"z": golden["z"], training.InputTarget: golden["target"], training.InputTrained: weights,
				training.InputRate: onnx.NewTensor(onnx.Float, 1), training.InputStep: onnx.NewTensor(onnx.Int64, 1)}
			feeds := map[string]*onnx.Tensor{}
			for _, in := range s.Inputs() {
				feeds[in.Name] = all[in.Name]
			}
			out, err := s.Run(context.Background(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			onnxtest.Close(t, out[step.Output], golden["output"], 1e-5, 0)
			onnxtest.Close(t, flat(out[training.OutputLoss]), flat(golden["loss"]), 0, 1e-5)
			for _, g := range step.Packing.Unpack(out[training.InputTrained+".next"]) {
				want := golden["grad/"+g.Name]
				if want == nil {
					t.Errorf("no golden gradient of %s", g.Name)
					continue
				}
				largest := float32(0)
				for _, v := range want.Float32s() {
					largest = max(largest, v, -v)
				}
				if err := onnxtest.Compare(g, want, 1e-4*float64(largest)+1e-7, 0); err != nil {
					t.Errorf("gradient of %s: %v", g.Name, err)
				}
			}
		})
	}
}

// narrow is a float64 tensor in float32.
func narrow(v *onnx.Tensor) *onnx.Tensor {
	out := onnx.NewTensor(onnx.Float, v.Dims...)
	for i, x := range onnx.View[float64](v) {
		out.Float32s()[i] = float32(x)
	}
	return out
}

// flat is a tensor of one dimension.
func flat(v *onnx.Tensor) *onnx.Tensor { return onnx.FromSlice(v.Float32s(), int64(v.Len())) }
