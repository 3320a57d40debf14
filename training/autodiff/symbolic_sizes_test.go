package autodiff_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// symbolic is a function of inputs whose sizes are not known, floating-point inputs first. Its gradients are checked at
// several points of different sizes, in one and the same graph.
type symbolic struct {
	name   string
	types  []string // "N 3 ?", of integers with a leading "i ", of Booleans with "b "
	f      function
	points []tensors
}

func (s symbolic) valueTypes(d onnx.DataType) (types []onnx.TensorType, floats int) {
	for _, text := range s.types {
		types = append(types, parseType(d, text))
		if types[len(types)-1].DType == d {
			floats++
		}
	}
	return types, floats
}

func (s symbolic) run(t *testing.T) {
	types, floats := s.valueTypes(onnx.Double)
	slope := func(b *op.Builder, x values) (*onnx.Value, error) { // sum_i <df/dx_i, R_i>
		ds, err := autodiff.Gradients(b.Graph(), spread(b, s.f(b, x), 1), x[:floats])
		if err != nil {
			return nil, err
		}
		for i, d := range ds {
			ds[i] = b.Reshape(spread(b, d, i+2), 1)
		}
		return b.Sum(ds...), nil
	}
	value := compileTypes(t, onnx.Double, types, func(b *op.Builder, x values) (values, error) { return values{spread(b, s.f(b, x), 1)}, nil })
	first := compileTypes(t, onnx.Double, types, func(b *op.Builder, x values) (values, error) {
		ds, err := autodiff.Gradients(b.Graph(), spread(b, s.f(b, x), 1), x[:floats])
		for i, d := range ds {
			if !fits(d.Type.Shape, x[i].Type.Shape) {
				t.Errorf("the gradient of argument %d is %v, want %v", i, d.Type, x[i].Type)
			}
		}
		return ds, err
	})
	along := compileTypes(t, onnx.Double, types, func(b *op.Builder, x values) (values, error) {
		y, err := slope(b, x)
		return values{y}, err
	})
	second := compileTypes(t, onnx.Double, types, func(b *op.Builder, x values) (values, error) {
		y, err := slope(b, x)
		if err != nil {
			return nil, err
		}
		return autodiff.Gradients(b.Graph(), y, x[:floats])
	})
	for _, p := range s.points {
		e := example{args: p}
		e.compare(t, "first order", value, first, 1e-6)
		e.compare(t, "second order", along, second, 4e-6)
	}
}

// spread is the sum of v's elements, each times a number that depends on its place, whatever the size.
func spread(b *op.Builder, v *onnx.Value, seed int) *onnx.Value {
	zero, one := b.Const(onnx.Scalar(int64(0))), b.Const(onnx.Scalar(int64(1)))
	v = b.Reshape(v, -1)
	if b.Err() != nil {
		return nil
	}
	places := b.Cast(b.Range(zero, b.Node("Size", values{v}, 1)[0], one), v.Type.DType)
	places = b.Mul(b.Add(places, b.Scalar(v, float64(seed))), b.Scalar(v, 0.6180339887))
	return b.ReduceSum(b.Mul(v, b.Sub(b.Sub(places, b.Floor(places)), b.Scalar(v, 0.45))), false)
}

func parseType(d onnx.DataType, text string) onnx.TensorType {
	s := onnx.NewShape()
	for len(text) > 0 {
		word, rest := text, ""
		for i, r := range text {
			if r == ' ' {
				word, rest = text[:i], text[i+1:]
				break
			}
		}
		text = rest
		switch c := word[0]; {
		case word == "i":
			d = onnx.Int64
		case word == "b":
			d = onnx.Bool
		case word == "?":
			s = append(s, onnx.UnknownDim)
		case c >= '0' && c <= '9':
			s = append(s, onnx.Dim{Size: int64(c - '0')})
		default:
			s = append(s, onnx.Dim{Symbol: word})
		}
	}
	return onnx.TensorType{DType: d, Shape: s}
}

// fits reports whether a gradient's shape says what its argument's does, or more.
func fits(got, want onnx.Shape) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] && !got[i].Known() {
			return false
		}
	}
	return true
}

