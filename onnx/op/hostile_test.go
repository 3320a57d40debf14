package op

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
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
		defer func() { // the walk over the whole graph, with what it keeps
			m := &onnx.Model{Opsets: []onnx.Opset{{Version: Opset}}, Graph: g}
			InferModel(m)
			_ = InferGraph(g)
			Check(m)
		}()
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
			for range max(rapid.IntRange(-8, 3).Draw(t, "containers"), 0) {
				v.Type = rapid.SampledFrom([]func(onnx.TensorType) onnx.TensorType{onnx.SequenceOf, onnx.OptionalOf}).Draw(t, "container")(v.Type)
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
				switch rapid.IntRange(0, 9).Draw(t, name) {
				case 0, 1:
					as = append(as, onnx.Int(name, edge.Draw(t, "value")))
				case 2, 3:
					as = append(as, onnx.Ints(name, rapid.SliceOfN(edge, 0, 8).Draw(t, "values")...))
				case 4:
					as = append(as, onnx.Str(name, rapid.SampledFrom([]string{"", "reflect", "SAME_UPPER", "VALID", "ij,jk->ik", "...a,b...", "not_larger"}).Draw(t, "text")))
				case 5:
					as = append(as, onnx.Float32s(name, rapid.SliceOfN(floats, 0, 4).Draw(t, "floats")...))
				case 6:
					body := onnx.NewGraph("body")
					for range rapid.IntRange(0, 4).Draw(t, "ins") {
						v := body.AddInput("", onnx.TensorType{DType: dtype.Draw(t, "dtype")})
						if rapid.Bool().Draw(t, "out") {
							body.AddOutput(body.Add("Identity", []*onnx.Value{v}, 1).Output(0), "")
						}
					}
					as = append(as, onnx.Attr{Name: name, Value: body})
				case 7:
					as = append(as, onnx.Attr{Name: name, Value: onnx.SequenceOf(onnx.TensorType{DType: dtype.Draw(t, "dtype")})})
				case 8:
					as = append(as, onnx.Attr{Name: name, Value: rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "strings")})
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
					_, _ = floatsOf(o)
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

// TestSymbolsStayShort: arithmetic on symbols gives up before a symbol is long, and takes no time with those of a file.
func TestSymbolsStayShort(t *testing.T) {
	long := onnx.Dim{Symbol: strings.Repeat("a*", 1<<20) + "a"}
	if d := productDim(long, long); d != onnx.UnknownDim {
		t.Errorf("%d bytes", len(d.Symbol))
	}
	if d := sumDim(long, size(1)); d != onnx.UnknownDim {
		t.Errorf("%d bytes", len(d.Symbol))
	}
	if d := atMost(long, 3); d != onnx.UnknownDim {
		t.Errorf("%d bytes", len(d.Symbol))
	}
	d := onnx.Dim{Symbol: "n0"}
	for i := range 1000 {
		if d = sumDim(productDim(d, onnx.Dim{Symbol: fmt.Sprint("n", i)}), size(1<<40)); len(d.Symbol) > maxSymbol {
			t.Fatalf("%d bytes", len(d.Symbol))
		}
	}
	for _, s := range []string{"", " ", "+", "a +", "a + + b", "a*", "*a", "-3", "1e3", "9999999999999999999", "a - -3", "a  + b", "min(", "min(3", "min(3, ", "min(x, N)"} {
		d := onnx.Dim{Symbol: s}
		for _, e := range []onnx.Dim{sumDim(d, size(1)), productDim(d, size(2)), quotientDim(d, size(2)), floorDim(d, 2), shiftedDim(d, -1), aboveZero(d), atMost(d, 5)} {
			if e.Known() && s != "" {
				t.Errorf("%q became %v", s, e)
			}
		}
	}
}

// TestLoopsInLoops: each of many Loops inside each other changes the shape that it carries, so that one round does not do;
// the work stays bounded.
func TestLoopsInLoops(t *testing.T) {
	var nest func(depth int) *onnx.Graph
	nest = func(depth int) *onnx.Graph {
		g := onnx.NewGraph("body")
		i, c := g.AddInput("", onnx.TensorType{}), g.AddInput("", onnx.TensorType{})
		v, w := g.AddInput("", onnx.TensorType{}), g.AddInput("", onnx.TensorType{})
		v2 := g.Add("Concat", []*onnx.Value{v, v}, 1, onnx.Int("axis", 0)).Output(0)
		w2 := g.Add("Unsqueeze", []*onnx.Value{w, g.AddInitializer("", onnx.FromSlice([]int64{0}))}, 1).Output(0)
		if depth > 0 {
			n := g.Add("Loop", []*onnx.Value{i, c, v2, w2}, 2, onnx.Attr{Name: "body", Value: nest(depth - 1)})
			v2, w2 = n.Output(0), n.Output(1)
		}
		g.SetOutputs(c, v2, w2)
		return g
	}
	g := onnx.NewGraph("g")
	trips, v := g.AddInput("n", parseType("int64 []")), g.AddInput("v", parseType("float [3]"))
	n := g.Add("Loop", []*onnx.Value{trips, nil, v, v}, 2, onnx.Attr{Name: "body", Value: nest(maxGraphs - 3)})
	d := limitstest.CPU(t, func() {
		if err := InferGraph(g); err != nil {
			t.Fatal(err)
		}
	})
	if d > 5*time.Second {
		t.Errorf("%v", d)
	}
	if got := fmt.Sprint(n.Output(0).Type, n.Output(1).Type); got != "float [unk_1] float [...]" && n.Output(0).Type.DType != onnx.Float {
		t.Errorf("%s", got)
	}
}
