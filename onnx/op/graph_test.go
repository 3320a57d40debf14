package op

import (
	"errors"
	"testing"

	"graft/onnx"
)

func TestInferGraph(t *testing.T) {
	g := onnx.NewGraph("net")
	x := g.AddInput("x", parseType("float [batch 4]"))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 4, 3))
	h := g.Add("MatMul", []*onnx.Value{x, w}, 1).Output(0)
	y := g.Add("Relu", []*onnx.Value{h}, 1).Output(0)
	y.Type = parseType("float [N ?]")
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	if h.Type.String() != "float [batch 3]" || y.Type.String() != "float [batch 3]" {
		t.Errorf("h %v, y %v", h.Type, y.Type)
	}
	y.Type = parseType("float [batch 5]")
	y.Name = "y"
	if err := InferGraph(g); err == nil || err.Error() != "infer node of y: Relu: output 0 is float [batch 3], the file says float [batch 5]" {
		t.Errorf("contradiction: %v", err)
	}
	y.Type = onnx.TensorType{}
	y.Producer().Name = "act"
	g.Add("Add", []*onnx.Value{y, g.AddInput("z", parseType("float [7]"))}, 1).Name = "sum"
	if err := InferGraph(g); err == nil ||
		err.Error() != "infer sum: Add: shapes do not broadcast: [batch 3] and [7] (inputs float [batch 3], float [7])" {
		t.Errorf("broadcast: %v", err)
	}
}

func TestInferGraphNamesUnknownOperators(t *testing.T) {
	g := onnx.NewGraph("net")
	x := g.AddInput("x", parseType("float [2]"))
	a := g.Add("Frobnicate", []*onnx.Value{x}, 1).Output(0)
	a.Type = parseType("float [7]")
	c := g.Add("Relu", []*onnx.Value{a}, 1).Output(0)
	d := g.Add("Add", []*onnx.Value{x, c}, 1)
	d.Domain = "com.example"
	g.Add("Frobnicate", []*onnx.Value{c}, 1)
	err := InferGraph(g)
	var unknown *UnknownOperatorsError
	if !errors.As(err, &unknown) || err.Error() != "infer: no such operators in the table: Frobnicate, com.example:Add" {
		t.Errorf("error %v", err)
	}
	if c.Type.String() != "float [7]" {
		t.Errorf("the rest is not inferred: %v", c.Type)
	}
	if _, err := LowestOpset(g); err == nil || err.Error() != "lowest opset: no such operators in the table: Frobnicate, com.example:Add" {
		t.Errorf("error %v", err)
	}
}

func TestLowestOpset(t *testing.T) {
	for _, c := range []struct {
		op    string
		in    []any
		attrs []onnx.Attr
		want  int64
	}{
		{op: "Relu", in: []any{"float [2]"}, want: 7},
		{op: "Relu", in: []any{"bfloat16 [2]"}, want: 13},
		{op: "Relu", in: []any{"int32 [2]"}, want: 14},
		{op: "LeakyRelu", in: []any{"float [2]"}, want: 7},
		{op: "LeakyRelu", in: []any{"bfloat16 [2]"}, want: 16},
		{op: "Conv", in: []any{"bfloat16 [1 1 3]", "bfloat16 [1 1 1]"}, want: 22},
		{op: "ReduceSum", in: []any{"float [2]", []int64{0}}, want: 13},
		{op: "ReduceMean", in: []any{"float [2]", []int64{0}}, want: 18},
		{op: "ReduceMean", in: []any{"float [2]"}, want: 7},
		{op: "Pad", in: []any{"float [2]", []int64{1, 1}}, attrs: attrs(onnx.Str("mode", "reflect")), want: 11},
		{op: "Pad", in: []any{"float [2]", []int64{1, 1}}, attrs: attrs(onnx.Str("mode", "wrap")), want: 19},
		{op: "Pad", in: []any{"float [2]", []int64{1, 1}, nil, []int64{0}}, want: 18},
		{op: "Resize", in: []any{"float [2]", nil, []float32{2}}, want: 13},
		{op: "AveragePool", in: []any{"float [1 1 3]"}, attrs: attrs(onnx.Ints("kernel_shape", 1), onnx.Ints("dilations", 1)), want: 19},
		{op: "ScatterElements", in: []any{"float [2]", "int64 [2]", "float [2]"}, attrs: attrs(onnx.Str("reduction", "add")), want: 16},
		{op: "Gelu", in: []any{"float [2]"}, want: 20},
		{op: "Cast", in: []any{"float [2]"}, attrs: attrs(onnx.Int("to", int64(onnx.BFloat16))), want: 13},
		{op: "Cast", in: []any{"float [2]"}, attrs: attrs(onnx.Int("to", int64(onnx.Float8E5M2))), want: 19},
		{op: "GreaterOrEqual", in: []any{"float [2]", "float [2]"}, want: 12},
		{op: "BatchNormalization", in: []any{"float [1 2]", "float [2]", "float [2]", "float [2]", "float [2]"}, want: 9},
	} {
		n := testNode(c.op, c.in, 1, c.attrs)
		types, err := Infer(n)
		if err != nil {
			t.Fatal(err)
		}
		n.Output(0).Type = types[0]
		if got, err := LowestOpset(n.Graph()); err != nil || got != c.want {
			t.Errorf("%s%s: %d (%v), want %d", c.op, inputShapes(n), got, err, c.want)
		}
	}
}

// TestTable: one row an operator, and rows that say what the engine needs.
func TestTable(t *testing.T) {
	rows := 0
	for _, f := range families {
		for _, s := range f {
			rows++
			if s.Name == "" || s.Infer == nil || s.Since < 7 || s.MinIn < 0 || (s.MaxIn >= 0 && s.MaxIn < s.MinIn) || s.Out == 0 {
				t.Errorf("row %+v", s)
			}
			for _, e := range s.Types {
				if e.since > 28 || e.types == 0 {
					t.Errorf("%s: types %+v", s.Name, e)
				}
			}
		}
	}
	if rows != len(table) {
		t.Errorf("%d rows, %d operators", rows, len(table))
	}
	t.Logf("%d operators", rows)
}
