package op

import (
	"math"
	"slices"
	"testing"

	"graft/onnx"
)

func TestMACs(t *testing.T) {
	g := onnx.NewGraph("macs")
	b := NewBuilder(g)
	input := func(sizes ...int64) *onnx.Value { return g.AddInput("", onnx.TypeOf(onnx.Float, sizes...)) }
	free := g.AddInput("f", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 7}, onnx.UnknownDim, {Size: 4}}})
	for _, c := range []struct {
		name string
		y    *onnx.Value
		want int64
		free []string
	}{
		{"conv", b.Conv(input(2, 6, 8, 8), input(4, 6, 3, 3), nil, ConvAttrs{}), 2 * 4 * 6 * 6 * 6 * 9, nil},
		{"conv by group and stride", b.Conv(input(1, 6, 8, 8), input(6, 1, 2, 2), input(6), ConvAttrs{Group: 6, Strides: []int64{2, 2}}), 6 * 4 * 4 * 4, nil},
		{"conv in one dimension", b.Conv(input(1, 2, 10), input(3, 2, 5), nil, ConvAttrs{}), 3 * 6 * 2 * 5, nil},
		{"transposed", b.ConvTranspose(input(1, 4, 5, 5), input(4, 3, 2, 2), nil, ConvAttrs{Strides: []int64{2, 2}}), 4 * 25 * 3 * 4, nil},
		{"gemm", b.Gemm(input(3, 4), input(4, 5), input(5), GemmAttrs{}), 60, nil},
		{"gemm of transposes", b.Gemm(input(4, 3), input(5, 4), nil, GemmAttrs{TransA: true, TransB: true}), 60, nil},
		{"matmul", b.MatMul(input(3, 4), input(4, 5)), 60, nil},
		{"matmul of a batch", b.MatMul(input(2, 1, 3, 4), input(6, 4, 5)), 2 * 6 * 60, nil},
		{"matmul of vectors", b.MatMul(input(4), input(4)), 4, nil},
		{"matmul of a vector", b.MatMul(input(4), input(4, 5)), 20, nil},
		{"free dimensions", b.MatMul(free, input(4, 5)), 7 * 20, []string{"N", "?"}},
	} {
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		got, names, ok := MACs(c.y.Producer())
		if !ok || got != c.want || !slices.Equal(names, c.free) {
			t.Errorf("%s: %d %v %t, want %d %v", c.name, got, names, ok, c.want, c.free)
		}
	}
	if _, _, ok := MACs(b.Relu(free).Producer()); ok {
		t.Error("Relu has MACs")
	}
}

func TestMACsOfWhatIsNotKnown(t *testing.T) {
	g := onnx.NewGraph("macs")
	x, huge := g.AddInput("x", onnx.TensorType{DType: onnx.Float}), g.AddInput("h", onnx.TypeOf(onnx.Float, math.MaxInt32, math.MaxInt32))
	for _, n := range []*onnx.Node{
		g.Add("Conv", []*onnx.Value{x, x}, 1), g.Add("ConvTranspose", []*onnx.Value{x, huge}, 1), g.Add("Gemm", []*onnx.Value{x, x}, 1),
		g.Add("MatMul", []*onnx.Value{huge, x}, 1), g.Add("MatMul", nil, 1), g.Add("Conv", nil, 0),
	} {
		if macs, _, ok := MACs(n); ok {
			t.Errorf("%v: %d MACs", n, macs)
		}
	}
	n := g.Add("MatMul", []*onnx.Value{huge, huge}, 1)
	n.Output(0).Type = huge.Type
	if macs, _, ok := MACs(n); ok {
		t.Errorf("the product overflows, %d MACs", macs)
	}
	n.Domain = "com.example"
	if _, _, ok := MACs(n); ok {
		t.Error("another domain's MatMul has MACs")
	}
}
