package rewrite_test

import (
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

// folded infers and folds a model as training does, keeping float initializers.
func folded(t *testing.T, m *onnx.Model) (int, error) {
	t.Helper()
	if err := op.InferGraph(m.Graph); err != nil {
		t.Fatal(err)
	}
	return rewrite.Fold(m.Graph, rewrite.Folding{Keep: func(v *onnx.Value) bool { return v.Const == nil || v.Const.DType.IsFloat() }})
}

// TestFold folds each model, runs it before and after, and looks at what is left.
func TestFold(t *testing.T) {
	runtimetest.Library(t)
	const x = "(float[2,3] x) => (float[2,4] y)"
	for _, c := range []struct {
		name, signature, nodes string
		ops                    string   // what is left but constants
		weights                []string // initializers afterwards
	}{
		{"weight that is a constant", x, "w = Constant<value = float[3,4] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>()\ny = MatMul(x, w)", "MatMul", []string{"w"}},
		{"weight of one value", x, "s = Constant<value = int64[2] {3, 4}>()\nw = ConstantOfShape<value = float[1] {0.5}>(s)\ny = MatMul(x, w)", "MatMul", []string{"w"}},
		{"weight by way of rearrangements", x,
			"c = Constant<value = float[2,1,6] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>()\na = Constant<value = int64[1] {1}>()\nd = Squeeze(c, a)\ns = Constant<value = int64[2] {4, -1}>()\ne = Reshape(d, s)\nw = Transpose(e)\ny = MatMul(x, w)",
			"MatMul", []string{"w"}},
		{"weight by way of arithmetic", x,
			"c = Constant<value = float[3,1] {1, 2, 3}>()\nd = Constant<value = float[4] {4, 3, 2, 1}>()\ne = Add(c, d)\nf = Sqrt(e)\nh = Constant<value = float {0.125}>()\nw = Div(f, h)\ny = MatMul(x, w)",
			"MatMul", []string{"w"}},
		{"parameter that is rearranged", "(float[2,3] x) => (float[2,4] y)\n<float[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>", "v = Transpose(w)\ny = MatMul(x, v)", "Transpose MatMul", []string{"w"}},
		{"parameter in arithmetic", "(float[2,3] x) => (float[2,3] y)\n<float[3] w = {1, 2, 3}>", "c = Constant<value = float[3] {4, 5, 6}>()\nv = Mul(w, c)\nu = Neg(c)\ny = Sum(x, v, u)", "Mul Sum", []string{"w"}},
		{"shape arithmetic", "(float[2,3,4] x) => (float[6,4] y)",
			"s = Shape(x)\ni = Constant<value = int64[2] {0, 1}>()\nd = Gather(s, i)\np = ReduceProd(d)\nl = Constant<value = int64[1] {-1}>()\nt = Concat<axis = 0>(p, l)\ny = Reshape(x, t)",
			"Reshape", nil},
		{"slices", "(float[2] x) => (float[3,2] y)",
			"c = Constant<value = float[4,6] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}>()\ns = Constant<value = int64[2] {-1, 1}>()\ne = Constant<value = int64[2] {-100, 5}>()\na = Constant<value = int64[2] {0, 1}>()\nd = Constant<value = int64[2] {-1, 3}>()\nf = Slice(c, s, e, a, d)\nu, v = Split<num_outputs = 2>(f)\nh = Concat<axis = 0>(v, u)\ni = Constant<value = int64[3] {3, 0, -3}>()\nk = Gather(h, i)\ny = Mul(x, k)",
			"Mul", nil},
		{"choice", "(float[2,2] x) => (float[2,2] y)",
			"c = Constant<value = bool[2] {1, 0}>()\na = Constant<value = float[2,1] {1, 2}>()\nb = Constant<value = int32[2] {7, -8}>()\nd = Cast<to = 1>(b)\ne = Where(c, a, d)\nf = Max(e, d)\ng = Pow(f, a)\ny = Add(x, g)",
			"Add", nil},
		{"mask that is not large", "(float[2,2] x) => (float[2,2] y)",
			"s = Constant<value = int64[2] {2, 2}>()\na = Constant<value = float {3}>()\nb = Expand(a, s)\ny = Add(x, b)", "Add", nil},
		{"output that is constant", "(float[2] x) => (float[2] y, float[2] z)",
			"a = Constant<value = float[2] {3, 4}>()\nz = Neg(a)\ny = Add(x, z)", "Add", nil},
		{"branches", "(float[2,3] x) => (float[2,3] y, float[2,3] z)",
			"s = Shape(x)\nr = Size(s)\ntwo = Constant<value = int64 {2}>()\nc = Equal(r, two)\nn = Not(c)\ny = If<then_branch = a () => (float[2,3] u) { t = Neg(x)\n k = Constant<value = float {1}>()\n u = Add(t, k) }, else_branch = b () => (float[2,3] v) { t = Exp(x)\n v = Exp(t) }>(c)\n[second] z = If<then_branch = a2 () => (float[2,3] u) { u = Log(x) }, else_branch = b2 () => (float[2,3] t) { v = If<then_branch = a3 () => (float[2,3] w) { w = Abs(y) }, else_branch = b3 () => (float[2,3] w) { w = Sin(y) }>(c)\n t = Neg(v) }>(n)",
			"Neg Add Abs Neg", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := old(t, 21, c.signature, c.nodes)
			after := m.Clone()
			if _, err := folded(t, after); err != nil {
				t.Fatal(err)
			}
			var ops, weights []string
			for _, n := range after.Graph.Nodes() {
				if n.Op != "Constant" {
					ops = append(ops, n.Op)
				}
			}
			for _, v := range after.Graph.Initializers() {
				weights = append(weights, v.Name)
			}
			if got := strings.Join(ops, " "); got != c.ops || !slices.Equal(weights, c.weights) {
				t.Errorf("nodes %s and weights %v, want %s and %v", got, weights, c.ops, c.weights)
			}
			after.Graph.AssignNames()
			sameOutputs(t, m, after, 1e-6)
		})
	}
}

