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
	"graft/training/loss"
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
	sameOnDevice(t, want, got, cpu, device)
}

// TestSampleMaskOnDevice is TestMaskOnDevice of a mask that is learned on samples.
func TestSampleMaskOnDevice(t *testing.T) {
	m, err := graphs.MLP{In: 8, Hidden: []int64{16}, Classes: 3}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	x, labels := onnx.NewTensor(onnx.Float, 12, 8), onnx.NewTensor(onnx.Int64, 12)
	noise.Uniform(x.Float32s(), noise.NewKey(1, "x", 0))
	for i := range labels.Int64s() {
		labels.Int64s()[i] = int64(i % 3)
	}
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	p := &Samples{Network: m, Loss: entropy}
	for _, gate := range []Gate{Weight, Channel} {
		c := MaskConfig{Strength: 1, Seed: 5, Gate: gate}.defaults()
		learn := func(provider string) (*onnx.Tensor, *training.Step) {
			s, err := p.maskStep(c, runtime.Options{Provider: provider})
			if err != nil {
				t.Fatal(err)
			}
			draws := newSampler(s.step.Packing.Len(), c.Seed)
			defer draws.stop()
			loop := &training.Loop{Step: s.step, Session: runtimetest.OneThread(t), Rate: func(int64) float64 { return c.Rate },
				Feed: func(step int64) map[string]*onnx.Tensor {
					feeds := map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
					if provider == "" {
						feeds[inputUniform] = draws.at(step)
					}
					return feeds
				}}
			loop.Session.Provider = ""
			end, err := loop.Run(t.Context(), s.start, 4, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			return end.Trained, s.step
		}
		want, cpu := learn("")
		got, device := learn("cuda")
		sameOnDevice(t, want, got, cpu, device)
	}
}

// sameOnDevice holds the logits of four steps of the form for a device to those of the CPU's, and one step to the other.
func sameOnDevice(t *testing.T, want, got *onnx.Tensor, cpu, device *training.Step) {
	t.Helper()
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