// Sizes that are not known may be 1 and broadcast, or not: the same graph gives both gradients.
func TestSymbolicBroadcast(t *testing.T) {
	r := random
	pairs := []tensors{{r(1, 2, 3), r(2, 2, 3)}, {r(1, 1, 3), r(2, 4, 3)}, {r(1, 4, 3), r(2, 1, 3)}, {r(1, 1, 1), r(2, 1, 1)}}
	ragged := []tensors{{r(1, 3), r(2, 2, 3)}, {r(1, 1), r(2, 2, 3)}, {r(1, 3), r(2, 2, 1)}}
	product := binary(func(b *op.Builder, x, y *onnx.Value) *onnx.Value { return b.Mul(b.Tanh(x), b.Mul(x, y)) })
	for _, s := range []symbolic{
		{"symbols", []string{"N K", "M K"}, product, []tensors{pairs[0], pairs[1], pairs[2]}},
		{"unknown", []string{"? ?", "? ?"}, product, pairs},
		{"symbol and size", []string{"N 3", "4 3"}, product, []tensors{pairs[1], {r(1, 4, 3), r(2, 4, 3)}}},
		{"ranks", []string{"K", "N M"}, product, ragged},
		{"one symbol", []string{"N K", "N K"}, product, pairs[:1]},
		{"Expand", []string{"? ?", "i 2"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Expand(v[0], v[1]) }),
			[]tensors{{r(1, 2, 1), ints(2, 3)}, {r(1, 1, 3), ints(2, 1)}, {r(1, 2, 2), ints(1, 1)}}},
		{"Expand rank", []string{"? ?", "i 3"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Expand(v[0], v[1]) }),
			[]tensors{{r(1, 2, 1), ints(2, 1, 3)}, {r(1, 1, 3), ints(1, 2, 1)}}},
		{"Where", []string{"? ?", "? ?", "b ? ?"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Where(v[2], v[0], v[1]) }),
			[]tensors{{r(1, 2, 1), r(2, 1, 3), onnx.FromSlice([]bool{true, false}, 2, 1)}, {r(1, 1, 3), r(2, 2, 3), onnx.FromSlice([]bool{true, false, true}, 1, 3)}}},
		{"MatMul", []string{"N 2 3", "M 3 K"}, bent(binary((*op.Builder).MatMul)),
			[]tensors{{r(1, 2, 2, 3), r(2, 1, 3, 2)}, {r(1, 1, 2, 3), r(2, 3, 3, 1)}, {r(1, 2, 2, 3), r(2, 2, 3, 2)}}},
		{"MatMul ranks", []string{"? ? 2 3", "? 3 2"}, bent(binary((*op.Builder).MatMul)),
			[]tensors{{r(1, 2, 1, 2, 3), r(2, 2, 3, 2)}, {r(1, 2, 2, 2, 3), r(2, 1, 3, 2)}}},
		{"MatMul vector", []string{"K", "N K M"}, bent(binary((*op.Builder).MatMul)), []tensors{{r(1, 3), r(2, 2, 3, 2)}, {r(1, 2), r(2, 1, 2, 1)}}},
		{"MatMul by matrix", []string{"N S 3", "3 4"}, bent(binary((*op.Builder).MatMul)), []tensors{{r(1, 2, 2, 3), r(2, 3, 4)}, {r(1, 1, 4, 3), r(2, 3, 4)}}},
		{"Gemm", []string{"N 3", "3 K", "A B"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Gemm(v[0], v[1], v[2], op.GemmAttrs{Beta: 2}) }),
			[]tensors{{r(1, 2, 3), r(2, 3, 4), r(3, 2, 1)}, {r(1, 2, 3), r(2, 3, 4), r(3, 1, 4)}, {r(1, 1, 3), r(2, 3, 2), r(3, 1, 2)}}},
		{"Gemm vector", []string{"N 3", "3 K", "B"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Gemm(v[0], v[1], v[2], op.GemmAttrs{}) }),
			[]tensors{{r(1, 2, 3), r(2, 3, 4), r(3, 1)}, {r(1, 2, 3), r(2, 3, 4), r(3, 4)}}},
		{"Gemm without C", []string{"K N", "M K"}, bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Gemm(v[0], v[1], nil, op.GemmAttrs{TransA: true, TransB: true, Alpha: 3})
		}), []tensors{{r(1, 2, 3), r(2, 4, 2)}, {r(1, 1, 1), r(2, 2, 1)}}},
		{"Max", []string{"? ?", "? ?"}, bent(binary(func(b *op.Builder, x, y *onnx.Value) *onnx.Value { return b.Max(x, y) })),
			[]tensors{{r(1, 2, 1), r(2, 1, 3)}, {r(1, 2, 3), r(2, 2, 3)}}},
	} {
		t.Run(s.name, s.run)
	}
}

