package training_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
)

// halfSubject is a network with what it is fed with.
type halfSubject struct {
	network graphs.Network
	feeds   map[string]*onnx.Tensor
}

func halfSubjects() map[string]halfSubject {
	x := onnx.NewTensor(onnx.Float, 8, 1, 12, 16)
	noise.Normal(x.Float32s(), noise.NewKey(4, "x", 0))
	ids, mask := onnx.NewTensor(onnx.Int64, 8, 5), onnx.NewTensor(onnx.Int64, 8, 5)
	for i := range ids.Int64s() {
		ids.Int64s()[i], mask.Int64s()[i] = int64(i*7%19), 1
	}
	labels := onnx.FromSlice([]int64{0, 1, 2, 0, 1, 2, 0, 1})
	grey := map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
	return map[string]halfSubject{
		"lenet":  {graphs.LeNet{Classes: 3, Height: 12, Width: 16}, grey},
		"resnet": {graphs.ResNet{Widths: []int64{4, 8}, Blocks: 1, In: 1, Classes: 3, Height: 12, Width: 16}, grey},
		"bert": {graphs.BERT{Layers: 1, Width: 16, Heads: 2, Vocabulary: 20, Positions: 8, Classes: 3},
			map[string]*onnx.Tensor{"input_ids": ids, "attention_mask": mask, training.InputLabels: labels}},
	}
}

func (s halfSubject) artifacts(t *testing.T, precision onnx.DataType, optimizer string) *training.Artifacts {
	t.Helper()
	m, err := s.network.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	c := find(t, "cross-entropy", optimizer)
	c.Precision = precision
	return artifacts(t, m, c)
}

// run takes steps from a state.
func (s halfSubject) run(t *testing.T, a *training.Artifacts, from *training.Snapshot, rate float64, steps int64) (*training.Snapshot, []float64, error) {
	t.Helper()
	var losses []float64
	loop := training.Loop{Step: a.Fused, Session: runtimetest.OneThread(t), Rate: func(int64) float64 { return rate },
		Feed: func(int64) map[string]*onnx.Tensor { return s.feeds },
		Each: func(p training.Progress) error { losses = append(losses, p.Loss); return nil }}
	end, err := loop.Run(t.Context(), from, from.Steps+steps, 0, nil)
	return end, losses, err
}

// TestHalfGradients holds a step of SGD in 16 bits to one in 32, and has the network learn as it does there.
func TestHalfGradients(t *testing.T) {
	for name, s := range halfSubjects() {
		moved := map[onnx.DataType][]float32{}
		for _, d := range []onnx.DataType{onnx.Float, onnx.Float16, onnx.BFloat16} {
			a := s.artifacts(t, d, "sgd")
			if d != onnx.Float && !slices.ContainsFunc(a.Fused.Model.Graph.Nodes(), func(n *onnx.Node) bool {
				return (n.Is("MatMul") || n.Is("Gemm") || n.Is("Conv")) && n.Output(0).Type.DType == d
			}) {
				t.Fatalf("%s, %v: no product in it", name, d)
			}
			if d == onnx.BFloat16 && runtime.ProviderName(runtimetest.OneThread(t).Provider) == runtime.CPU {
				continue // which has no kernels for it
			}
			start := a.Start()
			end, _, err := s.run(t, a, start, 1, 1)
			if err != nil {
				t.Fatalf("%s, %v: %v", name, d, err)
			}
			for i, v := range end.Trained.Float32s() {
				moved[d] = append(moved[d], v-start.Trained.Float32s()[i])
			}
			learns := s.artifacts(t, d, "adam")
			if _, losses, err := s.run(t, learns, learns.Start(), 0.01, 60); err != nil || losses[59] > 0.1*losses[0] {
				t.Errorf("%s, %v: loss from %v to %v, %v", name, d, losses[0], losses[len(losses)-1], err)
			}
		}
		for d, most := range map[onnx.DataType]float64{onnx.Float16: 0.01, onnx.BFloat16: 0.08} {
			if moved[d] == nil {
				continue
			}
			off, length := 0., 0.
			for i, v := range moved[onnx.Float] {
				off, length = off+math.Pow(float64(moved[d][i]-v), 2), length+math.Pow(float64(v), 2)
			}
			if r := math.Sqrt(off / length); !(r < most && r > 1e-6) {
				t.Errorf("%s, %v: the gradient is %g of its length off", name, d, r)
			}
		}
	}
}

// scaled is a state whose loss scale is another.
func scaled(s *training.Snapshot, scale, steps float32) *training.Snapshot {
	out := *s
	out.Buffers = map[string]*onnx.Tensor{}
	for name, t := range s.Buffers {
		out.Buffers[name] = t
	}
	out.Buffers[training.BufferLossScale] = onnx.FromSlice([]float32{scale, steps}, 2)
	return &out
}

