package oes

import (
	"math"
	"slices"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/runtime/kernels"
	"graft/runtime/runtimetest"
	"graft/training"
)

// TestMaskOnDevice: the step for CUDA draws the numbers that the CPU's is fed, has a kernel there for all of it, and is the same to
// a checkpoint.
func TestMaskOnDevice(t *testing.T) {
	m, err := graphs.Hourglass{Channels: []int64{4, 4}, DownKernel: 3, In: 4, Out: 1, Height: 16, Width: 16}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	p := &Problem{Network: m, Z: NewZ(1, 1, 4, 16, 16), Noisy: onnx.NewTensor(onnx.Float, 1, 1, 16, 16), Region: Region{Width: 16, Height: 16}}
	noise.Uniform(p.Noisy.Float32s(), noise.NewKey(1, "noise", 0))
	packing, err := training.NewPacking(training.Parameters(m.Graph))
	if err != nil {
		t.Fatal(err)
	}
	c := MaskConfig{Strength: 1, Seed: 5}.defaults()
	learn := func(provider string) (*onnx.Tensor, *training.Step) {
		step, err := p.maskStep(c, packing, packing, nil, provider)
		if err != nil {
			t.Fatal(err)
		}
		f := follow{steps: 4, rate: c.Rate, start: onnx.NewTensor(onnx.Float, packing.Len())}
		if provider == "" {
			samples := newSampler(packing.Len(), c.Seed)
			defer samples.stop()
			f.feed = func(step int64) map[string]*onnx.Tensor {
				return map[string]*onnx.Tensor{inputUniform: samples.at(step)}
			}
		} else if slices.ContainsFunc(step.Model.Graph.Inputs(), func(v *onnx.Value) bool { return v.Name == inputUniform }) {
			t.Error("the step for a device is fed numbers")
		}
		o := runtimetest.OneThread(t)
		o.Provider = ""
		done, err := p.follow(t.Context(), step, f, Run{Session: o})
		if err != nil {
			t.Fatal(err)
		}
		return done.snapshot.Trained, step
	}
	want, cpu := learn("")
	got, device := learn("cuda")
	for i, x := range want.Float32s() {
		if math.Abs(float64(x-got.Float32s()[i])) > 1e-3 { // four steps of 1e-2
			t.Fatalf("logit %d is %g, want %g", i, got.Float32s()[i], x)
		}
	}
	a, _ := cpu.Fingerprint()
	if b, err := device.Fingerprint(); err != nil || a != b {
		t.Errorf("fingerprints %s and %s, %v", a, b, err)
	}
	for _, f := range kernels.Fallbacks(device.Model, runtime.CUDA) {
		t.Errorf("%s has no kernel there: %s", f.Node.Op, f.Why)
	}
}