// sameOutputs holds a rewritten model to be valid, and to give what it gave before, to 1e-6 and a relative difference.
func sameOutputs(t *testing.T, before, after *onnx.Model, relative float64) {
	t.Helper()
	for _, f := range onnx.Check(after) {
		if f.Severity == onnx.Error {
			t.Errorf("%v", f)
		}
	}
	want, got := outputs(t, before), outputs(t, after)
	for _, v := range before.Graph.Outputs() {
		onnxtest.Close(t, got[v.Name], want[v.Name], 1e-6, relative)
	}
}

// TestFoldWeights: without Keep an initializer is folded as well; a value that is also an input is not.
func TestFoldWeights(t *testing.T) {
	m := old(t, 21, "(float[2,3] x, float[3] b = {1, 2, 3}) => (float[2,4] y)\n<float[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}>",
		"v = Transpose(w)\nc = Neg(b)\nd = Add(x, c)\ny = MatMul(d, v)")
	if err := op.InferGraph(m.Graph); err != nil {
		t.Fatal(err)
	}
	if n, err := rewrite.Fold(m.Graph, rewrite.Folding{}); n != 1 || err != nil {
		t.Errorf("%d folded, %v", n, err)
	}
	v := m.Graph.Lookup("v")
	if v == nil || v.Const == nil || !slices.Equal(v.Const.Float32s(), []float32{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}) || m.Graph.Lookup("w") != nil {
		t.Errorf("%s", m.Graph.Text())
	}
}

// TestFoldBounds: what would fill the memory stays as it is, or is refused where it is a weight.
func TestFoldBounds(t *testing.T) {
	const big = "s = Constant<value = int64[2] {100000, 1000000}>()\nk = Constant<value = float {2}>()\n"
	for name, nodes := range map[string]string{
		"expand":      big + "w = Expand(k, s)\nz = ReduceSum<keepdims = 0>(w)\ny = Mul(x, z)",
		"constant":    big + "w = ConstantOfShape<value = float[1] {1}>(s)\nz = ReduceSum<keepdims = 0>(w)\ny = Mul(x, z)",
		"arithmetic":  big + "w = Expand(k, s)\nv = Add(w, w)\nu = Mul(v, k)\nz = ReduceSum<keepdims = 0>(u)\ny = Mul(x, z)",
		"by a weight": "s = Constant<value = int64[2] {2, 20000}>()\nk = Constant<value = float {2}>()\nw = Expand(k, s)\ny0 = Slice(w, s, s)\ny = Sum(x)",
		"doubling":    "k = Constant<value = float[2] {1, 2}>()\n" + doubling(40) + "z = ReduceSum<keepdims = 0>(k40)\ny = Mul(x, z)",
	} {
		m := old(t, 21, "(float[2] x) => (float[2] y)", nodes)
		if _, err := folded(t, m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, n := range m.Graph.Nodes() {
			if c := op.ConstantOf(n.Output(0)); c != nil && c.Len() > 1<<14 {
				t.Errorf("%s: %d elements were made", name, c.Len())
			}
		}
	}
	m := old(t, 21, "(float[1,100000] x) => (float[1,1000000] y)", big+"w = Expand(k, s)\ny = MatMul(x, w)")
	if _, err := folded(t, m); err == nil || !strings.Contains(err.Error(), "a weight of shape [100000 1000000]") {
		t.Errorf("%v", err)
	}
}

// doubling is a chain of Concat that doubles k again and again: k1, k2, ...
func doubling(n int) string {
	text := "k0 = Identity(k)\n"
	for i := range n {
		text += fmt.Sprintf("k%d = Concat<axis = 0>(k%d, k%d)\n", i+1, i, i)
	}
	return text
}
