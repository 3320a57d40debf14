package inspect

import (
	"strings"
	"testing"

	"graft/onnx"
)

// What the standard says of operators is held against every node, in subgraphs and functions too, and all is said at once.
func TestCheckStandard(t *testing.T) {
	m, err := onnx.Parse(`<ir_version: 10, opset_import: ["" : 13, "own" : 1]>
		g (float[2] x, bool c, string[2] s, double[2] d) => (float[2] y, float[2] z) {
			a = NoSuch (x)
			b = GridSample (x, x)
			e = Upsample <scales: floats = [1.0]> (x)
			f = Relu (x, x)
			h, i = Relu (x)
			j = Relu <alpha: float = 1> (x)
			k = LeakyRelu <alpha: int = 1> (x)
			l = Cast (x)
			n = Relu (s)
			o = Add (x, d)
			y = own.f (x)
			z = If (c) <then_branch: graph = t () => (float[2] p) { p = Relu <axis: int = 1> (x) },
				else_branch: graph = e () => (float[2] q) { q = Relu (x) }>
		}
		<domain: "own", opset_import: ["" : 17]> f (v) => (w) { w = GridSample (v) u = Gelu (v) }`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range Check(m) {
		got = append(got, f.String())
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		`graph: node NoSuch -> a: no operator "NoSuch" in opset 13 of domain "ai.onnx" [operator]`,
		`graph: node GridSample -> b: GridSample comes with opset 16, the model imports 13 [operator]`,
		`graph: node Upsample -> e: Upsample is withdrawn since opset 10, the model imports 13 [operator]`,
		`graph: node Relu -> f: Relu has 2 inputs, in opset 13 it takes 1 [inputs]`,
		`graph: node Relu -> h: Relu has 2 outputs, in opset 13 it gives 1 [outputs]`,
		`graph: node Relu -> j: Relu of opset 13 has no attribute "alpha"; it knows none [attribute]`,
		`graph: node LeakyRelu -> k: attribute "alpha" is of kind int, LeakyRelu of opset 6 wants float [attribute]`,
		`graph: node Cast -> l: Cast needs the attribute "to" [attribute]`,
		`graph: node Relu -> n: input 0, "s", is string, which Relu of opset 13 does not take [types]`,
		`graph: node Add -> o: input 1, "d", is double where another of Add is float: they must be alike [types]`,
		`graph: node If -> z: node Relu -> p: Relu of opset 13 has no attribute "axis"`,
		`function own.f: node GridSample -> w: GridSample has 1 inputs, in opset 16 it takes 2 [inputs]`,
		`function own.f: node Gelu -> u: Gelu comes with opset 20, the model imports 17 [operator]`,
	} {
		if !strings.Contains(text, "error: "+want) {
			t.Errorf("not found: %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
