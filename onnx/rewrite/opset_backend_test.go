package rewrite_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

// TestBackendLower brings recorded node tests down to older opsets: what is not refused gives the recorded outputs, and is
// valid in the form of its opset.
func TestBackendLower(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	passed, refused, silent := map[int64]int{}, map[int64]int{}, 0
	for i, c := range onnxtest.Cases(t, "node", "simple", "pytorch-converted", "pytorch-operator") {
		m, err := c.Model()
		if err != nil || m.Opset("") == 0 {
			continue // the reader's tests say so
		}
		inputs, outputs, err := c.Tensors()
		if err != nil {
			continue // sequences and optionals
		}
		targets := []int64{8, 11, 13, 17, 20}
		to := targets[i%len(targets)] // each case once
		if to == m.Opset("") {
			continue
		}
		down := m.Clone()
		if _, err := rewrite.ToOpset(down, to); err != nil {
			var failed *rewrite.UpgradeError
			if !errors.As(err, &failed) {
				t.Errorf("%s to %d: %v", c.Name, to, err)
			}
			refused[to]++
			t.Logf("%s to %d refused: %v", c.Name, to, err)
			continue
		}
		if err := runRecorded(down, inputs, outputs, o); err != nil {
			if strings.Contains(err.Error(), "NOT_IMPLEMENTED") || runRecorded(m, inputs, outputs, o) != nil {
				silent++
				continue
			}
			t.Errorf("%s (opset %d to %d): %v", c.Name, m.Opset(""), to, err)
			continue
		}
		for _, f := range onnx.Check(down) {
			if f.Severity == onnx.Error {
				t.Errorf("%s to %d: %v", c.Name, to, f)
			}
		}
		passed[to]++
	}
	sum := 0
	for _, to := range slices.Sorted(maps.Keys(passed)) {
		sum += passed[to]
		t.Logf("to opset %d: %d as recorded, %d refused", to, passed[to], refused[to])
	}
	t.Logf("%d without a kernel, there or before", silent)
	if sum < 400 {
		t.Errorf("only %d cases were run", sum)
	}
}
