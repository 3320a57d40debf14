package rewrite

import (
	"strings"
	"testing"

	"graft/onnx"
)

// TestSimplifySkipsFailing: a rule that fails, by an error or a panic, after making nodes, is named once; the graph is as
// without it.
func TestSimplifySkipsFailing(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		build        func(s *site, n *onnx.Node) []*onnx.Value
	}{
		{"panic", "out of range", func(s *site, n *onnx.Node) []*onnx.Value {
			s.Neg(n.Input(0))
			return n.Inputs()[len(n.Inputs())+4:]
		}},
		{"error", "no way", func(s *site, n *onnx.Node) []*onnx.Value {
			out := s.one("Neg", n.Inputs())
			s.Fail("no way")
			return out
		}},
		{"other type", "element types differ", func(s *site, n *onnx.Node) []*onnx.Value { return s.one("Shape", n.Inputs()) }},
		{"nothing for an output", "nothing takes its place", func(*site, *onnx.Node) []*onnx.Value { return []*onnx.Value{nil} }},
		{"refused by inference", "inner dimensions", func(s *site, n *onnx.Node) []*onnx.Value {
			return s.one("MatMul", []*onnx.Value{n.Input(0), n.Input(0)})
		}},
	} {
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 13]> g (float[2,3] x) => (float[2,3] y) {a = Relu(x)
b = Identity(a)
c = Relu(b)
y = Exp(c)}`)
		if err != nil {
			t.Fatal(err)
		}
		failing := pattern{c.name, []string{"Exp"}, 0, c.build}
		got := Simplify(m, Simplifying{more: []pattern{failing}})
		if len(got.Skipped) != 1 || got.Skipped[0].Rule != c.name || got.Skipped[0].Where != "Exp -> y" || !strings.Contains(got.Skipped[0].Reason, c.reason) {
			t.Errorf("%s: skipped %v", c.name, got.Skipped)
		}
		if n := m.Graph.NumNodes(); n != 2 || len(got.Rules) == 0 {
			t.Errorf("%s: %d nodes, %v\n%s", c.name, n, got.Rules, m.Text())
		}
	}
}
