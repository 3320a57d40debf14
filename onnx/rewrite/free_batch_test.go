package rewrite

import (
	"strings"
	"testing"

	"graft/onnx"
)

func TestFreeBatch(t *testing.T) {
	for text, want := range map[string]string{
		// the shape and the recorded type have the batch in them
		`<ir_version: 8, opset_import: ["" : 13]>
a (float[1,2,1] x) => (float[1,2] y) <int64[2] s = {1, 2}, float[2,2] w = {1, 2, 3, 4}, float[1,2] r> { r = Reshape(x, s) y = MatMul(r, w) }`: "float [batch 2]",
		`<ir_version: 8, opset_import: ["" : 13]>
b (float[3,2] x) => (float[3,2] y) { y = Relu(x) }`: "float [batch 2]",
		`<ir_version: 8, opset_import: ["" : 13]>
c (float[1,6] x) => (float[1,2,3] y) <int64[3] s = {1, 2, 3}, int64[3] u = {1, 2, -1}> { r = Reshape(x, s) y = Reshape(r, u) }`: "float [batch 2 3]",
		`<ir_version: 8, opset_import: ["" : 13]>
d (float[1,6] x) => (float[1] y) <int64[1] a = {0}> { s = ReduceSum<keepdims = 0>(x) i = Identity(s) y = Unsqueeze(i, a) }`: "does not follow it: ",
		`<ir_version: 8, opset_import: ["" : 13]>
e (float[1,6] x, float[2,6] z) => (float[1,6] y) { y = Add(x, z) }`: "1 and 2",
		`<ir_version: 8, opset_import: ["" : 13]>
f (float[n,6] x) => (float[n,6] y) { y = Relu(x) }`: "no input has a fixed",
		`<ir_version: 8, opset_import: ["" : 13]>
h (float[1,6] x) => (float[1,6] y) <int64[3] s = {1, 1, 6}, float[1,6] o = {1, 2, 3, 4, 5, 6}> { r = Reshape(x, s) q = ReduceMax<keepdims = 0, axes = [0, 1]>(r) y = Add(q, o) }`: "ReduceMax",
	} {
		m, err := onnx.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = FreeBatch(m, "batch")
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = m.Graph.Outputs()[0].Type.String()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s\ngives %s, want %s", text, got, want)
		}
	}
}
