package rewrite_test

import (
	"context"
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// runRecorded runs a model on the recorded inputs of a case and compares with the recorded outputs.
func runRecorded(m *onnx.Model, inputs, outputs []*onnx.Tensor, o runtime.Options) error {
	feeds := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		if v.IsInitializer() {
			continue
		}
		if len(inputs) == 0 {
			return fmt.Errorf("no recorded input for %q", v.Name)
		}
		feeds[v.Name], inputs = inputs[0], inputs[1:]
	}
	got, err := runWritten(m, feeds, o)
	if err != nil {
		return err
	}
	for i, v := range m.Graph.Outputs() {
		if err := onnxtest.Compare(got[v.Name], outputs[i], 1e-5, 1e-3); err != nil {
			return fmt.Errorf("output %q: %w", v.Name, err)
		}
	}
	return nil
}

// runWritten runs what is written of a model.
func runWritten(m *onnx.Model, feeds map[string]*onnx.Tensor, o runtime.Options) (map[string]*onnx.Tensor, error) {
	m.Graph.AssignNames()
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	s, err := runtime.Open(data, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(context.Background(), feeds)
}

// TestBackendUpgrade upgrades the models of ONNX's recorded tests and holds what they give on ONNX Runtime to the recorded
// outputs. A model that ONNX Runtime does not run as recorded in its own opset either says nothing.
func TestBackendUpgrade(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	passed, unchanged, refused, silent := 0, 0, 0, 0
	for _, c := range onnxtest.Cases(t, "node", "simple", "pytorch-converted", "pytorch-operator") {
		m, err := c.Model()
		if err != nil {
			continue // the reader's tests say so
		}
		if from := m.Opset(""); from == 0 || from >= op.Opset {
			continue
		}
		inputs, outputs, err := c.Tensors()
		if err != nil {
			continue // sequences and optionals
		}
		up := m.Clone()
		if err := rewrite.Upgrade(up); err != nil {
			refused++
			t.Logf("%s refused: %v", c.Name, err)
			continue
		}
		if m.Opset("") >= 13 && up.Graph.Text() == m.Graph.Text() {
			unchanged++
			continue
		}
		if err := runRecorded(up, inputs, outputs, o); err != nil {
			if before := runRecorded(m, inputs, outputs, o); before != nil {
				silent++
				t.Logf("%s: %v, and before the upgrade: %v", c.Name, err, before)
				continue
			}
			t.Errorf("%s (opset %d): %v", c.Name, m.Opset(""), err)
			continue
		}
		passed++
	}
	t.Logf("%d as recorded, %d unchanged, %d refused, %d that do not run in their own opset either", passed, unchanged, refused, silent)
	if passed < 300 {
		t.Errorf("only %d cases were run", passed)
	}
}