func TestSymbolicShape(t *testing.T) {
	r := random
	at := func(name string, attrs ...onnx.Attr) function { return bent(node(name, attrs...)) }
	concat := bent(func(b *op.Builder, v values) *onnx.Value { return b.Concat(-1, v...) })
	pad := func(mode string) function {
		return bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Node("Pad", values{v[0], v[1]}, 1, onnx.Str("mode", mode))[0]
		})
	}
	for _, s := range []symbolic{
		{"Reshape", []string{"N M 4"}, bent(unary(func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Reshape(x, 0, -1, 2) })), []tensors{{r(1, 2, 3, 4)}, {r(1, 1, 1, 4)}}},
		{"Reshape merges", []string{"N M K"}, bent(unary(func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Reshape(x, -1) })), []tensors{{r(1, 2, 3, 4)}, {r(1, 1, 1, 4)}, {r(1, 2, 0, 3)}}},
		{"Reshape by value", []string{"? ?", "i 3"}, at("Reshape"), []tensors{{r(1, 2, 6), ints(3, 2, 2)}, {r(1, 2, 2), ints(1, -1, 2)}}},
		{"Flatten", []string{"N M K"}, at("Flatten", onnx.Int("axis", 2)), []tensors{{r(1, 2, 3, 2)}, {r(1, 1, 0, 4)}}},
		{"Squeeze", []string{"N 1 K"}, bent(nodeWith("Squeeze", tensors{ints(1)})), []tensors{{r(1, 2, 1, 2)}}},
		{"Unsqueeze", []string{"N K"}, bent(nodeWith("Unsqueeze", tensors{ints(-1, 1)})), []tensors{{r(1, 2, 3)}, {r(1, 0, 2)}}},
		{"Transpose", []string{"N M K"}, at("Transpose", onnx.Ints("perm", 2, 0, 1)), []tensors{{r(1, 2, 3, 2)}, {r(1, 1, 2, 2)}}},
		{"Tile", []string{"N M"}, bent(nodeWith("Tile", tensors{ints(2, 3)})), []tensors{{r(1, 2, 3)}, {r(1, 1, 1)}}},
		{"Tile by value", []string{"N M", "i 2"}, at("Tile"), []tensors{{r(1, 2, 3), ints(1, 2)}, {r(1, 2, 1), ints(3, 1)}, {r(1, 2, 2), ints(0, 1)}}},
		{"Concat", []string{"N A", "N B", "N C"}, concat, []tensors{{r(1, 2, 1), r(2, 2, 3), r(3, 2, 2)}, {r(1, 1, 4), r(2, 1, 0), r(3, 1, 1)}}},
		{"Concat of one", []string{"A", "i A"}, bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Concat(0, b.Cast(v[1], onnx.Double), v[0], b.Cast(v[1], onnx.Double))
		}), []tensors{{r(1, 2), ints(1, 2)}, {r(1, 3), ints(1, 2, 3)}}},
		{"Split", []string{"N M"}, func(b *op.Builder, v values) *onnx.Value {
			p := b.Node("Split", v, 2, onnx.Int("axis", 1), onnx.Int("num_outputs", 2))
			return b.Concat(1, b.Tanh(p[0]), b.Mul(p[1], p[1]))
		}, []tensors{{r(1, 2, 5)}, {r(1, 1, 4)}}},
		{"Split by value", []string{"N M", "i 3"}, func(b *op.Builder, v values) *onnx.Value {
			p := b.Node("Split", v, 3, onnx.Int("axis", 1))
			return b.Concat(1, b.Tanh(p[2]), b.Mul(p[0], p[0]))
		}, []tensors{{r(1, 2, 5), ints(1, 2, 2)}, {r(1, 1, 4), ints(3, 0, 1)}}},
		{"Trilu", []string{"N N"}, at("Trilu", onnx.Int("upper", 0)), []tensors{{r(1, 3, 3)}, {r(1, 2, 2)}}},
		{"Trilu by value", []string{"N M", "i"}, at("Trilu"), []tensors{{r(1, 3, 4), onnx.Scalar(int64(1))}, {r(1, 2, 3), onnx.Scalar(int64(-1))}}},
		{"DepthToSpace", []string{"N 8 H W"}, at("DepthToSpace", onnx.Int("blocksize", 2)), []tensors{{r(1, 1, 8, 2, 1)}, {r(1, 2, 8, 1, 2)}}},
		{"DepthToSpace CRD", []string{"N C H W"}, at("DepthToSpace", onnx.Int("blocksize", 2), onnx.Str("mode", "CRD")), []tensors{{r(1, 1, 8, 2, 1)}, {r(1, 2, 4, 1, 2)}}},
		{"SpaceToDepth", []string{"N C H W"}, at("SpaceToDepth", onnx.Int("blocksize", 2)), []tensors{{r(1, 1, 2, 2, 4)}, {r(1, 2, 1, 4, 2)}}},
		{"Pad", []string{"N M", "i 4"}, at("Pad"), []tensors{{r(1, 2, 3), ints(1, 0, 2, 1)}, {r(1, 4, 3), ints(-1, 2, 0, -1)}}},
		{"Pad axes", []string{"N M"}, bent(nodeWith("Pad", tensors{ints(2, 1), nil, ints(-1)})), []tensors{{r(1, 2, 3)}, {r(1, 1, 0)}}},
		{"Pad edge", []string{"N M", "i 4"}, pad("edge"), []tensors{{r(1, 2, 3), ints(1, 0, 2, 4)}, {r(1, 4, 3), ints(-1, 2, 0, -1)}}},
		{"Pad reflect", []string{"N M", "i 4"}, pad("reflect"), []tensors{{r(1, 2, 3), ints(1, 0, 1, 2)}, {r(1, 4, 3), ints(-1, 1, 2, 0)}}},
		{"Pad wrap", []string{"N M", "i 4"}, pad("wrap"), []tensors{{r(1, 2, 3), ints(1, 0, 2, 4)}, {r(1, 4, 3), ints(-1, 2, 0, 1)}}},
		{"Pad reflect constant", []string{"N M"}, bent(func(b *op.Builder, v values) *onnx.Value { return b.Pad(v[0], "reflect", 0, 1, 0, 2) }), []tensors{{r(1, 2, 3)}, {r(1, 1, 5)}}},
		{"CumSum", []string{"N M", "i"}, at("CumSum", onnx.Int("exclusive", 1)), []tensors{{r(1, 2, 3), onnx.Scalar(int64(1))}, {r(1, 2, 1), onnx.Scalar(int64(-2))}}},
	} {
		t.Run(s.name, s.run)
	}
}

