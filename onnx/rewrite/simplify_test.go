package rewrite_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// outputsOf runs a model on made-up inputs.
func outputsOf(t *testing.T, m *onnx.Model, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	o := runtimetest.Options(t)
	o.Threads = 1
	s, err := runtime.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// operatorsOf lists the operators of a graph in order.
func operatorsOf(g *onnx.Graph) string {
	var ops []string
	for _, n := range g.Nodes() {
		ops = append(ops, n.Op)
	}
	return strings.Join(ops, " ")
}

// simplified holds a model to what is left of it, and to the outputs that it gave.
func simplified(t *testing.T, m *onnx.Model, want string, o rewrite.Simplifying) *rewrite.Simplified {
	t.Helper()
	original, opset := m.Clone(), m.Opset("")
	result := rewrite.Simplify(m, o)
	for _, s := range result.Skipped {
		t.Errorf("%s failed at %s: %s", s.Rule, s.Where, s.Reason)
	}
	if got := operatorsOf(m.Graph); got != want {
		t.Errorf("left: %s\nwant: %s\n%s", got, want, m.Text())
	}
	if m.Opset("") != opset {
		t.Errorf("opset %d, was %d", m.Opset(""), opset)
	}
	m.Graph.AssignNames()
	for _, f := range onnx.Check(m) {
		if f.Severity == onnx.Error {
			t.Errorf("afterwards %s\n%s", f, m.Text())
		}
	}
	sizes := original.Clone()
	op.InferModel(sizes)
	feeds, err := runtime.Sample(sizes.Graph, 1, map[string]int64{"N": 3, "M": 2})
	if err != nil {
		t.Fatal(err)
	}
	before, after := outputsOf(t, original, feeds), outputsOf(t, m, feeds)
	for name, v := range before {
		if v.DType == onnx.Float {
			if err := onnxtest.Compare(after[name], v, 2e-6, 2e-6); err != nil {
				t.Errorf("%s: %v\n%s", name, err, m.Text())
			}
		} else if !slices.Equal(after[name].Data, v.Data) || !slices.Equal(after[name].Dims, v.Dims) {
			t.Errorf("%s differs\n%s", name, m.Text())
		}
	}
	return result
}

// modelOf parses a graph of an opset.
func modelOf(t *testing.T, opset int, graph string) *onnx.Model {
	t.Helper()
	return onnxtest.Parse(t, fmt.Sprintf("<ir_version: 8, opset_import: [\"\" : %d]>\n%s", opset, graph))
}

func TestSimplify(t *testing.T) {
	runtimetest.Library(t)
	floats := func(n int) string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf("%.3g", math.Sin(float64(i+1))+0.01)
		}
		return "{" + strings.Join(values, ", ") + "}"
	}
	positive := func(n int) string { return strings.ReplaceAll(floats(n), "-", "") }
	for _, c := range []struct {
		name  string
		opset int
		graph string
		want  string
	}{
		{"nothing to do", 13, "g (float[N] x) => (float[N] y) {y = Relu(x)}", "Relu"},
		{"identities", 13, "g (float[N] x) => (float[N] y) {a = Identity(x)\nb = Dropout(a)\nc = Relu(b)\ny = Identity(c)}", "Relu"},
		{"identity between input and output", 13, "g (float[N] x) => (float[N] y) {a = Identity(x)\ny = Identity(a)}", "Identity"},
		{"one value as two outputs", 13, "g (float[N] x) => (float[N] y, float[N] z) {a = Relu(x)\ny = Identity(a)\nz = Identity(a)}", "Relu Identity"},
		{"neutral operands", 13, "g (float[N,2] x) => (float[N,2] y) <float[2] o = {1, 1}, float z = {0}, float u = {1}> {a = Mul(o, x)\nb = Add(a, z)\nc = Div(b, u)\nd = Pow(c, u)\ne = Sub(d, z)\ny = Exp(e)}", "Exp"},
		{"neutral operand that widens", 13, "g (float[1] x) => (float[2] y) <float[2] o = {1, 1}> {y = Mul(x, o)}", "Mul"},
		{"constants", 13, "g (float[2] x) => (float[2] y) {a = Constant<value = float[2] {1, 2}>()\nb = Constant<value = float[2] {3, 4}>()\nc = Mul(a, b)\ny = Add(x, c)}", "Add"},
		{"constant output", 13, "g (float[2] x) => (float[2] y, float[2] z) {z = Constant<value = float[2] {1, 2}>()\ny = Add(x, z)}", "Constant Add"},
		{"common subexpressions", 13, "g (float[N] x) => (float[N] y) {a = Exp(x)\nb = Exp(x)\nc = Neg(a)\nd = Neg(b)\ny = Mul(c, d)}", "Exp Neg Mul"},
		{"random numbers are not common", 13, "g (float[2] x) => (float[2] y) {a = RandomNormal<shape = [2]>()\nb = RandomNormal<shape = [2]>()\nc = Sub(a, a)\nd = Mul(b, c)\ne = Sub(d, d)\ny = Add(x, e)}", "RandomNormal RandomNormal Sub Mul Sub Add"},
		{"transposes", 13, "g (float[2,3,4] x) => (float[3,4,2] y) {a = Transpose<perm = [2,0,1]>(x)\nb = Transpose<perm = [0,2,1]>(a)\nc = Relu(b)\nd = Transpose<perm = [2,1,0]>(c)\ny = Transpose<perm = [1,2,0]>(d)}", "Transpose Relu Transpose"},
		{"transposes there and back", 13, "g (float[2,3,4] x) => (float[2,3,4] y) {a = Transpose<perm = [2,0,1]>(x)\nb = Transpose<perm = [1,2,0]>(a)\ny = Relu(b)}", "Relu"},
		{"target of a reshape with allowzero", 15, "g (float[N,6,4] x) => (float[N,2,3,4] y, float[K,3,4] z) <int64[3] t = {2, 3, 4}, int64[2] u = {3, 4}, int64 two = {2}> {s = Shape<start = 0, end = 1>(x)\nr = Concat<axis = 0>(s, t)\ny = Reshape<allowzero = 1>(x, r)\nm = Mul(s, two)\nq = Concat<axis = 0>(m, u)\nz = Reshape<allowzero = 1>(x, q)}", "Reshape Reshape"},
		{"states of zeros", 15, "g (float[5,N,2] x, float[1,12,2] w, float[1,12,3] r, float[1,N,3] c) => (float[5,1,N,3] y, float[1,N,3] h) <int64[1] one = {1}, int64[1] three = {3}, int64[1] two = {2}, int64[1] zero = {0}> {s = Shape<start = 1, end = 2>(x)\nd = Concat<axis = 0>(two, s, three)\nf = ConstantOfShape(d)\na = Slice(f, zero, one, zero)\ny = LSTM<hidden_size = 3>(x, w, r, , , a, c)\ng, h = LSTM<hidden_size = 3>(x, w, r, , , a, a)}", "LSTM LSTM"},
		{"states that are not zeros", 15, "g (float[5,N,2] x, float[1,3,2] w, float[1,3,3] r) => (float[5,1,N,3] y) <int64[1] one = {1}, int64[1] three = {3}> {s = Shape<start = 1, end = 2>(x)\nd = Concat<axis = 0>(one, s, three)\nf = ConstantOfShape<value = float[1] {0.5}>(d)\ny = RNN<hidden_size = 3>(x, w, r, , , f)}", "Shape Concat ConstantOfShape RNN"},
		{"reshapes", 13, "g (float[N,2,6] x) => (float[N,3,4] y) <int64[2] s = {-1, 12}, int64[3] r = {-1, 3, 4}> {a = Reshape(x, s)\ny = Reshape(a, r)}", "Reshape"},
		{"reshapes there and back", 13, "g (float[N,2,6] x) => (float[N,2,6] y) <int64[3] s = {-1, 12, 1}, int64[1] k = {2}, int64[3] r = {0, 2, 6}> {a = Reshape(x, s)\nb = Squeeze(a, k)\nc = Reshape(b, r)\ny = Relu(c)}", "Relu"},
		{"squeezes, older form", 11, "g (float[1,N,1,2] x) => (float[N,2] y) {a = Squeeze<axes = [0]>(x)\ny = Squeeze<axes = [1]>(a)}", "Squeeze"},
		{"unsqueezes", 13, "g (float[N,2] x) => (float[1,N,1,2] y) <int64[1] a0 = {1}, int64[1] a1 = {0}> {a = Unsqueeze(x, a0)\ny = Unsqueeze(a, a1)}", "Unsqueeze"},
		{"flatten by arithmetic of shapes", 11, "g (float[N,2,3] x) => (float[N,6] y) <int64[1] r = {-1}, int64 z = {0}> {s = Shape(x)\nb = Gather(s, z)\nu = Unsqueeze<axes = [0]>(b)\nd = Concat<axis = 0>(u, r)\ny = Reshape(x, d)}", "Reshape"},
		{"sizes of two values that are the same", 13, "g (float[N,2] x) => (float[N,2] y, int64[2] z) {e = Exp(x)\ns = Shape(x)\nu = Shape(e)\nz = Add(s, u)\nv = Shape(e)\ny = Reshape(e, v)}", "Exp Shape Add"},
		{"casts", 13, "g (int32[N] x) => (int32[N] y) {a = Cast<to = 7>(x)\nb = Cast<to = 6>(a)\ny = Abs(b)}", "Abs"},
		{"casts that lose", 13, "g (float[N] x) => (float[N] y) {a = Cast<to = 7>(x)\ny = Cast<to = 1>(a)}", "Cast Cast"},
		{"concatenations", 13, "g (float[N,2] x, float[N,3] z) => (float[N,9] y) {a = Concat<axis = 1>(x, z)\nb = Concat<axis = -1>(x, a)\ny = Concat<axis = 1>(b, x)}", "Concat"},
		{"slices", 13, "g (float[6,7] x) => (float[3,2] y) <int64[1] s = {1}, int64[1] e = {4}, int64[1] a0 = {0}, int64[1] a1 = {-1}, int64[1] l = {7}, int64[1] st = {3}> {a = Slice(x, s, e, a0)\ny = Slice(a, s, l, a1, st)}", "Slice"},
		{"reduction", 11, "g (float[N,3] x) => (float[N,1] y) {a = ReduceMean<axes = [1], keepdims = 0>(x)\ny = Unsqueeze<axes = [1]>(a)}", "ReduceMean"},
		{"conv and norm", 13, "g (float[N,2,4,4] x) => (float[N,3,2,2] y) <float[3,2,3,3] w = " + floats(54) + ", float[3] b = {1, 2, 3}, float[3] s = {2, -1, 0.5}, float[3] o = {1, 0, 2}, float[3] m = {0.5, 0.2, -1}, float[3] v = {1, 2, 0.25}> {a = Conv(x, w, b)\ny = BatchNormalization(a, s, o, m, v)}", "Conv"},
		{"grouped conv and norm", 13, "g (float[N,2,4,4] x) => (float[N,4,2,2] y) <float[4,1,3,3] w = " + floats(36) + ", float[4] s = {2, -1, 0.5, 3}, float[4] o = {1, 0, 2, 4}, float[4] m = {0.5, 0.2, -1, 1}, float[4] v = {1, 2, 0.25, 3}> {a = Conv<group = 2>(x, w)\ny = BatchNormalization(a, s, o, m, v)}", "Conv"},
		{"transposed conv and norm", 13, "g (float[N,4,3,3] x) => (float[N,4,5,5] y) <float[4,2,3,3] w = " + floats(72) + ", float[4] s = {2, -1, 0.5, 3}, float[4] o = {1, 0, 2, 4}, float[4] m = {0.5, 0.2, -1, 1}, float[4] v = {1, 2, 0.25, 3}> {a = ConvTranspose<group = 2>(x, w)\ny = BatchNormalization(a, s, o, m, v)}", "ConvTranspose"},
		{"conv, add and mul", 13, "g (float[N,2,4] x) => (float[N,3,3] y) <float[3,2,2] w = " + floats(12) + ", float[3,1] b = {1, 2, 3}, float[1,3,1] s = {2, -1, 0.5}, float t = {4}> {a = Conv(x, w)\nd = Add(b, a)\ne = Mul(d, s)\nf = Div(e, t)\ny = Sub(f, b)}", "Conv"},
		{"conv that others read", 13, "g (float[N,2,4] x) => (float[N,3,3] y, float[N,3,3] z) <float[3,2,2] w = " + floats(12) + ", float[3,1] b = {1, 2, 3}> {z = Conv(x, w)\ny = Add(b, z)}", "Conv Add"},
		{"pads before conv", 13, "g (float[N,2,4] x) => (float[N,3,6] y) <float[3,2,2] w = " + floats(12) + ", int64[6] p = {0, 0, 1, 0, 0, 1}> {a = Pad(x, p)\ny = Conv<pads = [0, 1]>(a, w)}", "Conv"},
		{"reflected pads before conv", 13, "g (float[N,2,4] x) => (float[N,3,5] y) <float[3,2,2] w = " + floats(12) + ", int64[6] p = {0, 0, 1, 0, 0, 1}> {a = Pad<mode = \"reflect\">(x, p)\ny = Conv(a, w)}", "Pad Conv"},
		{"matrix product and sum", 13, "g (float[N,2] x) => (float[N,3] y) <float[2,3] w = " + floats(6) + ", float[3] b = {1, 2, 3}> {a = MatMul(x, w)\ny = Add(b, a)}", "Gemm"},
		{"product of rank 3 and sum", 13, "g (float[N,2,2] x) => (float[N,2,3] y) <float[2,3] w = " + floats(6) + ", float[3] b = {1, 2, 3}> {a = MatMul(x, w)\ny = Add(b, a)}", "MatMul Add"},
		{"sum that widens the product", 13, "g (float[1,2] x) => (float[2,3] y) <float[2,3] w = " + floats(6) + ", float[2,3] b = " + floats(6) + "> {a = MatMul(x, w)\ny = Add(b, a)}", "MatMul Add"},
		{"turned operand", 13, "g (float[2,N] x) => (float[N,3] y) <float[2,3] w = " + floats(6) + ", float[3] b = {1, 2, 3}> {u = Transpose(x)\ny = Gemm(u, w, b)}", "Gemm"},
		{"Gemm and norm", 13, "g (float[N,2] x) => (float[N,3] y) <float[3,2] w = " + floats(6) + ", float[3] b = {1, 2, 3}, float[3] s = {2, -1, 0.5}, float[3] o = {1, 0, 2}, float[3] m = {0.5, 0.2, -1}, float[3] v = {1, 2, 0.25}> {a = Gemm<transB = 1>(x, w, b)\ny = BatchNormalization(a, s, o, m, v)}", "Gemm"},
		{"branch that is taken", 13, "g (float[N] x) => (float[N] y) <bool c = {1}> {y = If (c) <then_branch = t () => (float[N] p) {p = Exp(x)}, else_branch = e () => (float[N] q) {q = Neg(x)}>}", "Exp"},
		{"inside a branch", 13, "g (float[N] x, bool c) => (float[N] y) {y = If (c) <then_branch = t () => (float[N] p) {u = Identity(x)\nv = Constant<value = float {2}>()\nw = Neg(v)\np = Mul(u, w)}, else_branch = e () => (float[N] q) {q = Neg(x)}>}", "If"},
		{"Gelu", 20, "g (float[N,4] x) => (float[N,4] y) <float r = {1.4142135}, float u = {1}, float h = {0.5}> {a = Div(x, r)\nb = Erf(a)\nc = Add(b, u)\nd = Mul(x, c)\ny = Mul(d, h)}", "Gelu"},
		{"Gelu of an older opset stays", 19, "g (float[N,4] x) => (float[N,4] y) <float r = {1.4142135}, float u = {1}, float h = {0.5}> {a = Div(x, r)\nb = Erf(a)\nc = Add(b, u)\nd = Mul(x, c)\ny = Mul(d, h)}", "Div Erf Add Mul Mul"},
		{"Gelu of other numbers stays", 20, "g (float[N,4] x) => (float[N,4] y) <float r = {1.41}, float u = {1}, float h = {0.5}> {a = Div(x, r)\nb = Erf(a)\nc = Add(b, u)\nd = Mul(x, c)\ny = Mul(d, h)}", "Div Erf Add Mul Mul"},
		{"Gelu by tanh", 20, "g (float[N,4] x) => (float[N,4] y) <float three = {3}, float k = {0.044715}, float r = {0.7978845608}, float u = {1}, float h = {0.5}> {p = Pow(x, three)\nq = Mul(p, k)\ns = Add(x, q)\na = Mul(s, r)\nb = Tanh(a)\nc = Add(b, u)\nd = Mul(h, x)\ny = Mul(d, c)}", "Gelu"},
		{"LayerNormalization", 17, "g (float[N,4] x) => (float[N,4] y) <float two = {2}, float e = {1e-5}, float[4] s = {1, 2, 3, 4}, float[4] b = {4, 3, 2, 1}> {m = ReduceMean<axes = [-1]>(x)\nd = Sub(x, m)\np = Pow(d, two)\nv = ReduceMean<axes = [-1]>(p)\nw = Add(v, e)\nr = Sqrt(w)\nq = Div(d, r)\nt = Mul(q, s)\ny = Add(t, b)}", "LayerNormalization"},
		{"LayerNormalization without bias", 18, "g (float[N,4] x) => (float[N,4] y) <int64[1] l = {1}, float e = {1e-5}, float[4] s = {1, 2, 3, 4}> {m = ReduceMean(x, l)\nd = Sub(x, m)\np = Mul(d, d)\nv = ReduceMean(p, l)\nw = Add(v, e)\nr = Sqrt(w)\nq = Div(d, r)\ny = Mul(s, q)}", "LayerNormalization"},
		{"LayerNormalization along another axis stays", 17, "g (float[4,4] x) => (float[4,4] y) <float two = {2}, float e = {1e-5}, float[4] s = {1, 2, 3, 4}, float[4] b = {4, 3, 2, 1}> {m = ReduceMean<axes = [0]>(x)\nd = Sub(x, m)\np = Pow(d, two)\nv = ReduceMean<axes = [0]>(p)\nw = Add(v, e)\nr = Sqrt(w)\nq = Div(d, r)\nt = Mul(q, s)\ny = Add(t, b)}", "ReduceMean Sub Pow ReduceMean Add Sqrt Div Mul Add"},
		{"RMSNormalization", 23, "g (float[N,4] x) => (float[N,4] y) <int64[1] l = {-1}, float two = {2}, float e = {1e-5}, float[4] s = {1, 2, 3, 4}> {p = Pow(x, two)\nv = ReduceMean(p, l)\nw = Add(v, e)\nr = Sqrt(w)\ni = Reciprocal(r)\nq = Mul(x, i)\ny = Mul(s, q)}", "RMSNormalization"},
		{"Attention", 23, "g (float[N,2,3,4] q, float[N,2,5,4] k, float[N,2,5,6] v) => (float[N,2,3,6] y) <float c = {2}> {t = Transpose<perm = [0,1,3,2]>(k)\na = MatMul(q, t)\nb = Div(a, c)\np = Softmax<axis = -1>(b)\ny = MatMul(p, v)}", "Attention"},
		{"Attention with a mask", 23, "g (float[N,2,3,4] q, float[N,5,2,4] k, float[N,2,5,6] v, float[N,1,3,5] m) => (float[N,2,3,6] y) {t = Transpose<perm = [0,2,3,1]>(k)\na = MatMul(q, t)\nb = Add(m, a)\np = Softmax(b)\ny = MatMul(p, v)}", "Transpose Attention"},
		{"positive", 13, "g (float[N,2] x) => (float[N,2] y) <float[2] s = " + positive(2) + "> {a = Sqrt(s)\nb = Log(a)\ny = Mul(x, b)}", "Mul"},
	} {
		t.Run(c.name, func(t *testing.T) { simplified(t, modelOf(t, c.opset, c.graph), c.want, rewrite.Simplifying{}) })
	}
}

