package rewrite_test

import (
	"testing"

	"graft/onnx/onnxtest"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

// TestBackendSimplify simplifies the models of ONNX's recorded tests, and holds those that change to the recorded outputs.
// A model that ONNX Runtime does not run as recorded either says nothing.
func TestBackendSimplify(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	passed, unchanged, silent := 0, 0, 0
	for _, c := range onnxtest.Cases(t, "node", "simple", "pytorch-converted", "pytorch-operator") {
		m, err := c.Model()
		if err != nil {
			continue // the reader's tests say so
		}
		original := m.Clone()
		result := rewrite.Simplify(m, rewrite.Simplifying{Evaluate: evaluator(o)})
		for _, s := range result.Skipped {
			t.Errorf("%s: %s failed at %s: %s", c.Name, s.Rule, s.Where, s.Reason)
		}
		if len(result.Rules) == 0 {
			unchanged++
			continue
		}
		inputs, outputs, err := c.Tensors()
		if err != nil {
			silent++ // sequences and the like
			continue
		}
		failure := runRecorded(m, inputs, outputs, o)
		switch {
		case failure == nil:
			passed++
		case runRecorded(original, inputs, outputs, o) != nil:
			silent++
		default:
			t.Errorf("%s: %v\n%s", c.Name, failure, m.Text())
		}
	}
	t.Logf("%d passed, %d unchanged, %d silent", passed, unchanged, silent)
	if passed < 100 {
		t.Errorf("only %d passed", passed)
	}
}
