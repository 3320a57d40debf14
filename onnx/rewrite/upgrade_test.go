package rewrite_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

// old makes a model of an opset: inputs and outputs as in ONNX's textual syntax, then nodes.
func old(t *testing.T, opset int, signature, nodes string) *onnx.Model {
	t.Helper()
	return onnxtest.Parse(t, fmt.Sprintf("<ir_version: 8, opset_import: [\"\" : %d]>\ng %s {\n%s\n}", opset, signature, nodes))
}

// TestUpgradeComputesTheSame runs each model in its own opset and upgraded.
func TestUpgradeComputesTheSame(t *testing.T) {
	runtimetest.Library(t)
	const unary = "(float[2,3,4] x) => (float[] y)"
	for _, c := range []struct {
		name      string
		opset     int
		signature string
		nodes     string
		want      string // operators of the upgraded graph, sorted by place
	}{
		{"softmax over a matrix", 11, unary, "y = Softmax(x)", "Flatten Softmax Constant Reshape"},
		{"softmax over the last axis", 9, unary, "y = Softmax<axis = 2>(x)", "Softmax"},
		{"softmax over the last axis, counted from the end", 11, unary, "y = LogSoftmax<axis = -1>(x)", "LogSoftmax"},
		{"softmax of all", 9, unary, "y = LogSoftmax<axis = 0>(x)", "Flatten LogSoftmax Constant Reshape"},
		{"softmax before axes of size one", 11, "(float[2,3,1,1] x) => (float[2,3,1,1] y)", "y = Softmax<axis = 1>(x)", "Softmax"},
		{"softmax of unknown sizes", 11, "(float[2,3,4] x) => (float[N,M,K] y)", "n = Shape(x)\nz = Reshape(x, n)\ny = Softmax<axis = -2>(z)", ""},
		{"hardmax", 9, unary, "y = Hardmax<axis = 1>(x)", "Flatten Hardmax Constant Reshape"},
		{"split by attribute", 11, "(float[2,3,4] x) => (float[2,3,1] y, float[2,3,3] z)", "y, z = Split<axis = 2, split = [1, 3]>(x)", "Constant Split"},
		{"split in equal parts", 13, "(float[2,3,4] x) => (float[1,3,4] y, float[1,3,4] z)", "y, z = Split(x)", "Split"},
		{"squeeze and unsqueeze", 11, "(float[2,1,4] x) => (float[1,2,4,1] y)", "z = Squeeze<axes = [-2]>(x)\ny = Unsqueeze<axes = [0, 3]>(z)", ""},
		{"squeeze of all", 11, "(float[2,1,4] x) => (float[2,4] y)", "y = Squeeze(x)", "Squeeze"},
		{"sums", 11, "(float[2,3,4] x) => (float[2,1,4] y, float z)", "y = ReduceSum<axes = [1]>(x)\nz = ReduceSum<keepdims = 0>(x)", "Constant ReduceSum ReduceSum"},
		{"means", 13, "(float[2,3,4] x) => (float[3] y)", "y = ReduceMean<axes = [0, -1], keepdims = 0>(x)", "Constant ReduceMean"},
		{"maxima", 7, unary, "y = ReduceMax<axes = [1]>(x)", "Constant ReduceMax"},
		{"clip", 6, unary, "y = Clip<min = -0.5, max = 0.25>(x)", "Constant Constant Clip"},
		{"clip below", 10, unary, "y = Clip<min = -0.5>(x)", "Constant Clip"},
		{"slice", 9, unary, "y = Slice<starts = [1, -3], ends = [1000, -1], axes = [1, 2]>(x)", "Constant Constant Constant Slice"},
		{"slice of the first axes", 7, unary, "y = Slice<starts = [0, 1], ends = [1, 3]>(x)", ""},
		{"pad", 10, unary, "y = Pad<pads = [0, 1, 2, 0, 1, 0], value = 1.5>(x)", "Constant Constant Pad"},
		{"pad by reflection", 7, unary, "y = Pad<mode = \"reflect\", pads = [0, 1, 2, 0, 1, 0]>(x)", "Constant Pad"},
		{"topk", 9, "(float[2,3,4] x) => (float[2,3,2] y, int64[2,3,2] i)", "y, i = TopK<k = 2>(x)", "Constant TopK"},
		{"dropout", 9, unary, "y = Dropout<ratio = 0.3>(x)", "Constant Dropout"},
		{"scatter", 9, unary, "i = Constant<value = int64[1,1,2] {1, 3}>()\nu = Constant<value = float[1,1,2] {5, 6}>()\ny = Scatter<axis = 2>(x, i, u)", "Constant Constant ScatterElements"},
		{"upsample nearest", 7, "(float[1,2,3,4] x) => (float[1,2,6,12] y)", "y = Upsample<scales = [1.0, 1.0, 2.0, 3.0]>(x)", "Constant Resize"},
		{"upsample linear", 9, "(float[1,2,3,4] x) => (float[1,2,6,6] y)", "s = Constant<value = float[4] {1, 1, 2, 1.5}>()\ny = Upsample<mode = \"linear\">(x, s)", "Constant Resize"},
		{"resize up", 10, "(float[1,2,3,4] x) => (float[1,2,7,10] y)", "s = Constant<value = float[4] {1, 1, 2.5, 2.5}>()\ny = Resize(x, s)", "Constant Resize"},
		{"resize down", 10, "(float[1,2,7,9] x) => (float[1,2,4,5] y)", "s = Constant<value = float[4] {1, 1, 0.6, 0.6}>()\ny = Resize(x, s)", "Constant Resize"},
		{"resize up and down", 10, "(float[1,2,7,4] x) => (float[1,2,4,10] y)", "s = Constant<value = float[4] {1, 1, 0.6, 2.5}>()\ny = Resize(x, s)", ""},
		{"resize linear", 10, "(float[1,2,7,4] x) => (float[1,2,4,10] y)", "s = Constant<value = float[4] {1, 1, 0.6, 2.5}>()\ny = Resize<mode = \"linear\">(x, s)", "Constant Resize"},
		{"resize to sizes", 11, "(float[1,2,7,4] x) => (float[1,2,4,10] y)", "e = Constant<value = float[0] {}>()\ns = Constant<value = int64[4] {1, 2, 4, 10}>()\ny = Resize<mode = \"linear\">(x, e, e, s)", ""},
		{"group norm", 18, "(float[2,6,4] x) => (float[2,6,4] y)", "s = Constant<value = float[3] {1, 2, 3}>()\nc = Constant<value = float[3] {4, 5, 6}>()\ny = GroupNormalization<num_groups = 3>(x, s, c)", ""},
		{"batch norm of each element", 7, "(float[2,2,2] x) => (float[2,2,2] y)", "s = Constant<value = float[2,2] {1, 2, 3, 4}>()\nv = Constant<value = float[2,2] {4, 1, 2, 3}>()\ny = BatchNormalization<spatial = 0, epsilon = 0.01>(x, s, v, s, v)", ""},
		{"batch norm", 7, "(float[2,2,3] x) => (float[2,2,3] y)", "s = Constant<value = float[2] {1, 2}>()\ny = BatchNormalization<spatial = 1, momentum = 0.5>(x, s, s, s, s)", "Constant BatchNormalization"},
		{"dft", 17, "(float[2,4,3,1] x) => (float[2,4,3,2] y)", "y = DFT(x)", ""},
		{"dft along an axis", 17, "(float[2,4,3,1] x) => (float[2,4,2,2] y)", "y = DFT<axis = 2, onesided = 1>(x)", ""},
		{"grid sample", 16, "(float[1,2,4,4] x, float[1,3,3,2] g) => (float[1,2,3,3] y, float[1,2,3,3] z)", "y = GridSample<mode = \"bicubic\">(x, g)\nz = GridSample(x, g)", "GridSample GridSample"},
		{"roi align", 10, "(float[1,2,8,8] x) => (float[1,2,2,2] y)", "r = Constant<value = float[1,4] {0.5, 1, 6, 5}>()\ni = Constant<value = int64[1] {0}>()\ny = RoiAlign<output_height = 2, output_width = 2>(x, r, i)", ""},
		{"scan of a batch", 8, "(float[2,3] s, float[2,4,3] x) => (float[2,3] y, float[2,4,3] z)",
			"y, z = Scan<num_scan_inputs = 1, directions = [1], body = b (float[3] a, float[3] e) => (float[3] c, float[3] d) {\n c = Add(a, e)\n d = Identity(c)\n}>(, s, x)", ""},
		{"graphs inside", 11, "(float[2,3] x) => (float[2,3] y)",
			"z = Softmax<axis = 0>(x)\nc = Constant<value = bool {1}>()\ny = If<then_branch = a () => (float[2,3] u) {\n u = Relu(z)\n}, else_branch = b () => (float[2,3] w) {\n v = Unsqueeze<axes = [0]>(z)\n w = Squeeze<axes = [0]>(v)\n}>(c)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := old(t, c.opset, c.signature, c.nodes)
			up := m.Clone()
			if err := rewrite.Upgrade(up); err != nil {
				t.Fatal(err)
			}
			if up.Opset("") != op.Opset {
				t.Errorf("opset %d", up.Opset(""))
			}
			var ops []string
			for _, n := range up.Graph.Nodes() {
				ops = append(ops, n.Op)
			}
			if got := strings.Join(ops, " "); c.want != "" && got != c.want {
				t.Errorf("nodes %s, want %s", got, c.want)
			}
			up.Graph.AssignNames()
			for _, f := range onnx.Check(up) {
				if f.Severity == onnx.Error {
					t.Errorf("%v", f)
				}
			}
			if err := op.InferGraph(up.Clone().Graph); err != nil {
				if missing := (*op.UnknownOperatorsError)(nil); !errors.As(err, &missing) {
					t.Error(err)
				}
			}
			want, got := outputs(t, m), outputs(t, up)
			for _, v := range m.Graph.Outputs() {
				onnxtest.Close(t, got[v.Name], want[v.Name], 1e-6, 1e-6)
			}
		})
	}
}