// TestSimplifyOld: in a file before IR 4, weights are inputs.
func TestSimplifyOld(t *testing.T) {
	m := modelOf(t, 9, "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> {a = Neg(w)\ny = Mul(x, a)}")
	m.IRVersion = 3
	simplified(t, m, "Mul", rewrite.Simplifying{})
	if m.IRVersion != 4 || len(m.Graph.Inputs()) != 1 {
		t.Errorf("IR %d, %d inputs", m.IRVersion, len(m.Graph.Inputs()))
	}
	m = modelOf(t, 9, "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> {a = Neg(w)\ny = Mul(x, a)}")
	simplified(t, m, "Neg Mul", rewrite.Simplifying{})
	if w := m.Graph.Lookup("w"); len(m.Graph.Inputs()) != 2 || w.Const == nil {
		t.Errorf("what can be fed is %v", w)
	}
}

// TestSimplifyShares: initializers that hold the same are one, and only those.
func TestSimplifyShares(t *testing.T) {
	m := modelOf(t, 13, "g (float[2] x) => (float[2] y) <float[2] a = {3, 2}, float[2] b = {3, 2}, float[2] c = {3, 1}, float[2] unread = {3, 3}, float[1,2] d = {3, 2}> {p = Add(x, a)\nq = Add(p, b)\nr = Add(q, c)\ns = Mul(r, d)\nk = Constant<value = int64[1] {0}>()\ny = Squeeze(s, k)}")
	simplified(t, m, "Add Add Add Mul Squeeze", rewrite.Simplifying{})
	if n := len(m.Graph.Initializers()); n != 4 {
		t.Errorf("%d initializers\n%s", n, m.Text())
	}
}

