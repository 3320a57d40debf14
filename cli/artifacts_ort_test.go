package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/training"
)

// commandLine runs graft and gives the exit code and what was printed.
func commandLine(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = NewApp(strings.NewReader(""), &out, &err).Run(t.Context(), append([]string{"graft"}, args...))
	return code, out.String(), err.String()
}

// A folder of ONNX Runtime's own artifacts, or its model and checkpoint, become graft's with the state of the training.
func TestArtifactsOfORT(t *testing.T) {
	from := filepath.Join("..", "training", "ort", "testdata", "mlp")
	for _, args := range [][]string{
		{from}, {filepath.Join(from, "training_model.onnx"), "--checkpoint", filepath.Join(from, "checkpoint"), "--optimizer", "adamw"},
		{filepath.Join(from, "eval_model.onnx"), "--checkpoint", filepath.Join(from, "checkpoint"), "--optimizer", "adam", "--loss", "cross-entropy", "--accumulate", "2"},
	} {
		out := filepath.Join(t.TempDir(), "made")
		code, stdout, stderr := commandLine(t, append([]string{"artifacts", "--out", out, "--json"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, stderr)
		}
		var doc struct{ Parameters, Tensors, Frozen int }
		if err := json.Unmarshal([]byte(stdout), &doc); err != nil || doc.Tensors != 3 || doc.Frozen != 1 {
			t.Errorf("%v: %+v (%v)", args, doc, err)
		}
		tensors, steps, err := training.ReadCheckpoint(filepath.Join(out, training.CheckpointDir))
		want := int64(10)
		if len(args) > 7 {
			want = 20 // batches, two of which make an update
		}
		if err != nil || steps != want || tensors["fc2.weight"] == nil {
			t.Errorf("%v: %d steps, %v", args, steps, err)
		}
	}
	damaged := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(damaged, []byte("\x10\x00\x00\x00ODTC"), 0o666); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"lies 16 bytes behind":     {filepath.Join(from, "training_model.onnx"), "--checkpoint", damaged},
		"no momentum1":             {filepath.Join("..", "training", "ort", "testdata", "mse"), "--optimizer", "adam"},
		"settings of an optimizer": {from, "--beta1", "0.5"},
	} {
		code, _, stderr := commandLine(t, append([]string{"artifacts", "--out", filepath.Join(t.TempDir(), "x")}, args...)...)
		if code != exitInput && code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
}