// TestUpgradeRefuses: what has no equal form is named, all of it at once.
func TestUpgradeRefuses(t *testing.T) {
	m := old(t, 9, "(float[2,3,4] x, float[3] s) => (float[] y, float[] z, float[] w, float[] v)", `
y = BatchNormalization<spatial = 1>(x, s, s, s, s)
z, mean, var, sm, sv = BatchNormalization(x, s, s, s, s)
w = Add(sm, s)
v = Softmax<axis = 5>(x)`)
	err := rewrite.Upgrade(m)
	var failed *rewrite.UpgradeError
	if !errors.As(err, &failed) || failed.Opset != 9 || len(failed.Problems) != 2 {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"upgrade from opset 9: ", "BatchNormalization -> z: its saved mean or variance is read", "Softmax -> v: axis 5 is outside rank 3"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nlacks %q", err, part)
		}
	}
}

// TestUpgradeTrainingNorm: a BatchNormalization of old that has the outputs of training is one that trains.
func TestUpgradeTrainingNorm(t *testing.T) {
	m := old(t, 9, "(float[2,3,4] x, float[3] s) => (float[] y)", "y, mean, var, sm, sv = BatchNormalization<momentum = 0.8>(x, s, s, s, s)")
	if err := rewrite.Upgrade(m); err != nil {
		t.Fatal(err)
	}
	n := m.Graph.Nodes()[0]
	if n.NumOutputs() != 3 || onnx.AttrOr(n, "training_mode", int64(0)) != 1 || onnx.AttrOr(n, "momentum", float32(0)) != 0.8 || m.Graph.Outputs()[0] != n.Output(0) {
		t.Errorf("%v: %d outputs, %v", n, n.NumOutputs(), n.Attrs)
	}
}

