package autodiff_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// golden is one case of testdata/goldens/conv.json, made by testdata/peers/conv_goldens.py with PyTorch in float64.
type golden struct {
	Op, Name   string
	X, W, Y    []int64
	Attrs      map[string]any
	Scale      float64
	Dx, Dw, Db []float64
}

func (c golden) attrs() (out []onnx.Attr) {
	for name, v := range c.Attrs {
		switch v := v.(type) {
		case string:
			out = append(out, onnx.Str(name, v))
		case float64:
			out = append(out, onnx.Int(name, int64(v)))
		case []any:
			var ints []int64
			for _, e := range v {
				ints = append(ints, int64(e.(float64)))
			}
			out = append(out, onnx.Ints(name, ints...))
		}
	}
	return out
}

// drawn gives the whole numbers that the script draws.
func drawn(state *int64, dims []int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Double, dims...)
	for i := range onnx.View[float64](t) {
		*state = (*state*1103515245 + 12345) % (1 << 31)
		onnx.View[float64](t)[i] = float64((*state>>16)%7 - 3)
	}
	return t
}

func TestConvGoldens(t *testing.T) {
	data, err := os.ReadFile("../../testdata/goldens/conv.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		t.Run(c.Op+" "+c.Name, func(t *testing.T) { c.run(t, i%2 == 1) })
	}
}

func (c golden) run(t *testing.T, symbolic bool) {
	state := int64(1)
	args := tensors{drawn(&state, c.X)}
	if c.W != nil {
		args = append(args, drawn(&state, c.W), drawn(&state, []int64{int64(len(c.Db))}))
	}
	g := onnx.NewGraph("golden")
	b := op.NewBuilder(g)
	var in values
	for i, a := range args {
		v := g.AddInput([]string{"x0", "x1", "x2"}[i], onnx.TypeOf(onnx.Float, a.Dims...))
		if symbolic && i == 0 {
			v.Type.Shape[0] = onnx.Dim{Symbol: "batch"}
		}
		in = append(in, v)
	}
	y := b.Node(c.Op, in, 1, c.attrs()...)[0]
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	dy := drawn(&state, c.Y)
	ds, err := autodiff.GradientsFrom(g, values{y}, values{b.Const(convert(dy, onnx.Float))}, in)
	if err != nil {
		t.Fatal(err)
	}
	got := runConv(t, g, ds, args)
	for i, want := range [][]float64{c.Dx, c.Dw, c.Db}[:len(in)] {
		for k, w := range want {
			e := onnx.View[float64](got[i])[k]
			if c.Op == "AveragePool" && math.Abs(e*c.Scale-w) <= 1e-6*c.Scale {
				continue
			}
			if e != w {
				t.Fatalf("gradient %d, element %d: %v, want %v", i, k, e, w)
			}
		}
	}
}
