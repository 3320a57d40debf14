package training_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// product is y = x w with w [1,wide], larger than one block of the update.
const wide = 100_003

func product(t *testing.T, optimizer string) *training.Artifacts {
	t.Helper()
	g := onnx.NewGraph("product")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 1))
	w := onnx.NewTensor(onnx.Float, 1, wide)
	for i := range w.Float32s() {
		w.Float32s()[i] = float32(i%17) / 16
	}
	b := op.NewBuilder(g)
	g.AddOutput(b.MatMul(x, g.AddInitializer("w", w)), "y")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	mse, err := loss.Lookup("mse")
	if err != nil {
		t.Fatal(err)
	}
	o, err := optim.Lookup(optimizer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: mse, Optimizer: o})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A loop updates in blocks what the fused model updates at once, to the same bits.
func TestBlocksEqualWhole(t *testing.T) {
	for _, optimizer := range []string{"sgd", "adam", "lion", "rmsprop"} {
		a := product(t, optimizer)
		feeds := map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{2}, 1, 1), "target": onnx.NewTensor(onnx.Float, 1, wide)}
		l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 1e-2 },
			Feed: func(int64) map[string]*onnx.Tensor { return feeds }}
		end, err := l.Run(t.Context(), a.Start(), 3, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		state := map[string]*onnx.Tensor{"w": a.Start().Trained.Clone()}
		state["w"].Dims = []int64{1, wide}
		for _, slot := range a.Contract.Slots {
			state["w."+slot] = onnx.NewTensor(onnx.Float, 1, wide)
		}
		session := open(t, a.Fused.Model)
		for step := int64(1); step <= 3; step++ {
			in := map[string]*onnx.Tensor{"x": feeds["x"], "target": feeds["target"], training.InputStep: onnx.FromSlice([]int64{step}),
				training.InputRate: onnx.FromSlice([]float32{1e-2})}
			for name, v := range state {
				in[name] = v
			}
			out := run1(t, session, only(a.Fused.Model, in))
			for name := range state {
				state[name] = out[name+".next"]
			}
		}
		if !bytes.Equal(end.Trained.Data, state["w"].Data) {
			t.Errorf("%s: the parameters differ", optimizer)
		}
		for _, slot := range a.Contract.Slots {
			if !bytes.Equal(end.Slots[slot].Data, state["w."+slot].Data) {
				t.Errorf("%s: %s differs", optimizer, slot)
			}
		}
		feeds["target"].Float32s()[7] = float32(math.Inf(1))
		if _, err = l.Run(t.Context(), end, 4, 0, nil); !errors.Is(err, training.ErrDiverged) {
			t.Errorf("%s: %v", optimizer, err)
		}
	}
}
