package training_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// Weights inside branches are trained: the one of the branch that is taken gets a gradient.
func TestWeightsOfBranches(t *testing.T) {
	g := onnx.NewGraph("branches")
	x, choice := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 3)), g.AddInput("choice", onnx.TypeOf(onnx.Bool))
	b := op.NewBuilder(g)
	branch := func(scale float32) *onnx.Graph {
		sub := onnx.NewGraph("branch")
		inner := op.NewBuilder(sub)
		w := inner.Const(onnx.FromSlice([]float32{scale, 1, 2, 3, 4, 5}, 3, 2))
		w.Name = "w"
		sub.AddOutput(inner.MatMul(x, w), "out")
		if err := inner.Err(); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	y := b.Node("If", []*onnx.Value{choice}, 1, onnx.GraphAttr("then_branch", branch(1)), onnx.GraphAttr("else_branch", branch(-1)))[0]
	g.AddOutput(y, "y")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	mse, err := loss.Lookup("mse")
	if err != nil {
		t.Fatal(err)
	}
	sgd, err := optim.Lookup("sgd")
	if err != nil {
		t.Fatal(err)
	}
	a, err := training.NewArtifacts(&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, training.ArtifactConfig{Loss: mse, Optimizer: sgd})
	if err != nil {
		t.Fatal(err)
	}
	if p := a.Contract.Parameters; len(p) != 2 || p[0].Name != "w" || p[1].Name != "w_2" {
		t.Fatalf("parameters %v", p)
	}
	feeds := map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{1, 1, 1, 1, 1, 1}, 2, 3), "choice": onnx.Scalar(true),
		"target": onnx.NewTensor(onnx.Float, 2, 2), training.InputLazyReset: onnx.FromSlice([]bool{true})}
	for _, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
		feeds[p.Name], feeds[p.Name+"_grad.accumulation.buffer"] = p, onnx.NewTensor(onnx.Float, 3, 2)
	}
	out := run1(t, open(t, a.Training), feeds)
	for name, taken := range map[string]bool{"w": true, "w_2": false} {
		if got := out[name+"_grad.accumulation.out"].Float32s()[0] != 0; got != taken {
			t.Errorf("%s has a gradient: %v, want %v", name, got, taken)
		}
	}
}
