package training_test

import (
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// benchmarked is the step that BenchmarkStep measures: what denoise runs for the quick preset's network at 128x128, with z
// and target part of the graph.
func benchmarked(t testing.TB) (*onnx.Model, *training.Step) {
	t.Helper()
	net := graphs.QuickHourglass
	net.Height, net.Width = 128, 128
	m, err := net.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	z, target := onnx.NewTensor(onnx.Float, 1, 32, 128, 128), onnx.NewTensor(onnx.Float, 1, 3, 128, 128)
	noise.Uniform(z.Float32s(), noise.NewKey(0, "z", 0))
	noise.Uniform(target.Float32s(), noise.NewKey(0, "target", 0))
	step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: optim.Adam(optim.AdamConfig{}), MaskGradient: true,
		Constants: map[string]*onnx.Tensor{"z": z, training.InputTarget: target}})
	if err != nil {
		t.Fatal(err)
	}
	return m, step
}

// BenchmarkStep is one fused training step on two threads. peak-MiB is how far the process's resident memory rises above
// what it was before the session was opened, when another has been used.
func BenchmarkStep(b *testing.B) {
	options := runtimetest.Options(b)
	options.Threads = 2
	if err := smallStep(b, options); err != nil {
		b.Fatal(err)
	}
	m, step := benchmarked(b)
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return m.Graph.Lookup(name).Const })
	if err != nil {
		b.Fatal(err)
	}
	mask := onnx.NewTensor(onnx.Float, step.Packing.Len())
	for i := range mask.Float32s() {
		mask.Float32s()[i] = float32(i % 2)
	}
	snap := step.NewSnapshot(start, nil)
	if err := snap.ApplyMask(mask); err != nil {
		b.Fatal(err)
	}
	loop := &training.Loop{Step: step, Session: options,
		Rate: func(int64) float64 { return 1e-2 },
		Feed: func(int64) map[string]*onnx.Tensor { return nil },
		Each: func(p training.Progress) error {
			if p.Step == 3 { // warm
				b.ResetTimer()
			}
			return nil
		}}
	reportPeak(b, func() {
		if _, err := loop.Run(b.Context(), snap, int64(b.N)+3, 0, nil); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/step")
}

// reportPeak reports by how much the process's resident memory rises while f runs.
func reportPeak(b *testing.B, f func()) {
	b.Helper()
	kib, known := limitstest.Peak(b, f)
	if !known {
		b.Log("the peak cannot be begun anew")
	}
	b.ReportMetric(float64(kib)/1024, "peak-MiB")
}
