package training_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/safetensors"
	"graft/training"
)

// TestGoldenBlocks holds the training form of blocks that PyTorch has exported to its loss, gradients and running means in
// float64, made by testdata/peers/goldens_blocks.py. A gradient may be off by 1e-5 of its largest value, or by 3e-6 of the
// block's largest: some are small sums of large terms.
func TestGoldenBlocks(t *testing.T) {
	for _, name := range []string{"residual", "inverted", "decoder", "encoder"} {
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Load("../testdata/goldens/blocks/"+name+".onnx", onnx.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			list, _, err := safetensors.ReadFile("../testdata/goldens/blocks/" + name + ".safetensors")
			if err != nil {
				t.Fatal(err)
			}
			golden, largest := map[string]*onnx.Tensor{}, 0.0
			for _, v := range list {
				if v.Type().DType == onnx.Double {
					v = &onnx.Tensor{Name: v.Name, DType: onnx.Float, Dims: v.Dims, Data: narrow(v).Data}
				}
				golden[v.Name] = v
				if strings.HasPrefix(v.Name, "grad/") {
					largest = max(largest, magnitude(v))
				}
			}
			c := find(t, "mse", "adam")
			a := artifacts(t, m, c)
			got := run1(t, open(t, a.Training), feedsOf(a, map[string]*onnx.Tensor{"x": golden["x"], training.InputTarget: golden["target"]}))
			onnxtest.Close(t, got["y"], golden["y"], 1e-5*magnitude(golden["y"]), 0)
			onnxtest.Close(t, flat(got[training.OutputLoss]), flat(golden["loss"]), 0, 1e-5)
			gradients, buffers := 0, 0
			for key, want := range golden {
				kind, of, _ := strings.Cut(key, "/")
				switch kind {
				case "grad":
					g := got[of+"_grad.accumulation.out"]
					if err := within(g, want, max(1e-5*magnitude(want), 3e-6*largest)); err != nil {
						t.Errorf("gradient of %s: %v", of, err)
					}
					gradients++
				case "mean":
					if err := within(got[of+".next"], want, 1e-6); err != nil {
						t.Errorf("%s: %v", of, err)
					}
					buffers++
				}
			}
			if n := len(a.Contract.Parameters); gradients != n || 2*buffers != len(a.Contract.Buffers) {
				t.Errorf("%d gradients and %d means, the model has %d parameters and %d buffers", gradients, buffers, n, len(a.Contract.Buffers))
			}
		})
	}
}

func within(got, want *onnx.Tensor, atol float64) error {
	if got == nil {
		return errors.New("no such output")
	}
	return onnxtest.Compare(got, want, atol, 0)
}

// magnitude is the largest absolute value.
func magnitude(v *onnx.Tensor) float64 {
	if v.Len() == 0 {
		return 0
	}
	return float64(max(slices.Max(v.Float32s()), -slices.Min(v.Float32s())))
}
