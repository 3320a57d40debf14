package training_test

import (
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// tiny is an hourglass small enough to train in milliseconds, with what it is fed.
type tiny struct {
	model  *onnx.Model
	step   *training.Step
	start  *onnx.Tensor
	z      *onnx.Tensor
	target *onnx.Tensor
}

func newTiny(t testing.TB, masked bool) *tiny {
	t.Helper()
	net := graphs.Hourglass{Channels: []int64{4, 6}, DownKernel: 3, UpKernel: 3, In: 4, Out: 1, Height: 16, Width: 16}
	m, err := net.Build(3)
	if err != nil {
		t.Fatal(err)
	}
	step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: optim.Adam(optim.AdamConfig{}), MaskGradient: masked})
	if err != nil {
		t.Fatal(err)
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return m.Graph.Lookup(name).Const })
	if err != nil {
		t.Fatal(err)
	}
	f := &tiny{model: m, step: step, start: start,
		z: onnx.NewTensor(onnx.Float, 1, 4, 16, 16), target: onnx.NewTensor(onnx.Float, 1, 1, 16, 16)}
	noise.Uniform(f.z.Float32s(), noise.NewKey(1, "z", 0))
	noise.Uniform(f.target.Float32s(), noise.NewKey(1, "target", 0))
	return f
}

// loop draws a little noise onto the target, a function of the step alone.
func (f *tiny) loop(t testing.TB, rate float64, each func(training.Progress) error) *training.Loop {
	t.Helper()
	options := runtimetest.Options(t)
	options.Threads = 1
	target := f.target.Clone()
	return &training.Loop{Step: f.step, Session: options, Each: each,
		Rate: func(step int64) float64 { return rate / float64(1+step/10) },
		Feed: func(step int64) map[string]*onnx.Tensor {
			noise.Uniform(target.Float32s(), noise.NewKey(2, "jitter", uint64(step)))
			for i, v := range f.target.Float32s() {
				target.Float32s()[i] = v + target.Float32s()[i]*0.01
			}
			return map[string]*onnx.Tensor{"z": f.z, training.InputTarget: target}
		}}
}

// everyThird keeps two weights of three.
func (f *tiny) everyThird() *onnx.Tensor {
	mask := onnx.NewTensor(onnx.Float, f.step.Packing.Len())
	for i := range mask.Float32s() {
		if i%3 != 0 {
			mask.Float32s()[i] = 1
		}
	}
	return mask
}
