package op

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"graft/onnx"
)

// TestBackendNodeInference infers the outputs of ONNX's node tests and compares them with the recorded types: first from
// the types of the inputs alone, then with the integer and small inputs as constants, which many shapes depend on.
func TestBackendNodeInference(t *testing.T) {
	dir := os.Getenv("GRAFT_ONNX_TESTDATA")
	if dir == "" {
		dir = "/usr/include/onnx/backend/test/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "node", "*", "model.onnx"))
	if len(files) == 0 {
		t.Skipf("no node tests in %s (GRAFT_ONNX_TESTDATA names the folder that holds node/)", dir)
	}
	passed, refused, failed, exact := 0, 0, 0, 0
	for _, f := range files {
		name := filepath.Base(filepath.Dir(f))
		if _, err := inferCase(f, false); err != nil && !errors.Is(err, errRefused) {
			t.Errorf("%s without values: %v", name, err)
		}
		full, err := inferCase(f, true)
		switch {
		case errors.Is(err, errRefused):
			refused++
		case err != nil:
			failed++
			t.Errorf("%s: %v", name, err)
		default:
			passed++
			if full {
				exact++
			} else if testing.Verbose() {
				t.Logf("%s: not fully known", name)
			}
		}
	}
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, len(files))
	t.Logf("%d of those that passed are inferred completely", exact)
	if passed < 690 {
		t.Errorf("only %d cases passed", passed)
	}
}

var errRefused = errors.New("refused")

// inferCase forgets the types of all outputs, infers them and compares. full: nothing that the file knows is unknown.
func inferCase(path string, values bool) (full bool, err error) {
	m, err := onnx.Load(path, onnx.LoadOptions{})
	if err != nil {
		return false, err
	}
	for _, o := range m.Opsets {
		if o.Domain != "" && o.Domain != "ai.onnx" || o.Version < 7 {
			return false, fmt.Errorf("%w: domain %q %d", errRefused, o.Domain, o.Version)
		}
	}
	if values {
		for i, v := range m.Graph.Inputs() {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(path), "test_data_set_0", fmt.Sprintf("input_%d.pb", i)))
			if err != nil {
				return false, err
			}
			if !v.IsTensor() {
				continue
			}
			c, err := onnx.DecodeTensor(data)
			if err != nil {
				return false, err
			}
			if c.Len() <= maxElements {
				v.Const = c
			}
		}
	}
	recorded := map[*onnx.Value]onnx.TensorType{}
	for _, n := range m.Graph.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				recorded[o] = o.Type
				o.Type = onnx.TensorType{}
			}
		}
	}
	err = InferGraph(m.Graph)
	var missing *UnknownOperatorsError
	if errors.As(err, &missing) {
		return false, fmt.Errorf("%w: %w", errRefused, err)
	}
	if err != nil {
		return false, err
	}
	low, err := LowestOpset(m.Graph)
	if err != nil {
		return false, err
	}
	if have := m.Opset(""); low > have {
		return false, fmt.Errorf("lowest opset is %d, the file has %d", low, have)
	}
	full = true
	for _, o := range m.Graph.Outputs() {
		want, made := recorded[o]
		if !made || !o.IsTensor() {
			continue
		}
		if _, err := mergeTypes(o.Type, want); err != nil {
			return false, fmt.Errorf("inferred %v, recorded %v", o.Type, want)
		}
		full = full && o.Type.DType == want.DType && o.Type.Shape.Equal(want.Shape)
	}
	return full, nil
}

// TestModelInference infers real exports whose types are forgotten and compares with what they recorded.
func TestModelInference(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/onnx/*.onnx")
	if len(files) == 0 { // a worktree beside the others
		files, _ = filepath.Glob("../../../../shared/data/onnx/*.onnx")
	}
	if len(files) == 0 {
		t.Skip("no models in ../shared/data/onnx")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			m, err := onnx.Load(f, onnx.LoadOptions{})
			if err != nil {
				t.Skip(err) // the reader's tests judge it
			}
			recorded := map[*onnx.Value]onnx.TensorType{}
			for _, n := range m.Graph.Nodes() {
				for _, o := range n.Outputs() {
					if o != nil {
						recorded[o], o.Type = o.Type, onnx.TensorType{}
					}
				}
			}
			err = InferGraph(m.Graph)
			var missing *UnknownOperatorsError
			if err != nil && !errors.As(err, &missing) {
				t.Fatal(err)
			}
			for o, was := range recorded {
				if _, err := mergeTypes(o.Type, was); err != nil {
					t.Errorf("%v: inferred %v, recorded %v", o.Producer(), o.Type, was)
				}
				if missing == nil && !o.Type.Shape.Ranked() {
					t.Errorf("%v: rank unknown, recorded %v", o.Producer(), was)
				}
			}
			if missing != nil {
				t.Log(missing)
			}
		})
	}
}
