package op

import (
	"fmt"
	"testing"

	"graft/onnx"
)

// TestBuilderShapes builds a small encoder and decoder and looks at the type that comes out.
func TestBuilderShapes(t *testing.T) {
	g := onnx.NewGraph("net")
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 3}, {Size: 64}, {Size: 48}}})
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 8, 3, 3, 3))
	b := NewBuilder(g)
	y := b.LeakyRelu(b.Conv(x, w, nil, ConvAttrs{Pads: []int64{1, 1, 1, 1}, Strides: []int64{2, 2}}), 0.1)
	y = b.UpsampleNearest(b.MaxPool(y, PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}), 4)
	y = b.Mul(b.Slice(b.Concat(1, y, x), SliceSpec{Axis: 1, Start: 2, End: 10, Step: 3}), b.Scalar(x, 0.5))
	y = b.ReduceMean(b.Pad(y, "reflect", 0, 0, 1, 2, 0, 0, 3, 4), true, 1)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if got := y.Type.String(); got != "float [N 1 68 54]" {
		t.Errorf("type %s", got)
	}
}

// TestBuilderMethods calls the methods on a matrix x [2 6], an image [1 4 6 6] and a condition, and looks at the types.
func TestBuilderMethods(t *testing.T) {
	g := onnx.NewGraph("")
	x := g.AddInput("x", parseType("float [2 6]"))
	im := g.AddInput("im", parseType("float [1 4 6 6]"))
	c := g.AddInput("c", parseType("bool [2 6]"))
	ix := g.AddInput("ix", parseType("int64 [2 6]"))
	vec := g.AddInitializer("v", onnx.NewTensor(onnx.Float, 4))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 4, 2, 3, 3))
	b := NewBuilder(g)
	same := map[string]*onnx.Value{}
	for i, f := range []func(*onnx.Value) *onnx.Value{b.Relu, b.Sigmoid, b.Tanh, b.Softplus, b.Neg, b.Abs, b.Sign, b.Sqrt, b.Exp, b.Log,
		b.Reciprocal, b.Floor, b.Ceil, b.Round, b.Erf, b.Sin, b.Cos, b.Identity} {
		same[fmt.Sprint("unary ", i)] = f(x)
	}
	for i, f := range []func(x, y *onnx.Value) *onnx.Value{b.Add, b.Sub, b.Mul, b.Div, b.Pow} {
		same[fmt.Sprint("binary ", i)] = f(x, b.Scalar(x, 2))
	}
	same["min"], same["max"], same["sum"] = b.Min(x, x), b.Max(x), b.Sum(x, x, x)
	same["where"], same["clip"] = b.Where(c, x, b.Scalar(x, 0)), b.Clip(x, b.Scalar(x, 0), b.Scalar(x, 1))
	same["softmax"], same["log softmax"], same["gelu"], same["gelu tanh"] = b.Softmax(x, -1), b.LogSoftmax(x, 1), b.Gelu(x, false), b.Gelu(x, true)
	same["cumsum"] = b.CumSum(x, 1, true, true)
	same["scatter"] = b.ScatterElements(x, ix, x, 1, "add")
	same["expand"] = b.Expand(b.Scalar(x, 1), b.Shape(x))
	same["squeeze"] = b.Squeeze(b.Unsqueeze(x, 0, -1), 0, 3)
	for name, v := range same {
		if b.Err() != nil || v.Type.String() != "float [2 6]" {
			t.Fatalf("%s: %v, %v", name, v, b.Err())
		}
	}
	for i, f := range []func(x, y *onnx.Value) *onnx.Value{b.Equal, b.Greater, b.GreaterOrEqual, b.Less, b.LessOrEqual} {
		if v := f(x, x); b.Err() != nil || b.Not(b.And(b.Or(v, c), v)).Type.String() != "bool [2 6]" {
			t.Fatalf("comparison %d: %v, %v", i, v, b.Err())
		}
	}
	pool := PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}, CeilMode: true, CountIncludePad: true}
	_, where := b.MaxPoolIndices(im, PoolAttrs{Kernel: []int64{3, 3}})
	for _, v := range []struct {
		v    *onnx.Value
		want string
	}{
		{b.AveragePool(im, pool), "float [1 4 3 3]"},
		{where, "int64 [1 4 4 4]"},
		{b.GlobalAveragePool(im), "float [1 4 1 1]"},
		{b.ConvTranspose(im, w, nil, ConvAttrs{Group: 2, Strides: []int64{2, 2}, OutputPadding: []int64{1, 1}}), "float [1 4 14 14]"},
		{b.InstanceNormalization(im, vec, vec, 1e-5), "float [1 4 6 6]"},
		{b.BatchNormalization(im, vec, vec, vec, vec, 1e-5), "float [1 4 6 6]"},
		{b.UpsampleLinear(im, 2), "float [1 4 12 12]"},
		{b.MatMul(x, b.Transpose(x)), "float [2 2]"},
		{b.Gemm(x, x, nil, GemmAttrs{TransA: true, Alpha: 2, Beta: 3}), "float [6 6]"},
		{b.Gather(x, b.Ints(1, 1, 0), 1), "float [2 3]"},
		{b.GatherElements(x, ix, 1), "float [2 6]"},
		{b.ReduceSum(x, false, 0), "float [6]"},
		{b.ArgMax(x, 1, false), "int64 [2]"},
		{b.ReduceMax(x, true), "float [1 1]"},
		{b.ReduceSumSquare(x, false), "float []"},
		{b.Flatten(im, 2), "float [4 36]"},
		{b.Tile(x, 2, 1), "float [4 6]"},
		{b.Transpose(im, 0, 2, 3, 1), "float [1 6 6 4]"},
		{b.Split(x, 1, 2, 4)[1], "float [2 4]"},
		{b.ConstantOfShape(b.Ints(2, 3), onnx.FromSlice([]bool{true})), "bool [2 3]"},
		{b.Cast(x, onnx.Float16), "float16 [2 6]"},
		{b.Scalar(b.Cast(x, onnx.BFloat16), 0.1), "bfloat16 []"},
	} {
		if b.Err() != nil || v.v.Type.String() != v.want {
			t.Fatalf("%v: want %s, %v", v.v, v.want, b.Err())
		}
	}
	if first, again := b.Ints(1, 2), b.Ints(1, 2); first != again {
		t.Error("equal constants do not share a node")
	}
}