func TestSymbolicSlice(t *testing.T) {
	r := random
	slice := func(consts ...*onnx.Tensor) function { return bent(nodeWith("Slice", consts)) }
	for _, s := range []symbolic{
		{"constant", []string{"N M"}, slice(ints(1), ints(3), ints(1)), []tensors{{r(1, 2, 3)}, {r(1, 2, 5)}, {r(1, 2, 1)}}},
		{"from the end", []string{"N M"}, slice(ints(-2, 0), ints(9, -1), ints(1, 0)), []tensors{{r(1, 2, 3)}, {r(1, 2, 1)}, {r(1, 3, 5)}}},
		{"turned round", []string{"N M"}, slice(ints(-1), ints(-99), ints(1), ints(-1)), []tensors{{r(1, 2, 3)}, {r(1, 2, 1)}}},
		{"turned round in part", []string{"N M"}, slice(ints(3), ints(0), ints(1), ints(-1)), []tensors{{r(1, 2, 3)}, {r(1, 2, 6)}, {r(1, 1, 1)}}},
		{"step", []string{"N M"}, slice(ints(1), ints(99), ints(0), ints(2)), []tensors{{r(1, 4, 3)}, {r(1, 5, 1)}, {r(1, 1, 2)}}},
		{"steps", []string{"N M 5"}, slice(ints(1, -1, 0), ints(99, -99, 5), ints(0, 1, 2), ints(2, -3, 3)), []tensors{{r(1, 4, 3, 5)}, {r(1, 2, 7, 5)}}},
		{"known step, unknown batch", []string{"N 6"}, slice(ints(1), ints(6), ints(1), ints(2)), []tensors{{r(1, 2, 6)}, {r(1, 3, 6)}}},
		{"starts and ends", []string{"N M", "i 2", "i 2"}, bent(node("Slice")), []tensors{{r(1, 4, 3), ints(1, -2), ints(3, 9)}, {r(1, 2, 5), ints(-9, 0), ints(9, -1)}, {r(1, 2, 5), ints(2, 1), ints(1, 2)}}},
		{"axes", []string{"N M", "i 1", "i 1", "i 1"}, bent(node("Slice")), []tensors{{r(1, 4, 3), ints(1), ints(3), ints(0)}, {r(1, 2, 5), ints(-3), ints(-1), ints(-1)}}},
		{"steps by value", []string{"4 M", "i 1", "i 1", "i 1"}, func(b *op.Builder, v values) *onnx.Value {
			return b.Tanh(b.Node("Slice", values{v[0], v[1], v[2], b.Ints(1), v[3]}, 1)[0])
		}, []tensors{{r(1, 4, 6), ints(1), ints(6), ints(2)}, {r(1, 4, 5), ints(-1), ints(-9), ints(-1)}, {r(1, 4, 2), ints(0), ints(9), ints(1)}}},
	} {
		t.Run(s.name, s.run)
	}
}

