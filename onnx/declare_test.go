package onnx

import "testing"

// Metadata of a node, which PyTorch's exporter writes on every one, makes the file of version 10 whatever the opset, also inside
// a branch.
func TestDeclare(t *testing.T) {
	m := mustParse(t, `<ir_version: 10, opset_import: ["" : 21]> g (bool c) => (float r) {
		r = If (c) <then_branch: graph = t () => (a) { a = Constant <value_float: float = 1> () },
			else_branch: graph = e () => (b) { b = Constant <value_float: float = 2> () }>
	}`)
	for opset, ir := range map[int64]int64{7: 4, 9: 4, 10: 5, 11: 6, 12: 7, 14: 7, 15: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13} {
		if m.Declare(opset); m.IRVersion != ir || m.Opset("") != opset {
			t.Errorf("opset %d: version %d, want %d", opset, m.IRVersion, ir)
		}
	}
	m.Graph.Nodes()[0].Subgraphs()[1].Nodes()[0].Metadata.Set("namespace", "model/branch")
	m.Declare(17)
	if found := Check(m); m.IRVersion != 10 || len(found) != 0 {
		t.Errorf("with metadata: version %d, %v", m.IRVersion, found)
	}
}
