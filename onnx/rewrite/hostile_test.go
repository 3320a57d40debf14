package rewrite_test

import (
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// TestHostileNodes: whatever a file says of its opset, and whichever inputs and attributes a node lacks or has of another
// type, the passes end without a panic.
func TestHostileNodes(t *testing.T) {
	try := func(m *onnx.Model, opset int64, change func(n *onnx.Node)) {
		m = m.Clone()
		m.SetOpset("", opset)
		for _, n := range m.Graph.Nodes() {
			change(n)
		}
		for _, s := range rewrite.Simplify(m.Clone(), rewrite.Simplifying{}).Skipped {
			if strings.Contains(s.Reason, "runtime error") {
				t.Errorf("%s: %s\n%s", s.Rule, s.Reason, m.Text())
			}
		}
		_ = rewrite.Inline(m)
		_ = rewrite.Upgrade(m)
		_ = op.InferGraph(m.Graph)
		_, _ = rewrite.Fold(m.Graph, rewrite.Folding{})
	}
	for i, c := range onnxtest.NodeCases(t) {
		m, err := c.Model()
		if err != nil {
			continue
		}
		if inputs, _, err := c.Tensors(); err == nil {
			for k, v := range m.Graph.Inputs() {
				if k < len(inputs) { // folding reads what is constant
					_, _ = rewrite.Bind(m.Graph, v, inputs[k])
				}
			}
		}
		opset := []int64{1, 6, 7, 9, 11, 13, 17, 18}[i%8]
		try(m, opset, func(n *onnx.Node) {})
		for k := range m.Graph.Nodes()[0].NumInputs() {
			try(m, opset, func(n *onnx.Node) {
				if k < n.NumInputs() {
					n.SetInput(k, nil)
				}
			})
		}
		try(m, opset, func(n *onnx.Node) { n.Attrs = nil })
		try(m, opset, func(n *onnx.Node) {
			for k := range n.Attrs {
				n.Attrs[k].Value = "0"
			}
		})
		try(m, opset, func(n *onnx.Node) {
			for k, a := range n.Attrs {
				if list, ok := a.Value.([]int64); ok {
					n.Attrs[k].Value = append([]int64{-1 << 63, 1<<63 - 1}, list...)
				}
			}
		})
	}
}

// TestInlineBounds: functions that call each other twice, again and again, and functions that call themselves are refused
// soon.
func TestInlineBounds(t *testing.T) {
	for _, circular := range []bool{false, true} {
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: "f", Version: 1}}, Graph: onnx.NewGraph("g")}
		x := m.Graph.AddInput("x", onnx.TypeOf(onnx.Float, 2))
		call := func(g *onnx.Graph, x *onnx.Value, name string) *onnx.Value {
			n := g.Add(name, []*onnx.Value{x}, 1)
			n.Domain = "f"
			return n.Output(0)
		}
		m.Graph.AddOutput(call(m.Graph, x, "a"), "y")
		var fs []*onnx.Function
		for i := range 40 {
			body := onnx.NewGraph("")
			v := body.AddInput("x", onnx.TensorType{})
			next := string(rune('a' + i + 1))
			if circular && i == 3 {
				next = "b"
			}
			for range 2 {
				v = call(body, v, next)
			}
			body.AddOutput(v, "y")
			fs = append(fs, &onnx.Function{Domain: "f", Name: string(rune('a' + i)), Opsets: m.Opsets, Body: body})
		}
		m.SetFunctions(fs...)
		d := limitstest.CPU(t, func() {
			if err := rewrite.Inline(m); err == nil {
				t.Error("no error")
			}
		})
		if d > 20*time.Second {
			t.Errorf("%v", d)
		}
	}
}

// TestSimplifyBudget: many nodes each of which could become a constant of nearly as many bytes as folding may make, different ones
// and the same ones, cost what a few do.
func TestSimplifyBudget(t *testing.T) {
	for _, same := range []bool{false, true} {
		g := onnx.NewGraph("g")
		x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
		for i := range 200 {
			v := float32(0)
			if !same {
				v = float32(i)
			}
			shape := g.AddInitializer("", onnx.FromSlice([]int64{15_000_000 + int64(i)%2}))
			big := g.Add("Expand", []*onnx.Value{g.AddInitializer("", onnx.FromSlice([]float32{v})), shape}, 1, onnx.Int("n", int64(i))).Output(0)
			sum := g.Add("ReduceSum", []*onnx.Value{big}, 1, onnx.Int("keepdims", 0)).Output(0)
			x = g.Add("Add", []*onnx.Value{x, sum}, 1).Output(0)
		}
		g.AddOutput(x, "y")
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 18}}, Graph: g}
		if allocated := limitstest.Allocated(func() { rewrite.Simplify(m, rewrite.Simplifying{}) }); allocated > 256<<20 {
			t.Errorf("same %t: %d MiB", same, allocated>>20)
		}
	}
}
