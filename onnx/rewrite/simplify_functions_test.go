package rewrite_test

import (
	"fmt"
	"strings"
	"testing"

	"graft/onnx/onnxtest"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

// TestSimplifyFunctions: bodies take the place of calls where they are written in the model's opset, and are simplified.
func TestSimplifyFunctions(t *testing.T) {
	runtimetest.Library(t)
	m := onnxtest.Parse(t, strings.ReplaceAll(withFunctions, "OPSET", "17"))
	kept := m.Clone()
	result := simplified(t, m, "ReduceMean Sub Softmax Mul Clip Neg ReduceMean Sub Softmax Mul Neg ReduceMean Sub Softmax Mul Clip Neg", rewrite.Simplifying{})
	if len(m.Functions()) != 0 || m.Opset("local") != 0 || result.Rules[0] != (rewrite.Applied{Rule: "functions", Count: 6}) {
		t.Errorf("%d functions, domains %v, rules %v", len(m.Functions()), m.Opsets, result.Rules)
	}
	result = rewrite.Simplify(kept, rewrite.Simplifying{KeepFunctions: true})
	if len(kept.Functions()) != 2 || len(result.Skipped) != 0 {
		t.Errorf("%d functions are kept, %v", len(kept.Functions()), result.Skipped)
	}
}

// TestSimplifyFunctionsSkipped: functions that cannot be put in the place of their calls stay, whole, and the other rules go on.
func TestSimplifyFunctionsSkipped(t *testing.T) {
	many := &strings.Builder{}
	fmt.Fprint(many, "<ir_version: 10, opset_import: [\"\" : 17, \"local\" : 1]>\ng (float[2] x) => (float[2] y) {\n i = Identity(x)\n y = local.F20(i)\n}\n")
	for k := range 20 {
		fmt.Fprintf(many, "<domain: \"local\", opset_import: [\"\" : 17, \"local\" : 1]>\nF%d (x) => (y) {\n a = local.F%d(x)\n y = local.F%d(a)\n}\n", k+1, k, k)
	}
	fmt.Fprint(many, "<domain: \"local\", opset_import: [\"\" : 17]>\nF0 (x) => (y) { y = Neg(x) }\n")
	for text, reason := range map[string]string{
		strings.ReplaceAll(withFunctions, "OPSET", "13"): "the function is written in opset 13, what calls it in 17",
		many.String(): "nodes once they are expanded",
	} {
		m := onnxtest.Parse(t, text)
		functions, nodes := len(m.Functions()), m.Graph.NumNodes()
		result := rewrite.Simplify(m, rewrite.Simplifying{})
		if len(result.Skipped) != 1 || result.Skipped[0].Rule != "functions" || !strings.Contains(result.Skipped[0].Reason, reason) {
			t.Errorf("skipped %v, want %q", result.Skipped, reason)
		}
		if len(m.Functions()) != functions || m.Graph.NumNodes() >= nodes {
			t.Errorf("%d functions of %d, %d nodes of %d", len(m.Functions()), functions, m.Graph.NumNodes(), nodes)
		}
	}
}
