package rewrite_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// The expression starts from what no elementwise operator makes and from what others read too; scalars stay outside.
func TestBlock(t *testing.T) {
	g := onnx.NewGraph("update")
	p, s := g.AddInput("p", onnx.TypeOf(onnx.Float, 64)), g.AddInput("s", onnx.TypeOf(onnx.Float, 1))
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 8, 8))
	b := op.NewBuilder(g)
	grad := b.Reshape(x, 64)
	shared := b.Mul(grad, grad)
	scale := b.Mul(s, b.ReduceSum(shared, true))
	next := b.Sub(p, b.Mul(b.Sqrt(shared), scale))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	k, err := rewrite.Block(g, []*onnx.Value{next, p}, nil, 16)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Vectors) != 2 || k.Vectors[0] != p || k.Vectors[1] != shared {
		t.Errorf("starts from %v", k.Vectors)
	}
	counts := map[string]int{}
	for _, n := range k.Body.Nodes() {
		counts[n.Op]++
		if n.Is("Mul") && n.Input(1) != scale {
			t.Errorf("%v does not read the scalar outside", n)
		}
	}
	if len(k.Body.Nodes()) != 4 || counts["Sub"] != 1 || counts["Sqrt"] != 1 || counts["Mul"] != 1 || counts["Identity"] != 1 {
		t.Errorf("body has %v", counts)
	}
	for _, v := range append(k.Body.Inputs(), k.Body.Outputs()...) {
		if !v.Type.Shape.Equal(onnx.NewShape(16)) {
			t.Errorf("%v in the body", v.Type)
		}
	}
	if _, err := rewrite.Block(g, []*onnx.Value{next, s}, nil, 16); err == nil {
		t.Error("results of two lengths")
	}
}
