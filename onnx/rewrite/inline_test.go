package rewrite_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

const withFunctions = `<ir_version: 10, opset_import: ["" : 17, "local" : 1]>
g (float[2,3] x, float w) => (float[2,3] y, float[2,3] z) {
  [first] h = local.Norm<axes = [1]>(x, w)
  [second] y = local.Norm<axes = [0]>(h)
  c = Constant<value = bool {0}>()
  z = If<then_branch = a () => (float[2,3] u) { u = Relu(h) }, else_branch = b () => (float[2,3] v) { v = local.Norm<axes = [1]>(h, w) }>(c)
}
<domain: "local", opset_import: ["" : OPSET, "local" : 1]>
Norm <axes>(x, w) => (n) {
  m = ReduceMean<axes: ints = @axes>(x)
  d = Sub(x, m)
  s = local.Scale(d)
  t = Clip(s, w)
  n = Neg(t)
}
<domain: "local", opset_import: ["" : OPSET]>
Scale <by: float = 2.5>(x) => (y) {
  k = Constant<value_float: float = @by>()
  p = Softmax(x)
  y = Mul(p, k)
}
`

// TestInline: bodies take the place of calls, with attributes given and defaulted, optional inputs absent, calls inside
// bodies and graphs, and functions in an older opset than the model's.
func TestInline(t *testing.T) {
	runtimetest.Library(t)
	for _, opset := range []string{"17", "13", "12"} {
		m := onnxtest.Parse(t, strings.ReplaceAll(withFunctions, "OPSET", opset))
		got := m.Clone()
		if err := rewrite.Inline(got); err != nil {
			t.Fatal(err)
		}
		if len(got.Functions()) != 0 {
			t.Error("functions are left")
		}
		want := int64(17)
		if opset != "17" {
			want = op.Opset
		}
		if got.Opset("") != want {
			t.Errorf("opset %d, want %d", got.Opset(""), want)
		}
		if got.Graph.Lookup("first/m") == nil || got.Graph.Lookup("h") == nil {
			t.Errorf("names are lost: %s", got.Graph.Text())
		}
		got.Graph.AssignNames()
		for _, f := range onnx.Check(got) {
			if f.Severity == onnx.Error {
				t.Errorf("%v", f)
			}
		}
		if opset == "12" {
			continue // ONNX Runtime reads the body in the model's opset
		}
		a, b := outputs(t, m), outputs(t, got)
		for name := range a {
			onnxtest.Close(t, b[name], a[name], 1e-6, 1e-6)
		}
	}
}
