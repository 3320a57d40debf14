package op

import (
	"maps"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"pgregory.net/rapid"
)

// TestInferNeverPanics gives every operator nodes as no exporter writes them: random inputs, types, constants and
// attributes, many at the edges of int64. Rules answer or refuse; sizes that come out are possible.
func TestInferNeverPanics(t *testing.T) {
	names := slices.Sorted(maps.Keys(table))
	edge := rapid.OneOf(
		rapid.Int64Range(-3, 9),
		rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, 1 << 31, 1<<31 - 1, 1 << 48, 1<<48 + 1, 1 << 62, -1 << 31}),
		rapid.Int64())
	dim := rapid.Custom(func(t *rapid.T) onnx.Dim {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return onnx.UnknownDim
		case 1:
			return onnx.Dim{Symbol: rapid.SampledFrom([]string{"N", "M"}).Draw(t, "symbol")}
		case 2:
			return onnx.Dim{Size: edge.Draw(t, "edge")}
		}
		return onnx.Dim{Size: rapid.Int64Range(0, 8).Draw(t, "size")}
	})
	dtype := rapid.SampledFrom([]onnx.DataType{onnx.Float, onnx.Float, onnx.Float, onnx.Int64, onnx.Int64, onnx.Bool, onnx.Int32, onnx.String, onnx.Undefined, 99, -1})
	floats := rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{0, 1, 2, float32(math.NaN()), float32(math.Inf(1))}))
	rapid.Check(t, func(t *rapid.T) {
		g := onnx.NewGraph("")
		value := func() *onnx.Value {
			switch rapid.IntRange(0, 9).Draw(t, "input") {
			case 0:
				return nil
			case 1, 2, 3:
				return g.AddInitializer("", onnx.FromSlice(rapid.SliceOfN(edge, 0, 8).Draw(t, "ints")))
			case 4:
				return g.AddInitializer("", onnx.FromSlice(rapid.SliceOfN(floats, 0, 8).Draw(t, "floats")))
			case 5:
				return g.AddInitializer("", onnx.Scalar(edge.Draw(t, "int")))
			case 6: // damaged: dims that the data does not have
				v := g.AddInitializer("", onnx.FromSlice([]int64{1, 2}))
				v.Const.Dims = rapid.SliceOfN(edge, 0, 4).Draw(t, "dims")
				return v
			}
			v := g.AddInput("", onnx.TensorType{DType: dtype.Draw(t, "dtype")})
			if rapid.IntRange(0, 9).Draw(t, "ranked") > 0 {
				v.Type.Shape = append(onnx.NewShape(), rapid.SliceOfN(dim, 0, 5).Draw(t, "shape")...)
			}
			return v
		}
		for range 3 {
			s := table[rapid.SampledFrom(names).Draw(t, "op")]
			most := s.MaxIn
			if most < 0 {
				most = 4
			}
			in := make([]*onnx.Value, rapid.IntRange(max(s.MinIn-1, 0), most+1).Draw(t, "inputs"))
			for i := range in {
				in[i] = value()
				if i == 0 && len(g.Nodes()) > 0 && rapid.Bool().Draw(t, "chained") {
					in[i] = g.Nodes()[len(g.Nodes())-1].Output(0)
				}
			}
			var as []onnx.Attr
			for _, name := range s.Attributes {
				switch rapid.IntRange(0, 6).Draw(t, name) {
				case 0, 1:
					as = append(as, onnx.Int(name, edge.Draw(t, "value")))
				case 2, 3:
					as = append(as, onnx.Ints(name, rapid.SliceOfN(edge, 0, 8).Draw(t, "values")...))
				case 4:
					as = append(as, onnx.Str(name, rapid.SampledFrom([]string{"", "reflect", "SAME_UPPER", "VALID", "ij,jk->ik", "...a,b...", "not_larger"}).Draw(t, "text")))
				case 5:
					as = append(as, onnx.Float32s(name, rapid.SliceOfN(floats, 0, 4).Draw(t, "floats")...))
				}
			}
			n := g.Add(s.Name, in, rapid.IntRange(0, 3).Draw(t, "outs"), as...)
			types, err := Infer(n)
			if err != nil {
				continue
			}
			for i, ty := range types {
				if err := checkType("output", ty); err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				for _, d := range ty.Shape {
					if d.Symbol == "" && d.Size < -1 {
						t.Fatalf("%s: output %v", s.Name, ty)
					}
				}
				if o := n.Output(i); o != nil {
					o.Type = ty
					_, _ = ConstantInts(o)
				}
			}
		}
	})
}

// TestManyInputs: a node that lists an input of many dimensions very often is refused before rules look at it.
func TestManyInputs(t *testing.T) {
	g := onnx.NewGraph("")
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: unknownShape(maxRank)})
	in := make([]*onnx.Value, 2000)
	for i := range in {
		in[i] = x
	}
	n := g.Add("Sum", in, 1)
	if _, err := Infer(n); err == nil || err.Error() != "Sum: the inputs have more than 1048576 dimensions together" {
		t.Errorf("error %v", err)
	}
}
