package rewrite_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

// TestToOpset runs each model before and after.
func TestToOpset(t *testing.T) {
	runtimetest.Library(t)
	const unary = "(float[2,3,4] x) => (float[] y)"
	for _, c := range []struct {
		name             string
		from             int
		to               int64
		signature, nodes string
		want             string // operators afterwards; "" does not look
		changes          string // node: what, in order
	}{
		{"axes", 18, 13, unary, "a = Constant<value = int64[1] {1}>()\ny = ReduceMean(x, a)", "ReduceMean", "y: 2 inputs -> axes = 1, 1 inputs"},
		{"softmax", 13, 11, unary, "y = Softmax<axis = 1>(x)", "Transpose Softmax Transpose", ""},
		{"gelu", 20, 17, unary, "y = Gelu(x)", "", ""},
		{"layer norm", 17, 13, unary, "s = Constant<value = float[4] {1, 2, 3, 4}>()\ny = LayerNormalization(x, s)", "", ""},
		{"layer norm and constants", 17, 8, unary, "s = Constant<value = float[4] {1, 2, 3, 4}>()\ny = LayerNormalization(x, s)", "", ""},
		{"split in uneven parts", 18, 13, "(float[2,3,5] x) => (float[2,3,3] y, float[2,3,2] z)", "y, z = Split<axis = 2, num_outputs = 2>(x)", "Constant Split", ""},
		{"slice", 13, 9, unary, "s = Constant<value = int64[1] {1}>()\ne = Constant<value = int64[1] {3}>()\na = Constant<value = int64[1] {-1}>()\ny = Slice(x, s, e, a)", "Slice", ""},
		{"pad of an axis", 18, 9, unary, "p = Constant<value = int64[2] {1, 2}>()\na = Constant<value = int64[1] {-1}>()\nv = Constant<value = float {1.5}>()\ny = Pad(x, p, v, a)", "Pad", ""},
		{"part of a shape", 15, 13, "(float[2,3,4] x) => (int64[2] y)", "y = Shape<start = 1>(x)", "", ""},
		{"upsample", 13, 9, "(float[1,2,3,4] x) => (float[1,2,6,8] y)", "s = Constant<value = float[4] {1, 1, 2, 2}>()\ny = Resize<coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\">(x, , s)", "Constant Upsample", ""},
		{"zeros of a shape", 13, 8, unary, "s = Shape(x)\nz = ConstantOfShape<value = float[1] {2}>(s)\ny = Add(x, z)", "Shape Constant Expand Add", "z: in the place of ConstantOfShape"},
		{"zeros of a known shape", 9, 7, "(float[2,3] x) => (float[] y)", "s = Constant<value = int64[2] {2, 3}>()\nz = ConstantOfShape<value = float[1] {2}>(s)\ny = Add(x, z)", "Add", ""},
		{"up and down", 9, 12, unary, "y = Clip<min = -0.5, max = 0.5>(x)", "Constant Constant Clip", ""},
		{"beyond the engines' opset", 13, 24, unary, "y = Relu(x)", "Relu", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := old(t, c.from, c.signature, c.nodes)
			down := m.Clone()
			changes, err := rewrite.ToOpset(down, c.to)
			if err != nil {
				t.Fatal(err)
			}
			if down.Opset("") != c.to {
				t.Errorf("opset %d", down.Opset(""))
			}
			var ops, said []string
			for _, n := range down.Graph.Nodes() {
				ops = append(ops, n.Op)
			}
			for _, ch := range changes {
				said = append(said, ch.Node+": "+ch.What)
			}
			if got := strings.Join(ops, " "); c.want != "" && got != c.want {
				t.Errorf("nodes %s, want %s", got, c.want)
			}
			if got := strings.Join(said, "; "); c.changes != "" && got != c.changes {
				t.Errorf("changes %q, want %q", got, c.changes)
			}
			sameOutputs(t, m, down, 1e-5)
		})
	}
}

// TestToOpsetRefuses names every node that has no form in the older opset.
func TestToOpsetRefuses(t *testing.T) {
	m := old(t, 18, "(float[2,3] x, int64[1] a) => (float[] y, float[] z, float[] w)", "y = ReduceSum(x, a)\nz = Trilu(x)\nw = Relu(x)")
	_, err := rewrite.ToOpset(m, 11)
	var failed *rewrite.UpgradeError
	if !errors.As(err, &failed) || len(failed.Problems) != 2 {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"convert opset 18 to 11: ", "its axes are computed, which were an attribute before", "the operator came with opset 14"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nlacks %q", err, part)
		}
	}
	if _, err := rewrite.ToOpset(m, 6); err == nil {
		t.Error("opset 6 is taken")
	}
}

// TestToOpsetTellsOnce names a few of the nodes that share a reason, and how many there are.
func TestToOpsetTellsOnce(t *testing.T) {
	var nodes strings.Builder
	for i := range 9 {
		fmt.Fprintf(&nodes, "[n%d] y%d = Trilu(x)\n", i, i)
	}
	_, err := rewrite.ToOpset(old(t, 18, "(float[2,3] x) => (float[] y8)", nodes.String()), 11)
	if want := "n0, n1, n2, n3, n4, n5 and 3 more (Trilu): the operator came with opset 14"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nlacks %q", err, want)
	}
}

// TestFixDim gives dimensions sizes, by symbol and by place.
func TestFixDim(t *testing.T) {
	parsed := func() *onnx.Model {
		m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x, float[N,?] z) => (float[N,3] y, float[N,M] w) { y = Relu(x)
 w = Neg(z) }`)
		op.InferModel(m)
		return m
	}
	m := parsed()
	if err := rewrite.FixDim(m, "N", 4); err != nil {
		t.Fatal(err)
	}
	for _, v := range slices.Concat(m.Graph.Inputs(), m.Graph.Outputs()) {
		if v.Type.Shape[0] != (onnx.Dim{Size: 4}) {
			t.Errorf("%s: %v", v.Name, v.Type)
		}
	}
	if err := rewrite.FixDim(m, "z:1", 5); err != nil || m.Graph.Inputs()[1].Type.Shape[1] != (onnx.Dim{Size: 5}) {
		t.Errorf("%v, %v", err, m.Graph.Inputs()[1].Type)
	}
	for _, name := range []string{"K", "x:1", "x:7", "q:0"} {
		if err := rewrite.FixDim(parsed(), name, 2); err == nil {
			t.Errorf("%s is fixed", name)
		}
	}
}