// TestBuilderError: the first error stays, with scope, operator and shapes, and its node does not.
func TestBuilderError(t *testing.T) {
	g := onnx.NewGraph("hourglass")
	x := g.AddInput("x", parseType("float [1 4 8 8]"))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 8, 3, 3, 3))
	b := NewBuilder(g)
	before := len(g.Nodes())
	y := b.In("build").In("enc2").Conv(x, w, nil, ConvAttrs{})
	b.Fail("later")
	z := b.Relu(b.Named(y, "y"))
	want := "build/enc2: Conv: weight wants 3 input channels, input has 4 (inputs float [1 4 8 8], float [8 3 3 3])"
	if b.Err() == nil || b.Err().Error() != want {
		t.Errorf("error %v\nwant  %s", b.Err(), want)
	}
	if z != nil || b.Ints(1) != nil || b.Scalar(x, 1) != nil || len(g.Nodes()) != before || b.Graph() != g {
		t.Error("the builder went on after an error")
	}
	b = NewBuilder(g)
	if b.Scalar(b.Cast(x, onnx.Int8), 1000); b.Err() == nil || b.Err().Error() != "hourglass: constant 1000: int8 cannot hold 1000" {
		t.Errorf("error %v", b.Err())
	}
	b = NewBuilder(g)
	if v := b.In("a").Named(b.Relu(x), "r"); v.Name != "a/r" {
		t.Errorf("name %q", v.Name)
	}
}
