package rewrite_test

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// parsed is a model in the textual syntax.
func parsed(t *testing.T, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sound fails where the checker finds an error.
func sound(t *testing.T, m *onnx.Model) {
	t.Helper()
	for _, f := range onnx.Check(m) {
		if f.Severity == onnx.Error {
			t.Fatalf("%v\n%s", f, m.Text())
		}
	}
}

func ends(values []*onnx.Value) string {
	var names []string
	for _, v := range values {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

// calls counts nodes outside of the default domain.
func calls(g *onnx.Graph) int {
	n := 0
	for _, node := range g.Nodes() {
		if node.Domain != "" {
			n++
		}
	}
	return n
}

const twoLayers = `<ir_version: 8, opset_import: ["" : 17]>
g (float[2,2] x, float[2,2] side) => (float[2,2] y, float[2,2] z)
<float[2,2] w = {1, 2, 3, 4}>
{
  h = MatMul(x, w)
  r = Relu(h)
  y = Add(r, side)
  z = Neg(h)
}`

func TestRenameEnds(t *testing.T) {
	m := parsed(t, twoLayers)
	want := outputs(t, m)
	// x and side swap; y takes the name of a value inside, which gives way.
	if err := rewrite.RenameEnds(m, map[string]string{"x": "side", "side": "x"}, map[string]string{"y": "h"}); err != nil {
		t.Fatal(err)
	}
	sound(t, m)
	if ends(m.Graph.Inputs()) != "side x" || ends(m.Graph.Outputs()) != "h z" {
		t.Fatal(m.Text())
	}
	if err := rewrite.RenameEnds(m, map[string]string{"x": "side", "side": "x"}, nil); err != nil { // the same feeds again
		t.Fatal(err)
	}
	got := outputs(t, m)
	onnxtest.Close(t, got["h"], want["y"], 0, 0)
	onnxtest.Close(t, got["z"], want["z"], 0, 0)
}

// An output that is an input, or a weight, has a name of its own once it or the other is renamed.
func TestRenameEndsHandedOn(t *testing.T) {
	m := parsed(t, `<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] x, float[2] w, float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }`)
	want := outputs(t, m)
	if err := rewrite.RenameEnds(m, nil, map[string]string{"x": "copy", "w": "weight"}); err != nil {
		t.Fatal(err)
	}
	sound(t, m)
	if ends(m.Graph.Inputs()) != "x" || ends(m.Graph.Outputs()) != "copy weight y" || m.Graph.Lookup("w") == nil {
		t.Fatal(m.Text())
	}
	got := outputs(t, m)
	onnxtest.Close(t, got["copy"], want["x"], 0, 0)
	onnxtest.Close(t, got["weight"], want["w"], 0, 0)
	onnxtest.Close(t, got["y"], want["y"], 0, 0)
}

func TestRenameEndsRefuses(t *testing.T) {
	for _, c := range []struct {
		ins, outs map[string]string
		want      string
	}{
		{map[string]string{"x": "side"}, nil, `would be called "side"`},
		{map[string]string{"x": "y"}, nil, `would be called "y"`},
		{nil, map[string]string{"y": "z"}, `would be called "z"`},
		{nil, map[string]string{"y": ""}, "empty"},
		{map[string]string{"none": "a"}, nil, `no input "none"`},
		{nil, map[string]string{"r": "a"}, `no output "r"`},
	} {
		m := parsed(t, twoLayers)
		before := m.Text()
		if err := rewrite.RenameEnds(m, c.ins, c.outs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v", c.ins, c.outs, err)
		}
		if m.Text() != before {
			t.Errorf("%v %v: changed", c.ins, c.outs)
		}
	}
}

func TestDropOutputs(t *testing.T) {
	m := parsed(t, twoLayers)
	want := outputs(t, m)["y"]
	if err := rewrite.DropOutputs(m, "z"); err != nil {
		t.Fatal(err)
	}
	sound(t, m)
	if ends(m.Graph.Outputs()) != "y" || m.Graph.NumNodes() != 3 {
		t.Fatal(m.Text())
	}
	onnxtest.Close(t, outputs(t, m)["y"], want, 0, 0)
	if err := rewrite.DropOutputs(m, "y"); err == nil || !strings.Contains(err.Error(), "none would be left") {
		t.Error(err)
	}
}

// What is cut out computes what it did inside: the part behind h, fed with what the part before h gives.
func TestExtract(t *testing.T) {
	whole := parsed(t, twoLayers)
	want := outputs(t, whole)
	front, back := parsed(t, twoLayers), parsed(t, twoLayers)
	if err := rewrite.Extract(front, nil, []string{"h"}); err != nil {
		t.Fatal(err)
	}
	if err := rewrite.Extract(back, []string{"h", "side"}, []string{"z", "y"}); err != nil {
		t.Fatal(err)
	}
	sound(t, front)
	sound(t, back)
	if ends(front.Graph.Inputs()) != "x" || ends(back.Graph.Inputs()) != "h side" || ends(back.Graph.Outputs()) != "z y" || len(back.Graph.Initializers()) != 0 {
		t.Fatal(front.Text(), back.Text())
	}
	if _, err := rewrite.Merge([]rewrite.Part{{"front", front}, {"back", back}}, []rewrite.Link{{0, "h", 1, "h"}}, nil); err != nil {
		t.Fatal(err)
	}
	sound(t, front)
	got := outputs(t, front)
	onnxtest.Close(t, got["y"], want["y"], 0, 0)
	onnxtest.Close(t, got["z"], want["z"], 0, 0)
	weight := parsed(t, twoLayers)
	if err := rewrite.Extract(weight, []string{"w", "x"}, []string{"h"}); err != nil {
		t.Fatal(err)
	}
	sound(t, weight)
	if ends(weight.Graph.Inputs()) != "w x" || len(weight.Graph.Initializers()) != 0 {
		t.Fatal(weight.Text())
	}
}

// A branch reads and hands out values of the graph around it.
func TestExtractCaptured(t *testing.T) {
	text := `<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x, bool c) => (float[2] y)
{
  a = Relu(x)
  b = Neg(a)
  y = If(c) <then_branch = th () => (float[2] a) { }, else_branch = el () => (float[2] e) { e = Add(b, a) }>
}`
	m := parsed(t, text)
	if err := rewrite.Extract(m, []string{"a", "c"}, []string{"y"}); err != nil {
		t.Fatal(err)
	}
	sound(t, m)
	if ends(m.Graph.Inputs()) != "a c" || m.Graph.NumNodes() != 2 {
		t.Fatal(m.Text())
	}
}

func TestExtractRefuses(t *testing.T) {
	for _, c := range []struct {
		from, to []string
		want     string
	}{
		{[]string{"h"}, []string{"y"}, `also need the inputs "side"`},
		{[]string{"r", "side", "x"}, []string{"y"}, `reads "x"`},
		{[]string{"none"}, []string{"y"}, `no value "none"`},
		{nil, []string{"x"}, "is an input"},
		{[]string{"h"}, []string{"h"}, "is an input"},
		{[]string{"h", "h"}, []string{"z"}, "twice"},
		{nil, []string{"z", ""}, "empty"},
	} {
		if err := rewrite.Extract(parsed(t, twoLayers), c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v, want %q", c.from, c.to, err, c.want)
		}
	}
}

// Two models that call everything alike: chained, the second one's values, weights and symbols give way.
func TestMergeChain(t *testing.T) {
	text := `<ir_version: 8, opset_import: ["" : 17]>
g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, -2, 3, 4}> { h = MatMul(x, w) y = Relu(h) }`
	a, b := parsed(t, text), parsed(t, strings.Replace(text, "Relu", "Neg", 1))
	first := outputs(t, a)["y"]
	n, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, []rewrite.Link{{0, "y", 1, "x"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, a)
	if n != 3 || ends(a.Graph.Inputs()) != "x" || ends(a.Graph.Outputs()) != "y" || a.Graph.Lookup("b/w") == nil || a.Graph.Lookup("w") == nil {
		t.Fatalf("%d\n%s", n, a.Text())
	}
	got := outputs(t, a)["y"].Float32s()
	f := first.Float32s()
	for i, w := range []float32{f[0] + 3*f[1], -2*f[0] + 4*f[1], f[2] + 3*f[3], -2*f[2] + 4*f[3]} {
		if d := got[i] + w; d > 1e-5 || d < -1e-5 {
			t.Fatalf("%v, want the negative of %v", got, w)
		}
	}
}

// Side by side, with one input for both, of different opsets: the older one is upgraded.
func TestMergeShared(t *testing.T) {
	a := parsed(t, `<ir_version: 8, opset_import: ["" : 17]> g (float[N,2] x) => (float[N,2] p) { p = Relu(x) }`)
	b := parsed(t, `<ir_version: 6, opset_import: ["" : 11]> g (float[N,2] x, float[N,2] k) => (float[N] q) { s = Add(x, k) q = ReduceSum<axes = [1], keepdims = 0>(s) }`)
	if _, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, nil, []string{"x"}); err != nil {
		t.Fatal(err)
	}
	sound(t, a)
	if ends(a.Graph.Inputs()) != "x k" || ends(a.Graph.Outputs()) != "p q" || a.Opset("") != op.Opset || a.IRVersion < 10 {
		t.Fatal(a.Text())
	}
	// N of b is another size than a's as far as anyone knows.
	if d := a.Graph.Outputs()[1].Type.Shape[0]; d.Symbol != "N_1" {
		t.Errorf("symbol %q", d.Symbol)
	}
}

// A link says that two symbols are one.
func TestMergeSymbols(t *testing.T) {
	a := parsed(t, `<ir_version: 8, opset_import: ["" : 17]> g (float[batch,2] x) => (float[batch,2] y) { y = Relu(x) }`)
	b := parsed(t, `<ir_version: 8, opset_import: ["" : 17]> g (float[N,2] x, float[batch] t) => (float[N,2] z, float[batch] u) { z = Neg(x) u = Neg(t) }`)
	if _, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, []rewrite.Link{{0, "y", 1, "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	sound(t, a)
	o := a.Graph.Outputs()
	if o[0].Type.Shape[0].Symbol != "batch" || o[1].Type.Shape[0].Symbol != "batch_1" {
		t.Fatal(a.Text())
	}
}

// Functions of one name with other bodies are put in the place of their calls; equal ones stay.
func TestMergeFunctions(t *testing.T) {
	text := func(body string) string {
		return `<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[2] x) => (float[2] y) { y = own.F(x) }
<domain: "own", opset_import: ["" : 17]> F (a) => (b) { b = ` + body + `(a) }`
	}
	a, b := parsed(t, text("Relu")), parsed(t, text("Neg"))
	if _, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, []rewrite.Link{{0, "y", 1, "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	sound(t, a)
	if len(a.Functions()) != 1 || calls(a.Graph) != 1 || count(a.Graph, "Neg") != 1 {
		t.Fatal(a.Text())
	}
	a, b = parsed(t, text("Relu")), parsed(t, text("Relu"))
	if _, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, []rewrite.Link{{0, "y", 1, "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	sound(t, a)
	if len(a.Functions()) != 1 || calls(a.Graph) != 2 {
		t.Fatal(a.Text())
	}
}

func TestMergeRefuses(t *testing.T) {
	one := `<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }`
	for _, c := range []struct {
		other string
		links []rewrite.Link
		share []string
		want  string
	}{
		{one, nil, nil, `input "x" of "b" is called as one of "a"`},
		{one, nil, []string{"x"}, `output "y" of "b" is called as one of "a"`},
		{one, []rewrite.Link{{0, "z", 1, "x"}}, nil, `"a" has no output "z"`},
		{one, []rewrite.Link{{0, "y", 1, "z"}}, nil, `"b" has no input "z"`},
		{one, []rewrite.Link{{1, "y", 0, "x"}}, nil, "only later ones"},
		{one, []rewrite.Link{{0, "y", 1, "x"}, {0, "y", 1, "x"}}, nil, "fed twice"},
		{one, []rewrite.Link{{0, "y", 1, "x"}}, []string{"x"}, `1 models have an input "x" to share`},
		{strings.Replace(one, "float[2] x", "float[3] x", 1), []rewrite.Link{{0, "y", 1, "x"}}, nil, "shapes differ"},
		{strings.ReplaceAll(one, "float", "double"), []rewrite.Link{{0, "y", 1, "x"}}, nil, "element types differ"},
		{strings.Replace(one, `"" : 17`, `"" : 22`, 1), []rewrite.Link{{0, "y", 1, "x"}}, nil, "opset 22"},
		{`<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] x, float[2] y) { y = Relu(x) }`, []rewrite.Link{{0, "y", 1, "x"}}, nil, "is one of its inputs"},
	} {
		a, b := parsed(t, one), parsed(t, c.other)
		if _, err := rewrite.Merge([]rewrite.Part{{"a", a}, {"b", b}}, c.links, c.share); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: %v, want %q", c.links, c.share, err, c.want)
		}
	}
}

// Three in a row, with branches whose values are called alike.
func TestMergeThree(t *testing.T) {
	text := `<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] y)
{
  c = Constant<value = bool {1}>()
  y = If(c) <then_branch = th () => (float[2] r) { r = Neg(x) }, else_branch = el () => (float[2] r) { r = Abs(x) }>
}`
	var parts []rewrite.Part
	for _, name := range []string{"a", "b", "c"} {
		parts = append(parts, rewrite.Part{Name: name, Model: parsed(t, text)})
	}
	want := outputs(t, parts[0].Model)["y"]
	if _, err := rewrite.Merge(parts, []rewrite.Link{{0, "y", 1, "x"}, {1, "y", 2, "x"}}, nil); err != nil {
		t.Fatal(err)
	}
	m := parts[0].Model
	sound(t, m)
	if got := outputs(t, m)["y"]; !slices.Equal(got.Float32s(), want.Float32s()) {
		t.Errorf("%v, want %v", got.Float32s(), want.Float32s())
	}
}
