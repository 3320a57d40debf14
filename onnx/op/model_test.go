package op

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

func TestInferModelGoesOn(t *testing.T) {
	g := onnx.NewGraph("look")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 3))
	bad := g.Add("MatMul", []*onnx.Value{x, x}, 1)
	bad.Name = "bad"
	odd := g.Add("Frobnicate", []*onnx.Value{x}, 1)
	odd.Domain = "com.example"
	own := g.Add("Own", []*onnx.Value{x}, 1)
	own.Domain = "local"
	old := g.Add("Unsqueeze", []*onnx.Value{x}, 1, onnx.Ints("axes", 0)) // the form before opset 13
	young := g.Add("Gelu", []*onnx.Value{x}, 1)                          // not there before opset 20
	soft := g.Add("Softmax", []*onnx.Value{x}, 1)                        // another meaning before 13, the same type
	lies := g.Add("Relu", []*onnx.Value{x}, 1)
	lies.Output(0).Type = onnx.TypeOf(onnx.Float, 5)
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 11}}, Graph: g}
	m.SetFunctions(&onnx.Function{Domain: "local", Name: "Own", Body: onnx.NewGraph("own")})

	problems, unknown := InferModel(m)
	if len(problems) != 2 || problems[0].Node != bad || problems[1].Node != lies {
		t.Fatalf("problems: %v", problems)
	}
	if got := problems[0].Err.Error(); !strings.Contains(got, "[2 3] x [2 3]") {
		t.Errorf("bad: %s", got)
	}
	if got := problems[1].Err.Error(); got != "Relu: output 0 is float [2 3], the file says float [5]" {
		t.Errorf("lies: %s", got)
	}
	if !slices.Equal(unknown, []string{"com.example:Frobnicate"}) {
		t.Errorf("unknown: %v", unknown)
	}
	if got := old.Output(0).Type.String(); got != "float [1 2 3]" {
		t.Errorf("Unsqueeze of opset 11: %v", got)
	}
	if young.Output(0).Type.Shape.Ranked() {
		t.Errorf("Gelu of opset 11: %v", young.Output(0).Type)
	}
	if !soft.Output(0).Type.Shape.Equal(x.Type.Shape) {
		t.Errorf("Softmax of opset 11: %v", soft.Output(0).Type)
	}
}