// TestUpgradeKeeps: a model of the engines' opset, a younger one, and operators of other domains stay as they are.
func TestUpgradeKeeps(t *testing.T) {
	for _, opset := range []int{21, 24} {
		m := old(t, opset, "(float[2,3] x) => (float[] y)", "y = Softmax<axis = 0>(x)")
		before := m.Text()
		if err := rewrite.Upgrade(m); err != nil || m.Text() != before {
			t.Errorf("opset %d: %v, %s", opset, err, m.Text())
		}
	}
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 9, "example" : 1]>
g (float[2,3] x) => (float[] y) {
z = example.Softmax<axis = 1>(x)
y = example.Clip<min = 1.0>(z)
}`)
	before := m.Graph.Text()
	if err := rewrite.Upgrade(m); err != nil || m.Graph.Text() != before {
		t.Errorf("%v, %s", err, m.Graph.Text())
	}
}

// TestUpgradeHandsOut: where a branch hands out a value of the graph around it, it hands out what takes its place.
func TestUpgradeHandsOut(t *testing.T) {
	m := old(t, 11, "(float[2,3] x) => (float[2,3] y)", `
z = Softmax<axis = 0>(x)
c = Constant<value = bool {1}>()
y = If<then_branch = a () => (float[2,3] z) { }, else_branch = b () => (float[2,3] w) { w = Relu(z) }>(c)`)
	if err := rewrite.Upgrade(m); err != nil {
		t.Fatal(err)
	}
	branch := m.Graph.Outputs()[0].Producer().Subgraphs()[0]
	if z := branch.Outputs()[0]; z.Producer() == nil || z.Producer().Graph() != m.Graph || z != m.Graph.Lookup("z") {
		t.Errorf("the branch hands out %q, made by %v", z.Name, z.Producer())
	}
	m.Graph.RemoveUnused()
	if _, err := m.Encode(); err != nil {
		t.Error(err)
	}
}

// TestUpgradeClipsDouble: bounds have the type of what they bound, which may be unknown.
func TestUpgradeClipsDouble(t *testing.T) {
	m := old(t, 6, "(double[2] x) => (double[2] y, float16[2] z)", "y = Clip<max = 0.25>(x)\nw = example.Make(x)\nz = Clip<min = 0.5>(w)")
	if err := rewrite.Upgrade(m); err != nil {
		t.Fatal(err)
	}
	out := m.Graph.Outputs()
	if b := out[0].Producer().Input(2); b.Type.DType != onnx.Double {
		t.Errorf("%v", b.Type)
	}
	if n := out[1].Producer().Input(1).Producer(); !n.Is("CastLike") {
		t.Errorf("%v", n)
	}
}