// TestSimplifyBound: folding makes no more bytes than it may.
func TestSimplifyBound(t *testing.T) {
	const graph = "g (float[8] x) => (float[8] y) {s = Constant<value = int64[1] {8}>()\na = ConstantOfShape<value = float[1] {3}>(s)\nb = ConstantOfShape<value = float[1] {4}>(s)\nc = Mul(x, a)\ny = Mul(c, b)}"
	simplified(t, modelOf(t, 13, graph), "Mul Mul", rewrite.Simplifying{MaxBytes: 64})
	simplified(t, modelOf(t, 13, graph), "ConstantOfShape Mul Mul", rewrite.Simplifying{MaxBytes: 63})
	simplified(t, modelOf(t, 13, graph), "ConstantOfShape ConstantOfShape Mul Mul", rewrite.Simplifying{MaxBytes: 31})
	huge := modelOf(t, 13, "g (float[8] x) => (float[8] y) {s = Constant<value = int64[2] {1099511627776, 4}>()\na = ConstantOfShape(s)\nm = ReduceMax<keepdims = 0>(a)\ny = Mul(x, m)}")
	rewrite.Simplify(huge, rewrite.Simplifying{})
	if got := operatorsOf(huge.Graph); got != "ConstantOfShape ReduceMax Mul" {
		t.Errorf("left: %s", got)
	}
}

// TestSimplifyByRuntime: what Go does not compute the given function does; where that fails, the rule is named and the rest
// is done.
func TestSimplifyByRuntime(t *testing.T) {
	const graph = "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {a = Sin(w)\nb = Cos(a)\nc = Identity(x)\ny = Mul(c, b)}"
	ran := 0
	simplified(t, modelOf(t, 13, graph), "Mul", rewrite.Simplifying{Evaluate: func(m *onnx.Model) ([]*onnx.Tensor, error) {
		ran++
		got := outputsOf(t, m, nil)
		return []*onnx.Tensor{got[m.Graph.Outputs()[0].Name]}, nil
	}})
	if ran != 1 {
		t.Errorf("%d runs", ran)
	}
	m := modelOf(t, 13, graph)
	result := rewrite.Simplify(m, rewrite.Simplifying{Evaluate: func(*onnx.Model) ([]*onnx.Tensor, error) { return nil, errors.New("no such kernel") }})
	if got := operatorsOf(m.Graph); got != "Sin Cos Mul" || len(result.Skipped) != 1 || result.Skipped[0].Rule != "runtime folding" || result.Skipped[0].Reason != "no such kernel" {
		t.Errorf("%s, skipped %v", got, result.Skipped)
	}
}
