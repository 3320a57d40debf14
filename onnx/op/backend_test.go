package op

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// dataDependent are the operators whose output shapes depend on the values of inputs that shapes are not made of, and why:
// cases with one of them may be inferred more generally than they are recorded, even when all inputs are known.
var dataDependent = map[string]string{
	"Compress":          "as many as the condition selects",
	"ImageDecoder":      "height and width stand in the file",
	"NonMaxSuppression": "as many boxes as are kept",
	"NonZero":           "as many as are not zero",
	"StringNormalizer":  "as many as are no stop words",
	"StringSplit":       "as many as the longest list of pieces",
	"Unique":            "as many as differ",
}

// TestBackendNodeInference infers the outputs of ONNX's node tests and compares them with the recorded types. From the types
// of the inputs alone the element type and the rank must be equal, and each dimension equal or unknown; with the recorded
// inputs as constants all must be equal, where no operator is data-dependent.
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
	reasons := map[string]int{}
	for _, f := range files {
		name := filepath.Base(filepath.Dir(f))
		full, err := inferCase(f, false)
		if err == nil {
			full, err = inferCase(f, true)
		} else if !errors.Is(err, errRefused) {
			err = fmt.Errorf("without values: %w", err)
		}
		switch {
		case errors.Is(err, errRefused):
			refused++
			reasons[err.Error()]++
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
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%d %s", reasons[r], r)
	}
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, len(files))
	t.Logf("%d of those that passed are inferred completely", exact)
	if passed < 890 {
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
		if o.Domain != "" && o.Domain != "ai.onnx" {
			return false, fmt.Errorf("%w: domain %s", errRefused, o.Domain)
		}
	}
	if values {
		if err := bindInputs(m.Graph, filepath.Join(filepath.Dir(path), "test_data_set_0")); err != nil {
			return false, err
		}
	}
	recorded := map[*onnx.Value]onnx.TensorType{}
	excused := false
	for _, n := range m.Graph.Nodes() {
		excused = excused || dataDependent[n.Op] != ""
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
		return false, fmt.Errorf("%w: %s", errRefused, strings.Join(missing.Operators, ", "))
	}
	if err != nil {
		return false, err
	}
	low, err := LowestOpset(m.Graph)
	if err != nil {
		return false, err
	}
	if have := max(m.Opset(""), 7); low > have { // the table begins with 7
		return false, fmt.Errorf("lowest opset is %d, the file has %d", low, have)
	}
	full = true
	for _, o := range m.Graph.Outputs() {
		want, made := recorded[o]
		if !made {
			continue
		}
		if err := moreGeneral(o.Type, want); err != nil {
			return false, fmt.Errorf("inferred %v, recorded %v: %w", o.Type, want, err)
		}
		if !covers(o.Type, want) {
			full = false
			if values && !excused {
				return false, fmt.Errorf("inferred %v with all inputs known, recorded %v", o.Type, want)
			}
		}
	}
	return full, nil
}

// bindInputs gives the inputs of a case their recorded values as constants.
func bindInputs(g *onnx.Graph, dir string) error {
	for i, v := range g.Inputs() {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("input_%d.pb", i)))
		if err != nil {
			return err
		}
		if !v.IsTensor() {
			continue
		}
		c, err := onnx.DecodeTensor(data)
		if err != nil {
			return err
		}
		if c.Len() <= maxElements {
			v.Const = c
		}
	}
	return nil
}

// covers reports whether a type that is more general than want is as exact: it has each of want's sizes.
func covers(have, want onnx.TensorType) bool {
	for have.Of != nil && want.Of != nil {
		have, want = have.Of.Elem, want.Of.Elem
	}
	for i, d := range want.Shape {
		if d.Known() && (!have.Shape.Ranked() || have.Shape[i] != d) {
			return false
		}
	}
	return have.Shape.Ranked() || !want.Shape.Ranked()
}

// moreGeneral holds an inferred type against a recorded one: the element type and the rank equal, each dimension equal or
// not known. What is inside a sequence may have any rank.
func moreGeneral(have, want onnx.TensorType) error {
	if (have.Of == nil) != (want.Of == nil) {
		return errors.New("one is a container")
	}
	if have.Of != nil {
		if have.Of.Kind != want.Of.Kind {
			return errors.New("the containers differ")
		}
		have, want = have.Of.Elem, want.Of.Elem
		if have.Of == nil && !have.Shape.Ranked() {
			have.Shape = want.Shape
		}
		return moreGeneral(have, want)
	}
	if have.DType != want.DType {
		return errors.New("the element types differ")
	}
	if want.Shape.Ranked() && len(have.Shape) != len(want.Shape) {
		return errors.New("the ranks differ")
	}
	for i, d := range want.Shape {
		if have.Shape[i].Known() && have.Shape[i] != d {
			return errors.New("the sizes differ")
		}
	}
	return nil
}

// TestModelInference infers real exports whose types are forgotten and compares with what they recorded. Every dimension is
// a size or comes from the inputs' symbols.
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
				if missing == nil && strings.Contains(o.Type.String(), unknownPrefix) {
					t.Errorf("%v: %v, recorded %v", o.Producer(), o.Type, was)
				}
			}
			if missing != nil {
				t.Log(missing)
			}
		})
	}
}
