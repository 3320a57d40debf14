package op_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

func TestCheckFindsOperatorMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`y = Relu <alpha = 1.0> (x)`:              `Relu has no attribute "alpha"; it knows none`,
		`y = Softmax <axis = 1.0> (x)`:            `"axis" is float, Softmax wants int`,
		`y = Conv <kernel_shape: int = 3> (x, x)`: `"kernel_shape" is int, Conv wants ints`,
		`y = MatMul (x, x)`:                       "MatMul",
		`y = Add (x)`:                             "1 inputs",
		`y = Nothing (x)`:                         `"Nothing" (1 nodes) is not in the operator table`,
		`z = Cast <to = 7> (x) y = Add (z, x)`:    "element types differ",
		`y = Transpose <perm = [0, 0]> (x)`:       "Transpose",
		`c = Constant <value = bool {1}> () y = If (c) <then_branch = t () => (a) { a = Relu <b = 1> (x) }, else_branch = e () => (b) { b = Neg (x) }>`: `Relu has no attribute "b"`,
	} {
		m, err := onnx.Parse(`<ir_version: 10, opset_import: ["" : 21]> g (float[2,3] x) => (float[2,3] y) {` + text + `}`)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var all []string
		for _, f := range op.Check(m) {
			all = append(all, f.String())
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %s", text, got, want)
		}
	}
}

// TestCheckNodeTests finds no error in ONNX's own node tests.
func TestCheckNodeTests(t *testing.T) {
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "node", "*", "model.onnx"))
	if len(files) == 0 {
		t.Skip("no node tests: GRAFT_ONNX_TESTDATA names the folder that holds node/")
	}
	for _, f := range files {
		m, err := onnx.Load(f, onnx.LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for _, finding := range append(onnx.Check(m), op.Check(m)...) {
			if finding.Severity == onnx.Error {
				t.Errorf("%s: %v", filepath.Base(filepath.Dir(f)), finding)
			}
		}
	}
}
