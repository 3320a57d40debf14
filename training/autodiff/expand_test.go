package autodiff

import (
	"context"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestBackendNodeExpressions runs ONNX's node tests with every operator that is differentiated as an expression written as
// that expression: the outputs are the recorded ones.
func TestBackendNodeExpressions(t *testing.T) {
	options := runtimetest.Options(t)
	options.Threads = 1
	passed, refused, failed := 0, 0, 0
	for _, c := range onnxtest.NodeCases(t) {
		m, err := c.Model()
		if err != nil || len(m.Functions()) > 0 {
			continue
		}
		found := false
		for _, n := range m.Graph.Nodes() {
			found = found || rules[n.Op].expand != nil && n.Is(n.Op)
		}
		inputs, outputs, err := c.Tensors()
		if !found || err != nil || len(inputs) != len(m.Graph.Inputs()) {
			continue
		}
		written, err := expressions(m, inputs)
		if err != nil {
			refused++
			t.Logf("%s: refused: %v", c.Name, err)
			continue
		}
		if why := differs(written, inputs, outputs, options); why != "" {
			failed++
			t.Errorf("%s: %s", c.Name, why)
			continue
		}
		passed++
	}
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, passed+refused+failed)
}

// expressions writes the expressions into m; integer inputs are constants.
func expressions(m *onnx.Model, inputs []*onnx.Tensor) (*onnx.Model, error) {
	if err := upgraded(m); err != nil {
		return nil, err
	}
	g := m.Graph
	for i, v := range g.Inputs() {
		v.Type = inputs[i].Type()
		if !v.Type.DType.IsFloat() {
			for _, u := range v.Uses() {
				u.Node.SetInput(u.Index, g.AddInitializer("", inputs[i]))
			}
		}
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				o.Type = onnx.TensorType{}
			}
		}
	}
	if err := op.InferGraph(g); err != nil {
		return nil, err
	}
	if err := writeExpressions(g); err != nil {
		return nil, err
	}
	low, err := op.LowestOpset(g)
	m.SetOpset("", max(low, op.Opset))
	m.IRVersion = max(m.IRVersion, 10)
	return m, err
}

// writeExpressions puts expressions in the place of g's nodes.
func writeExpressions(g *onnx.Graph) error {
	b := op.NewBuilder(g)
	for _, n := range g.Nodes() {
		write := rules[n.Op].expand
		if write == nil || !n.Is(n.Op) {
			continue
		}
		values := write(b, n)
		if err := b.Err(); err != nil {
			return err
		}
		for i, v := range values {
			if o := n.Output(i); o != nil && v != nil {
				if err := g.ReplaceUses(o, v); err != nil {
					return err
				}
			}
		}
	}
	g.RemoveUnused()
	return nil
}

// differs says by how much the outputs are off.
func differs(m *onnx.Model, inputs, want []*onnx.Tensor, options runtime.Options) string {
	data, err := m.Encode()
	if err != nil {
		return err.Error()
	}
	s, err := runtime.Open(data, options)
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	feeds := map[string]*onnx.Tensor{}
	for i, v := range m.Graph.Inputs() {
		feeds[v.Name] = inputs[i]
	}
	got, err := s.Run(context.Background(), feeds)
	if err != nil {
		return err.Error()
	}
	for i, v := range m.Graph.Outputs() {
		y := got[v.Name]
		if i >= len(want) || y == nil || y.DType != want[i].DType || !wide(y.DType) || narrow(y.DType) {
			continue
		}
		if err := onnxtest.Compare(y, want[i], 1e-4, 1e-3); err != nil {
			return v.Name + ": " + err.Error()
		}
	}
	return ""
}
