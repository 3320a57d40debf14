package runtime_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// weightOf is a tensor of 512 KiB of numbers from first on.
func weightOf(d onnx.DataType, first int) *onnx.Tensor {
	t := onnx.NewTensor(d, int64(512<<10*8/d.Bits()))
	for i := range t.Data {
		t.Data[i] = byte(i+first) % 64
	}
	return t
}

// heavyModel gives its large weights back: of the outermost graph, of a Constant, of a branch; one of them is an input too.
func heavyModel(d onnx.DataType) (*onnx.Model, []*onnx.Tensor) {
	list := []*onnx.Tensor{weightOf(d, 1), weightOf(d, 2), weightOf(d, 3), weightOf(d, 4)}
	g := onnx.NewGraph("heavy")
	yes := g.AddInput("yes", onnx.TypeOf(onnx.Bool))
	give := func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		y := g.Add("Identity", []*onnx.Value{v}, 1).Output(0)
		y.Type = onnx.TensorType{DType: d, Shape: list[0].Shape()}
		if v.Const != nil {
			y.Type = v.Const.Type()
		}
		return y
	}
	g.AddOutput(give(g, g.AddInitializer("odd", onnx.NewTensor(onnx.Int8, 4097))), "odd_y") // what follows it in a file is not aligned
	a, b := g.AddInitializer("a", list[0]), g.AddInitializer("b", list[1])
	g.SetInputs(yes, b)
	g.AddOutput(give(g, a), "ya")
	g.AddOutput(give(g, b), "yb")
	g.AddOutput(give(g, g.Add("Constant", nil, 1, onnx.TensorAttr("value", list[2])).Output(0)), "yc")
	branch, other := onnx.NewGraph("branch"), onnx.NewGraph("other")
	branch.AddOutput(give(branch, branch.AddInitializer("inner", list[3])), "of_branch")
	other.AddOutput(give(other, a), "of_other")
	v := g.Add("If", []*onnx.Value{yes}, 1, onnx.Attr{Name: "then_branch", Value: branch}, onnx.Attr{Name: "else_branch", Value: other}).Output(0)
	v.Type = onnx.TensorType{DType: d, Shape: list[0].Shape()}
	g.AddOutput(v, "yd")
	return &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: 21}}, Graph: g}, list
}

// Weights that are handed over beside the model are those that the model has, from memory and from files, wherever they lie.
func TestOpenModel(t *testing.T) {
	o := runtimetest.Options(t)
	for _, d := range []onnx.DataType{onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16, onnx.Int8, onnx.Uint8, onnx.Int64, onnx.Bool} {
		m, want := heavyModel(d)
		if d == onnx.Bool {
			for _, w := range want {
				for i := range w.Data {
					w.Data[i] &= 1
				}
			}
		}
		dir := t.TempDir()
		models := []*onnx.Model{m}
		for _, place := range []onnx.Placement{onnx.Inline, onnx.OneFile} {
			path := filepath.Join(dir, "m.onnx")
			if err := m.SaveAs(path, onnx.SaveOptions{Weights: place, Alignment: 1}); err != nil {
				t.Fatal(err)
			}
			read, err := onnx.Load(path, onnx.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			models = append(models, read)
		}
		for i, m := range models {
			s, err := runtime.OpenModel(m, o)
			if err != nil {
				t.Fatalf("%v, model %d: %v", d, i, err)
			}
			got, err := s.Run(context.Background(), map[string]*onnx.Tensor{"yes": onnx.Scalar(true)})
			if err != nil {
				t.Fatalf("%v, model %d: %v", d, i, err)
			}
			for k, name := range []string{"ya", "yb", "yc", "yd"} {
				if !slices.Equal(got[name].Data, want[k].Data) {
					t.Errorf("%v, model %d: %s is another weight", d, i, name)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
