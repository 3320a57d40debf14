package diff

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"graft/onnx"
)

const base = `<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4] x) => (float[N, 4] y) <float[4, 4] w1 = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, float[4, 4] w2 = {2,0,0,0,0,2,0,0,0,0,2,0,0,0,0,2}> {
   a = MatMul (x, w1)
   b = Relu (a)
   c = MatMul (b, w2)
   d = LeakyRelu <alpha = 0.5> (c)
   e = MatMul (d, w1)
   y = Add (e, x)
}`

func parse(t *testing.T, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edited is base with texts replaced, in pairs.
func edited(t *testing.T, replace ...string) *onnx.Model {
	t.Helper()
	return parse(t, strings.NewReplacer(replace...).Replace(base))
}

func TestModels(t *testing.T) {
	for _, test := range []struct {
		name           string
		replace        []string
		equal, renamed bool
		want           func(r *Report) bool
	}{
		{"same", nil, true, false, func(r *Report) bool { return r.Nodes.Matched == 6 && r.SameWeights == 2 }},
		{"names inside", []string{"w1", "kernel", "b", "p", "c", "b"}, true, true, func(r *Report) bool {
			return r.Nodes.Matched == 6 && r.Renamed.Values == 2 && r.Renamed.Weights == 1
		}},
		{"input's name", []string{" x)", " in)", "(x,", "(in,", ", x)", ", in)"}, false, true, func(r *Report) bool {
			return len(r.Renamed.Signature) == 1 && r.Renamed.Signature[0] == [2]string{"x", "in"}
		}},
		{"dimension's name", []string{"N", "batch"}, false, true, func(r *Report) bool {
			return len(r.Renamed.Signature) == 1 && r.Renamed.Signature[0] == [2]string{"N", "batch"}
		}},
		{"dimension's size", []string{"N", "3"}, false, false, func(r *Report) bool {
			return len(r.Model) == 2 && r.Model[0] == Change{"input x", "float [N 4]", "float [3 4]"}
		}},
		{"weight", []string{"{2,0,0,0,0,2", "{2,0,3,0,0,6"}, false, false, func(r *Report) bool {
			return len(r.Changed) == 0 && len(r.Weights) == 1 && r.Weights[0].A == "w2" && r.Weights[0].NormDiff == 5 &&
				r.Weights[0].MaxAbs == 4 && r.Weights[0].Changed == 2 && r.Weights[0].NormA == 4
		}},
		{"attribute", []string{"0.5", "0.25"}, false, false, func(r *Report) bool {
			return len(r.Changed) == 1 && r.Changed[0].A == "d" && r.Changed[0].Changes[0] == Change{"attribute alpha", "0.5", "0.25"}
		}},
		{"operator", []string{"Relu (a)", "Tanh (a)"}, false, false, func(r *Report) bool {
			return len(r.Changed) == 1 && r.Changed[0].Changes[0] == Change{"operator", "Relu", "Tanh"}
		}},
		{"opset", []string{": 17", ": 18"}, false, false, func(r *Report) bool {
			return len(r.Model) == 1 && r.Model[0] == Change{"opset ai.onnx", "17", "18"}
		}},
		{"IR version", []string{"ir_version: 8", "ir_version: 9"}, true, false, func(r *Report) bool { return len(r.Notes) == 1 }},
		// The names move on by one behind the node that came in, as exporters' numbers do.
		{"node put in", []string{"b = Relu (a)", "b = Relu (a)\n c = Neg (b)", "c = MatMul (b, w2)", "d = MatMul (c, w2)",
			"d = LeakyRelu <alpha = 0.5> (c)", "e = LeakyRelu <alpha = 0.5> (d)", "e = MatMul (d", "f = MatMul (e", "Add (e", "Add (f"},
			false, false, func(r *Report) bool {
				return r.Nodes.Matched == 6 && len(r.Added) == 1 && r.Added[0] == Node{Name: "c", Op: "Neg"} && len(r.Changed) == 1 &&
					r.Changed[0].A == "c" && r.Changed[0].B == "d" && r.Changed[0].Changes[0] == Change{"input 0", "Relu b", "Neg c"}
			}},
		{"wiring", []string{"Add (e, x)", "Add (e, d)"}, false, false, func(r *Report) bool {
			return len(r.Changed) == 1 && r.Changed[0].Changes[0] == Change{"input 1", "input x", "LeakyRelu d"}
		}},
	} {
		r := Models(parse(t, base), edited(t, test.replace...))
		if r.Equal != test.equal || r.RenamedOnly != test.renamed || !test.want(r) {
			got, _ := json.MarshalIndent(r, "", " ")
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

const branches = `<ir_version: 8, opset_import: ["" : 17]>
net (bool c, float[2] x) => (float[2] y) {
   y = If (c) <then_branch = yes () => (float[2] a) { a = Relu (x) }, else_branch = no () => (float[2] b) { b = Selu <gamma = 1.0> (x) }>
}`

func TestSubgraphs(t *testing.T) {
	first := parse(t, branches)
	if r := Models(first, parse(t, branches)); !r.Equal || r.Nodes.A != 3 || r.Nodes.Matched != 3 {
		t.Errorf("%+v", r)
	}
	r := Models(first, parse(t, strings.Replace(branches, "1.0", "2.0", 1)))
	if r.Equal || len(r.Changed) != 1 || r.Changed[0].Graph != "y.else_branch" || r.Changed[0].Changes[0].What != "attribute gamma" {
		t.Errorf("%+v", r)
	}
}

// TestTrained has every weight of a deep chain changed and every name too: structure alone tells the nodes.
func TestTrained(t *testing.T) {
	chain := func(scale float32, prefix string) *onnx.Model {
		g := onnx.NewGraph("chain")
		v := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2))
		for i := range 200 {
			w := onnx.FromSlice([]float32{scale, float32(i), 0, scale}, 2, 2)
			v = g.Add("MatMul", []*onnx.Value{v, g.AddInitializer(prefix+string(rune('a'+i%26))+strings.Repeat("i", i/26), w)}, 1).Output(0)
			v = g.Add("Relu", []*onnx.Value{v}, 1).Output(0)
		}
		g.AddOutput(v, "y")
		g.AssignNames()
		return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	}
	r := Models(chain(1, "a"), chain(2, "b"))
	if r.Nodes.Matched != 400 || len(r.Weights) != 200 || len(r.Changed) != 0 || math.Abs(float64(r.Weights[7].NormDiff)-math.Sqrt2) > 1e-12 {
		t.Errorf("%+v %d", r.Nodes, len(r.Weights))
	}
}

func TestEmpty(t *testing.T) {
	if r := Models(&onnx.Model{}, &onnx.Model{}); !r.Equal {
		t.Errorf("%+v", r)
	}
}

func BenchmarkModels(b *testing.B) {
	g := onnx.NewGraph("long")
	v := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	one := g.AddInitializer("one", onnx.FromSlice([]float32{1, 1}))
	for range 50000 {
		v = g.Add("Add", []*onnx.Value{v, one}, 1).Output(0)
		v = g.Add("Relu", []*onnx.Value{v}, 1).Output(0)
	}
	g.AddOutput(v, "y")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	for b.Loop() {
		if !Models(m, m.Clone()).Equal {
			b.Fatal("a copy differs")
		}
	}
}
