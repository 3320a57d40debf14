package op

import (
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
