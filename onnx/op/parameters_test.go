package op

import (
	"testing"

	"graft/onnx"
)

func TestIsParameter(t *testing.T) {
	g := onnx.NewGraph("parameters")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2, 4, 4))
	use := func(op string, at int, d onnx.DataType, dims ...int64) *onnx.Value {
		w := g.AddInitializer(op, onnx.NewTensor(d, dims...))
		in := make([]*onnx.Value, at+1)
		in[0] = x
		in[at] = w
		g.Add(op, in, 1)
		return w
	}
	for _, c := range []struct {
		v    *onnx.Value
		want bool
	}{
		{use("Conv", 1, onnx.Float, 3, 2, 1, 1), true},
		{use("Conv", 2, onnx.Float, 3), true},
		{use("Conv", 2, onnx.Float, 1), true}, // of one channel
		{use("Gemm", 1, onnx.Float16, 2, 2), true},
		{use("BatchNormalization", 1, onnx.Float, 2), true},
		{use("BatchNormalization", 3, onnx.Float, 2), false},
		{use("BatchNormalization", 4, onnx.Float, 2), false},
		{use("Resize", 2, onnx.Float, 4), false},
		{use("Clip", 1, onnx.Float), false},
		{use("Add", 1, onnx.Float, 2, 1, 1), true},
		{use("Add", 1, onnx.Float), false},
		{use("Gather", 1, onnx.Int64, 2), false},
		{g.AddInitializer("unread", onnx.NewTensor(onnx.Float, 9)), false},
		{x, false},
	} {
		if got := IsParameter(c.v); got != c.want {
			t.Errorf("%s: %t", c.v.Name, got)
		}
	}
}

func TestConsumerLooksThroughConversions(t *testing.T) {
	g := onnx.NewGraph("consumer")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float16, 3, 2))
	cast := g.Add("Cast", []*onnx.Value{w}, 1).Output(0)
	turned := g.Add("Transpose", []*onnx.Value{cast}, 1).Output(0)
	product := g.Add("MatMul", []*onnx.Value{x, turned}, 1)
	if n, i := Consumer(w); n != product || i != 1 {
		t.Errorf("%v, input %d", n, i)
	}
	if n, _ := Consumer(product.Output(0)); n != nil {
		t.Errorf("%v reads what nothing reads", n)
	}
}