// TestLossScale: a gradient that overflows leaves all as it is and halves the scale; enough that do not double it; one that is not finite
// whatever the scale is an error.
func TestLossScale(t *testing.T) {
	s := halfSubjects()["lenet"]
	a := s.artifacts(t, onnx.Float16, "adam")
	scale := func(s *training.Snapshot) []float32 { return s.Buffers[training.BufferLossScale].Float32s() }
	start := a.Start()
	if !slices.Equal(scale(start), []float32{65536, 0}) {
		t.Fatalf("begins with %v", scale(start))
	}
	end, _, err := s.run(t, a, scaled(start, 1<<40, 7), 0.01, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(scale(end), []float32{1 << 39, 0}) || !slices.Equal(end.Trained.Float32s(), start.Trained.Float32s()) {
		t.Errorf("after an overflow: scale %v, moved %t", scale(end), !slices.Equal(end.Trained.Float32s(), start.Trained.Float32s()))
	}
	for slot, v := range end.Slots {
		if slices.ContainsFunc(v.Float32s(), func(x float32) bool { return x != 0 }) {
			t.Errorf("after an overflow: %s moved", slot)
		}
	}
	if end, _, err = s.run(t, a, scaled(start, 4, training.GrowthInterval-1), 0.01, 1); err != nil || !slices.Equal(scale(end), []float32{8, 0}) {
		t.Errorf("after enough steps: scale %v, %v", scale(end), err)
	}
	if end, _, err = s.run(t, a, scaled(start, 4, 3), 0.01, 1); err != nil || !slices.Equal(scale(end), []float32{4, 4}) || slices.Equal(end.Trained.Float32s(), start.Trained.Float32s()) {
		t.Errorf("after a step: scale %v, %v", scale(end), err)
	}
	wrong := s
	x := onnx.NewTensor(onnx.Float, 8, 1, 12, 16)
	for i := range x.Float32s() {
		x.Float32s()[i] = 3e38
	}
	wrong.feeds = map[string]*onnx.Tensor{"x": x, training.InputLabels: s.feeds[training.InputLabels]}
	if _, _, err = wrong.run(t, a, scaled(start, 1, 3), 0.01, 3); !errors.Is(err, training.ErrDiverged) {
		t.Errorf("not finite at the least scale: %v", err)
	}
}

// TestHalfRefused: what cannot be computed in 16 bits.
func TestHalfRefused(t *testing.T) {
	m, err := halfSubjects()["lenet"].network.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	c := find(t, "cross-entropy", "adam")
	c.Precision = onnx.Int8
	if _, err := training.NewArtifacts(m, c); err == nil {
		t.Error("int8 was taken")
	}
}

// TestHalfOptimizer: the optimizer model leaves all as it is where a gradient of the training model is not finite, and takes the fused
// model's step elsewhere.
func TestHalfOptimizer(t *testing.T) {
	s := halfSubjects()["lenet"]
	a := s.artifacts(t, onnx.Float16, "adam")
	start := a.Fused.Packing.Unpack(a.Start().Trained)
	end, _, err := s.run(t, a, a.Start(), 0.01, 1)
	if err != nil {
		t.Fatal(err)
	}
	fused := a.Fused.Packing.Unpack(end.Trained)
	for scale, want := range map[float32][]*onnx.Tensor{1 << 16: fused, 1 << 40: start} {
		feeds := feedsOf(a, s.feeds)
		feeds[training.BufferLossScale] = onnx.FromSlice([]float32{scale, 0}, 2)
		grads := run1(t, open(t, a.Training), feeds)
		update := map[string]*onnx.Tensor{training.InputRate: onnx.FromSlice([]float32{0.01}), training.InputStep: onnx.FromSlice([]int64{1})}
		for _, p := range start {
			update[p.Name], update[p.Name+"_grad"] = p, grads[p.Name+"_grad.accumulation.out"]
			for _, slot := range a.Contract.Slots {
				update[p.Name+"."+slot] = onnx.NewTensor(onnx.Float, p.Dims...)
			}
		}
		out := run1(t, open(t, a.Optimizer), only(a.Optimizer, update))
		for _, p := range want {
			for i, v := range out[p.Name+".next"].Float32s() {
				if math.Abs(float64(v-p.Float32s()[i])) > 1e-6 {
					t.Fatalf("scale %v: %s[%d] is %v, want %v", scale, p.Name, i, v, p.Float32s()[i])
				}
			}
		}
	}
}