func TestSymbolicIndex(t *testing.T) {
	r := random
	gather := func(axis int64) function { return bent(node("Gather", onnx.Int("axis", axis))) }
	topK := func(b *op.Builder, v values) *onnx.Value {
		return b.Tanh(b.Node("TopK", v, 2, onnx.Int("axis", 0))[0])
	}
	put := func(name, reduction string) function {
		return bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Node(name, values{v[0], v[2], v[1]}, 1, onnx.Str("reduction", reduction))[0]
		})
	}
	for _, s := range []symbolic{
		{"embedding", []string{"V 3", "i N L"}, gather(0), []tensors{{r(1, 4, 3), grid([]int64{2, 2}, 1, 0, -1, 1)}, {r(1, 2, 3), grid([]int64{1, 3}, 1, 1, -2)}}},
		{"middle", []string{"A B C", "i N"}, gather(1), []tensors{{r(1, 2, 3, 2), ints(1, -1, 1)}, {r(1, 1, 1, 2), ints(0, 0)}, {r(1, 2, 3, 2), ints()}}},
		{"last", []string{"A B", "i ? ?"}, gather(-1), []tensors{{r(1, 2, 3), grid([]int64{2, 1}, 1, -1)}, {r(1, 1, 1), grid([]int64{1, 1}, 0)}}},
		{"one", []string{"A B C", "i"}, gather(1), []tensors{{r(1, 2, 3, 2), onnx.Scalar(int64(-1))}, {r(1, 1, 2, 2), onnx.Scalar(int64(1))}}},
		{"first of a sequence", []string{"N L 3"}, bent(nodeWith("Gather", tensors{onnx.Scalar(int64(0))}, onnx.Int("axis", 1))), []tensors{{r(1, 2, 3, 3)}, {r(1, 1, 1, 3)}}},
		{"last of a sequence", []string{"N L 3"}, bent(nodeWith("Gather", tensors{onnx.Scalar(int64(-1))}, onnx.Int("axis", 1))), []tensors{{r(1, 2, 3, 3)}, {r(1, 1, 1, 3)}}},
		{"GatherElements", []string{"A B", "i C D"}, bent(node("GatherElements")), []tensors{{r(1, 2, 3), grid([]int64{3, 2}, 1, 0, -1, 1, 0, 0)}, {r(1, 1, 2), grid([]int64{1, 1}, 0)}}},
		{"GatherND", []string{"A B C", "i N 2"}, bent(node("GatherND")), []tensors{{r(1, 2, 3, 2), grid([]int64{2, 2}, 1, -1, 1, 2)}, {r(1, 1, 1, 2), grid([]int64{1, 2}, 0, 0)}}},
		{"GatherND batch", []string{"N B C", "i N K 1"}, bent(node("GatherND", onnx.Int("batch_dims", 1))), []tensors{{r(1, 2, 3, 2), grid([]int64{2, 2, 1}, 1, -1, 2, 2)}, {r(1, 1, 1, 2), grid([]int64{1, 1, 1}, 0)}}},
		{"ScatterElements add", []string{"A B", "C D", "i C D"}, put("ScatterElements", "add"), []tensors{{r(1, 3, 2), r(2, 2, 2), grid([]int64{2, 2}, 1, 0, 1, -1)}, {r(1, 1, 1), r(2, 1, 1), grid([]int64{1, 1}, 0)}}},
		{"ScatterElements mul", []string{"A B", "C D", "i C D"}, put("ScatterElements", "mul"), []tensors{{r(1, 3, 2), r(2, 2, 2), grid([]int64{2, 2}, 1, 0, 1, -1)}, {r(1, 1, 1), r(2, 1, 1), grid([]int64{1, 1}, 0)}}},
		{"ScatterND none", []string{"A B", "N B", "i N 1"}, put("ScatterND", "none"), []tensors{{r(1, 3, 2), r(2, 2, 2), grid([]int64{2, 1}, 1, -1)}, {r(1, 1, 1), r(2, 1, 1), grid([]int64{1, 1}, 0)}}},
		{"ScatterND max", []string{"A B", "N B", "i N 1"}, put("ScatterND", "max"), []tensors{{r(1, 3, 2), r(2, 2, 2), grid([]int64{2, 1}, 1, 1)}, {r(1, 1, 1), r(2, 1, 1), grid([]int64{1, 1}, 0)}}},
		{"TopK", []string{"N M", "i 1"}, topK, []tensors{{spaced(1, 3, 2), ints(2)}, {spaced(2, 4, 1), ints(1)}}},
		{"Compress", []string{"N M", "b M"}, bent(node("Compress", onnx.Int("axis", 1))), []tensors{{r(1, 2, 3), onnx.FromSlice([]bool{true, false, true})}, {r(1, 3, 1), onnx.FromSlice([]bool{true})}}},
		{"Compress flat", []string{"N M", "b K"}, bent(node("Compress")), []tensors{{r(1, 2, 2), onnx.FromSlice([]bool{true, false, true})}, {r(1, 3, 1), onnx.FromSlice([]bool{true})}}},
		{"ReverseSequence", []string{"T N 2", "i N"}, bent(node("ReverseSequence")), []tensors{{r(1, 3, 2, 2), ints(2, 3)}, {r(1, 2, 1, 2), ints(1)}}},
	} {
		t.Run(s.name, s.run)
	}
}

