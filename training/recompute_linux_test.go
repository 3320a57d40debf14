package training_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// deepNetwork is a chain of layers: convolutions 3x3 of 16 channels with norm and activation at 128x128, or products of 256
// units for a batch of 2048.
func deepNetwork(t testing.TB, layers int, convolutions bool) (*onnx.Model, *onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph("deep")
	b := op.NewBuilder(g)
	uniform := func(name string, scale float32, dims ...int64) *onnx.Tensor {
		x := onnx.NewTensor(onnx.Float, dims...)
		noise.Uniform(x.Float32s(), noise.NewKey(0, name, 0))
		for i, v := range x.Float32s() {
			x.Float32s()[i] = scale * (2*v - 1)
		}
		return x
	}
	x := uniform("x", 1, 2048, 256)
	if convolutions {
		x = uniform("x", 1, 1, 16, 128, 128)
	}
	h := g.AddInput("x", x.Type())
	for i := range layers {
		name := func(s string) string { return fmt.Sprint(s, i) }
		if convolutions {
			h = b.Conv(h, g.AddInitializer(name("w"), uniform(name("w"), 0.1, 16, 16, 3, 3)), nil, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}})
			h = b.InstanceNormalization(h, g.AddInitializer(name("scale"), uniform(name("s"), 1, 16)), g.AddInitializer(name("bias"), uniform(name("b"), 1, 16)), 1e-5)
			h = b.LeakyRelu(h, 0.1)
		} else {
			h = b.Tanh(b.Add(b.MatMul(h, g.AddInitializer(name("w"), uniform(name("w"), 0.1, 256, 256))), g.AddInitializer(name("c"), uniform(name("c"), 0.1, 256))))
		}
	}
	g.AddOutput(b.Identity(h), "y")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, x
}

// BenchmarkRecompute is a step of a deep network, in one segment and in more. peak-MiB as in BenchmarkStep.
func BenchmarkRecompute(b *testing.B) {
	for _, kind := range []string{"convolutions", "perceptron"} {
		for _, segments := range []int{1, 2, 5, 8} {
			b.Run(fmt.Sprintf("%s/%d", kind, segments), func(b *testing.B) {
				m, x := deepNetwork(b, 24, kind == "convolutions")
				step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: optim.SGD(optim.SGDConfig{}), Recompute: segments})
				if err != nil {
					b.Fatal(err)
				}
				start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return m.Graph.Lookup(name).Const })
				if err != nil {
					b.Fatal(err)
				}
				options := runtimetest.Options(b)
				options.Threads = 2
				loop := &training.Loop{Step: step, Session: options, Rate: func(int64) float64 { return 1e-3 },
					Feed: func(int64) map[string]*onnx.Tensor {
						return map[string]*onnx.Tensor{"x": x, training.InputTarget: onnx.NewTensor(onnx.Float, x.Dims...)}
					},
					Each: func(p training.Progress) error {
						if p.Step == 3 {
							b.ResetTimer()
						}
						return nil
					}}
				reportPeak(b, func() {
					if _, err := loop.Run(b.Context(), step.NewSnapshot(start, nil), int64(b.N)+3, 0, nil); err != nil {
						b.Fatal(err)
					}
				})
				b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/step")
			})
		}
	}
}
