package rewrite_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// small is y = x w + x, w an initializer.
func small(t *testing.T) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("small")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 2))
	b := op.NewBuilder(g)
	g.AddOutput(b.Add(b.MatMul(x, g.AddInitializer("w", onnx.FromSlice([]float32{1, -2, 3, 4}, 2, 2))), x), "y")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}
}

func TestLiftAndBind(t *testing.T) {
	m := small(t)
	want := outputs(t, m)["y"]
	v, held, err := rewrite.Lift(m.Graph, m.Graph.Lookup("w"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "w" || !m.Graph.IsInput(v) || v.IsInitializer() || len(m.Graph.Initializers()) != 0 {
		t.Fatalf("after Lift: %v, initializers %v", v, m.Graph.Initializers())
	}
	if v, err = rewrite.Bind(m.Graph, v, held); err != nil {
		t.Fatal(err)
	}
	if v.Name != "w" || m.Graph.IsInput(v) || v.Const != held || len(m.Graph.Inputs()) != 1 {
		t.Fatalf("after Bind: %v, inputs %v", v, m.Graph.Inputs())
	}
	onnxtest.Close(t, outputs(t, m)["y"], want, 0, 0)
}

func TestLiftAndBindRefuse(t *testing.T) {
	m := small(t)
	x, w := m.Graph.Lookup("x"), m.Graph.Lookup("w")
	if _, err := rewrite.Bind(m.Graph, w, w.Const); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("binding an initializer: %v", err)
	}
	if _, _, err := rewrite.Lift(m.Graph, x); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("lifting an input: %v", err)
	}
	if _, err := rewrite.Bind(m.Graph, x, onnx.NewTensor(onnx.Float, 3, 2)); err == nil {
		t.Error("a tensor of another shape was bound")
	}
	if err := onnx.Check(m); len(err) > 0 {
		t.Errorf("after refusals: %v", err)
	}
}

// Rules that undo each other end in an error.
func TestApplyEnds(t *testing.T) {
	swap := func(from, to string) rewrite.Rule {
		return rewrite.Rule{Name: from + " to " + to, Op: from, Build: func(b *op.Builder, n *onnx.Node) []*onnx.Value {
			return b.Node(to, []*onnx.Value{n.Input(1), n.Input(0)}, 1)
		}}
	}
	m := small(t)
	if _, err := rewrite.Apply(m.Graph, swap("Add", "Mul"), swap("Mul", "Add")); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("rules without an end: %v", err)
	}
	m = small(t)
	n, err := rewrite.Apply(m.Graph, swap("Add", "Mul"))
	if err != nil || n != 1 || count(m.Graph, "Add") != 0 || m.Graph.Outputs()[0].Name != "y" {
		t.Errorf("one rule: %d, %v", n, err)
	}
}