func TestSymbolicReductions(t *testing.T) {
	r := scaled
	for _, name := range []string{"ReduceSum", "ReduceMean", "ReduceProd", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"} {
		// Known axes, axes as a vector of known and of unknown length, kept or not.
		f := func(b *op.Builder, v values) *onnx.Value {
			x, one, some := v[0], v[1], v[2]
			parts := values{
				b.Node(name, values{x, b.Ints(0, -1)}, 1)[0],
				b.Node(name, values{x, b.Ints(1)}, 1, onnx.Int("keepdims", 0))[0],
				b.Node(name, values{x}, 1, onnx.Int("keepdims", 0))[0],
				b.Node(name, values{x, one}, 1)[0],
				b.Node(name, values{x, one}, 1, onnx.Int("keepdims", 0))[0],
				b.Node(name, values{x, some}, 1)[0],
				b.Node(name, values{x, some}, 1, onnx.Int("keepdims", 0))[0],
				b.Node(name, values{x, some}, 1, onnx.Int("keepdims", 0), onnx.Int("noop_with_empty_axes", 1))[0],
			}
			for i, p := range parts {
				parts[i] = spread(b, b.Tanh(b.Mul(p, b.Scalar(x, 0.2))), i)
			}
			return b.Sum(parts...)
		}
		s := symbolic{name, []string{"N M 2", "i 1", "i K"}, f, []tensors{
			{r(1, 0.5, 1, 3, 2, 2), ints(1), ints()}, {r(2, 0.5, 1, 1, 4, 2), ints(-3), ints(1, -1)},
		}}
		t.Run(s.name, s.run)
	}
}

// What cannot be written for operands that are computed says which ones have to be constants.
func TestComputedOperandsRefused(t *testing.T) {
	g := onnx.NewGraph("refused")
	sizes := onnx.Shape{{Symbol: "N"}, {Symbol: "M"}}
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: sizes})
	k, some := g.AddInput("k", onnx.TypeOf(onnx.Int64, 1)), g.AddInput("some", onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{{Symbol: "K"}}})
	b := op.NewBuilder(g)
	for _, c := range []struct {
		y    *onnx.Value
		want string
	}{
		{b.Node("Slice", values{x, k, k, k, b.Ints(2)}, 1)[0], "the axes are not constant"},
		{b.Node("Slice", values{x, some, some}, 1)[0], "how many starts"},
		{b.Node("Pad", values{x, b.Ints(1, 1), nil, k}, 1, onnx.Str("mode", "edge"))[0], "the axes are not constant"},
		{b.Node("CumProd", values{x, k}, 1)[0], "the axis is not a constant"},
	} {
		_, err := autodiff.Gradients(g, b.ReduceSum(c.y, false), values{x})
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %q", err, c.want)
		}
	}
}
