package inspect

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// small has a Constant weight, a shared weight, a converted one, zeros of both signs, and an operator nobody knows.
func small() *onnx.Model {
	g := onnx.NewGraph("small")
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 4}}})
	shared := g.AddInitializer("shared", onnx.FromSlice([]float32{1, 0, float32(math.Copysign(0, -1)), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, 4, 4))
	first := g.Add("MatMul", []*onnx.Value{x, shared}, 1)
	first.Name = "first"
	second := g.Add("MatMul", []*onnx.Value{first.Output(0), shared}, 1)
	second.Name = "second"
	constant := g.Add("Constant", nil, 1, onnx.TensorAttr("value", onnx.FromSlice([]float32{0, 1, 2, 3}, 4)))
	sum := g.Add("Gemm", []*onnx.Value{second.Output(0), g.AddInitializer("square", onnx.NewTensor(onnx.Float, 4, 4)), constant.Output(0)}, 1)
	sum.Name = "sum"
	half := g.AddInitializer("half", onnx.NewTensor(onnx.Float16, 2, 4))
	half.Const.Data[1] = 0x80 // -0
	half.Const.Data[3] = 0x3c // 1
	wide := g.Add("Cast", []*onnx.Value{half}, 1, onnx.Int("to", int64(onnx.Float)))
	turned := g.Add("Transpose", []*onnx.Value{wide.Output(0)}, 1)
	last := g.Add("MatMul", []*onnx.Value{sum.Output(0), turned.Output(0)}, 1)
	odd := g.Add("Frobnicate", []*onnx.Value{last.Output(0)}, 1)
	odd.Domain = "com.example"
	last.Output(0).Name, odd.Output(0).Name = "last", "odd"
	g.AddOutput(last.Output(0), "")
	g.AddOutput(odd.Output(0), "")
	g.AddInitializer("index", onnx.FromSlice([]int64{1, 2, 3}))
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: "com.example", Version: 2}}, Graph: g}
}

func TestDescribe(t *testing.T) {
	s := Describe(small())
	if s.Parameters != 16+16+4+8 || s.Nonzero != 14+0+3+1 || s.Constants != 4 || s.Nodes != 8 || s.Operators["MatMul"] != 3 || s.Operators["com.example::Frobnicate"] != 1 {
		t.Errorf("%+v", s)
	}
	if math.Abs(s.Sparsity-26.0/44) > 1e-12 || s.Opsets["ai.onnx"] != 17 || s.Opsets["com.example"] != 2 {
		t.Errorf("%+v", s)
	}
	if s.MACs != 16+16+16+8 || !slices.Equal(s.FreeDims, []string{"batch"}) {
		t.Errorf("%d MACs at %v", s.MACs, s.FreeDims)
	}
	want := []Layer{
		{Name: "first", Op: "MatMul", Parameters: 16, Nonzero: 14, Sparsity: 0.125, DType: "float32", MACs: 16, Output: []any{"batch", 4}, Weights: []string{"shared"}},
		{Name: "second", Op: "MatMul", MACs: 16, Output: []any{"batch", 4}},
		{Name: "sum", Op: "Gemm", Parameters: 20, Nonzero: 3, Sparsity: 0.85, DType: "float32", MACs: 16, Output: []any{"batch", 4}, Weights: []string{"square"}},
		{Name: "last", Op: "MatMul", Parameters: 8, Nonzero: 1, Sparsity: 0.875, DType: "float16", MACs: 8, Output: []any{"batch", 2}, Weights: []string{"half"}},
	}
	if got, _ := json.Marshal(s.Layers); string(got) != marshal(t, want) {
		t.Errorf("layers %s", got)
	}
	if got := marshal(t, s.Outputs); got != `[{"name":"last","dtype":"float32","shape":["batch",2]},{"name":"odd","dtype":"unknown","shape":null}]` {
		t.Errorf("outputs %s", got)
	}
	if !slices.Equal(s.Unknown, []string{"com.example::Frobnicate"}) {
		t.Errorf("unknown %v", s.Unknown)
	}
}

// TestMemory follows the values of a graph with a fork: x and two branches live together, then their sum.
func TestMemory(t *testing.T) {
	m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 10] x) => (float[N, 10] y) <float[10] w = {1,2,3,4,5,6,7,8,9,10}, int8[4] q = {1,2,3,4}> {
   wide = Concat <axis = 1> (x, x, x)
   a = Relu (wide)
   b = Split <axis = 1> (a)
   c = ReduceMean <axes = [1]> (b)
   y = Add (c, x)
}`)
	if err != nil {
		t.Fatal(err)
	}
	SetDims(m, map[string]int64{"N": 2})
	s := Describe(m)
	// x 80 and Concat's 240, then Relu's 240 beside that.
	if s.Memory.Activations != 80+240+240 || s.Memory.At != "a" || s.Memory.Weights != 44 || s.DTypes["float32"] != 40 || s.DTypes["int8"] != 4 {
		t.Errorf("%+v %v", s.Memory, s.DTypes)
	}
	if len(s.Symbols) != 0 || len(s.FreeDims) != 0 {
		t.Errorf("%v", s.Symbols)
	}
	if s := Describe(small()); len(s.Symbols) != 1 || !slices.Equal(s.Symbols[0].Ports, []string{"x[0]", "last[0]"}) || s.Memory.Unknown != 1 {
		t.Errorf("%+v %+v", s.Symbols, s.Memory)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDescribeSparseAndFilled(t *testing.T) {
	g := onnx.NewGraph("sparse")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 5))
	values := onnx.FromSlice([]float32{1, 0})
	s := g.AddSparseInitializer("s", &onnx.SparseTensor{Values: values, Indices: onnx.FromSlice([]int64{3, 7}), Dims: []int64{5, 6}})
	dims := g.AddInitializer("dims", onnx.FromSlice([]int64{6, 2}))
	ones := g.Add("ConstantOfShape", []*onnx.Value{dims}, 1, onnx.TensorAttr("value", onnx.FromSlice([]float32{1})))
	y := g.Add("MatMul", []*onnx.Value{g.Add("MatMul", []*onnx.Value{x, s}, 1).Output(0), ones.Output(0)}, 1)
	g.AddOutput(y.Output(0), "y")
	got := Describe(&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g})
	if got.Parameters != 30+12 || got.Nonzero != 1+12 || got.MACs != 30+12 {
		t.Errorf("%+v", got)
	}
}

func TestDescribeEmpty(t *testing.T) {
	s := Describe(&onnx.Model{})
	if got := marshal(t, s); !strings.Contains(got, `"layers":[]`) || !strings.Contains(got, `"sparsity":0`) {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	m := small()
	for i, v := range m.Graph.Outputs() {
		v.Type.DType = onnx.Float
		v.Type.Shape = onnx.Shape{{Symbol: "batch"}, {Size: int64(2 + i)}}
	}
	findings := Check(m)
	if !Valid(findings) || len(findings) == 0 || findings[len(findings)-1].Rule != "unknown-operator" {
		t.Errorf("%v", findings)
	}
	m.Graph.Lookup("last").Type = onnx.TypeOf(onnx.Float, 9, 9)
	findings = Check(m)
	if Valid(findings) || !slices.ContainsFunc(findings, func(f onnx.Finding) bool { return f.Rule == "types" && strings.Contains(f.Where, "last") }) {
		t.Errorf("%v", findings)
	}
}
