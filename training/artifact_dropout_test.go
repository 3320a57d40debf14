package training_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
)

// dropping is two linear layers with what drop makes between and behind them; the batch is free.
func dropping(t *testing.T, drop func(b *op.Builder, x *onnx.Value) *onnx.Value) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("dropping")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 6}}})
	y := drop(b, b.MatMul(x, g.AddInitializer("w", filled("w", 1, 6, 8))))
	y = drop(b, b.MatMul(b.Tanh(y), g.AddInitializer("v", filled("v", 1, 8, 5))))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.AddOutput(b.Identity(y), "y")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// dropout has half of the elements zeroed, by an input; by r where it is given.
func dropout(r ...float32) func(b *op.Builder, x *onnx.Value) *onnx.Value {
	return func(b *op.Builder, x *onnx.Value) *onnx.Value {
		in := []*onnx.Value{x}
		if r != nil {
			in = append(in, b.Const(onnx.Scalar(r[0])))
		}
		return b.Node("Dropout", in, 1)[0]
	}
}

// TestDropoutMasks holds a training model with dropout to one with the masks written in as constants.
func TestDropoutMasks(t *testing.T) {
	const seed, step, ratio = 11, 70000, 0.25
	c := find(t, "mse", "sgd")
	data := map[string]*onnx.Tensor{"x": filled("x", 1, 3, 6), training.InputTarget: filled("target", 1, 3, 5)}
	layer := 0
	fixed := dropping(t, func(b *op.Builder, x *onnx.Value) *onnx.Value {
		mask := onnx.NewTensor(onnx.Float, 3, x.Type.Shape[1].Size)
		key := noise.NewKey(seed, []string{"dropout/0", "dropout/1"}[layer], step)
		for i := range mask.Float32s() {
			if noise.Float(key, uint32(i)) >= ratio {
				mask.Float32s()[i] = 1 / (1 - ratio)
			}
		}
		layer++
		return b.Mul(x, b.Const(mask))
	})
	plain := artifacts(t, fixed, c)
	want := run1(t, open(t, plain.Training), feedsOf(plain, data))
	c.Dropout, c.DropoutSeed = true, seed
	a := artifacts(t, dropping(t, dropout(ratio)), c)
	feeds := feedsOf(a, data)
	feeds[training.InputStep] = onnx.FromSlice([]int64{step})
	s := open(t, a.Training)
	got := run1(t, s, feeds)
	for _, name := range []string{"loss", "y", "w_grad.accumulation.out", "v_grad.accumulation.out"} {
		for i, v := range want[name].Float32s() {
			if d := got[name].Float32s()[i] - v; d > 1e-6 || d < -1e-6 {
				t.Fatalf("%s[%d] = %v, want %v", name, i, got[name].Float32s()[i], v)
			}
		}
	}
	feeds[training.InputStep] = onnx.FromSlice([]int64{step + 1})
	if other := run1(t, s, feeds); bytes.Equal(other["y"].Data, got["y"].Data) {
		t.Error("the next step has the same masks")
	}
	d := a.Contract.Dropout
	if d == nil || d.Seed != seed || len(d.Masks) != 2 || d.Masks[1].Stream != "dropout/1" || d.Masks[1].Ratio != ratio || d.Masks[0].Node == "" {
		t.Errorf("the contract says %+v", d)
	}
	for name, m := range map[string]*onnx.Model{"training": a.Training, "fused": a.Fused.Model, "eval": a.Eval} {
		fed := slices.Contains(names(m.Graph.Inputs()), training.InputStep)
		if fed == (name == "eval") {
			t.Errorf("%s: whether it has the step as an input: %v", name, fed)
		}
		if m.Opset("") != 17 || len(onnx.Check(m)) > 0 || len(op.Check(m)) > 0 {
			t.Errorf("%s: opset %d, %v", name, m.Opset(""), append(onnx.Check(m), op.Check(m)...))
		}
	}
}

// Without being asked for, and at a ratio of zero, nothing is dropped, and no step is fed.
func TestDropoutOff(t *testing.T) {
	plain := artifacts(t, dropping(t, func(_ *op.Builder, x *onnx.Value) *onnx.Value { return x }), find(t, "mse", "sgd"))
	want, err := plain.Training.Encode()
	if err != nil {
		t.Fatal(err)
	}
	on := find(t, "mse", "sgd")
	on.Dropout = true
	for name, a := range map[string]*training.Artifacts{
		"off":  artifacts(t, dropping(t, dropout(0.5)), find(t, "mse", "sgd")),
		"zero": artifacts(t, dropping(t, dropout(0)), on),
	} {
		got, err := a.Training.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if a.Contract.Dropout != nil || len(got) != len(want) {
			t.Errorf("%s: %+v, %d bytes, without Dropout %d", name, a.Contract.Dropout, len(got), len(want))
		}
	}
}

// A run with dropout that is resumed ends where one that was not ends, to the bit.
func TestDropoutResumes(t *testing.T) {
	c := find(t, "mse", "adam")
	c.Dropout = true
	a := artifacts(t, dropping(t, dropout()), c)
	data := map[string]*onnx.Tensor{"x": filled("x", 1, 4, 6), training.InputTarget: filled("target", 1, 4, 5)}
	l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 0.01 },
		Feed: func(int64) map[string]*onnx.Tensor { return data }}
	run := func(from *training.Snapshot, steps int64) *training.Snapshot {
		s, err := l.Run(t.Context(), from, steps, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole, parts := run(a.Start(), 5), run(run(a.Start(), 2), 5)
	if !bytes.Equal(whole.Trained.Data, parts.Trained.Data) {
		t.Error("the resumed run ends elsewhere")
	}
}

func TestDropoutRefusals(t *testing.T) {
	c := find(t, "mse", "sgd")
	c.Dropout = true
	for _, r := range []float32{1, -0.5} {
		if _, err := training.NewArtifacts(dropping(t, dropout(r)), c); err == nil || !strings.Contains(err.Error(), "want one in [0,1)") {
			t.Errorf("ratio %v: %v", r, err)
		}
	}
}

// TestStraightThroughArtifacts: weights behind a quantized activation are trained only when asked for, and then learn.
func TestStraightThroughArtifacts(t *testing.T) {
	quantized := func(b *op.Builder, x *onnx.Value) *onnx.Value {
		scale := b.Const(onnx.Scalar(float32(0.05)))
		zero := b.Const(onnx.Scalar(int8(0)))
		q := b.Node("QuantizeLinear", []*onnx.Value{x, scale, zero}, 1)[0]
		return b.Node("DequantizeLinear", []*onnx.Value{q, scale, zero}, 1)[0]
	}
	c := find(t, "mse", "adam")
	if _, err := training.NewArtifacts(dropping(t, quantized), c); err == nil || !strings.Contains(err.Error(), "straight-through") {
		t.Errorf("without the option: %v", err)
	}
	c.StraightThrough = true
	a := artifacts(t, dropping(t, quantized), c)
	if !a.Contract.StraightThrough {
		t.Error("the contract does not say it")
	}
	data := map[string]*onnx.Tensor{"x": filled("x", 1, 4, 6), training.InputTarget: filled("target", 1, 4, 5)}
	var losses []float64
	l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 0.02 },
		Feed: func(int64) map[string]*onnx.Tensor { return data },
		Each: func(p training.Progress) error { losses = append(losses, p.Loss); return nil }}
	if _, err := l.Run(t.Context(), a.Start(), 60, 0, nil); err != nil {
		t.Fatal(err)
	}
	if first, last := losses[0], losses[len(losses)-1]; !(last < first/4) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
}
