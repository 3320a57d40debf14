package generate

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// lastLogits leaves out the logits of all tokens but the last, where logits are a product with a matrix: the left side is cut.
// Elsewhere it changes nothing.
func lastLogits(m *onnx.Model, logits *onnx.Value) error {
	const lowest = 10 // the first opset that slices by inputs
	op.InferModel(m)
	n := logits.Producer()
	if n == nil || !n.Is("MatMul") || m.Opset("") < lowest {
		return nil
	}
	x, table := n.Input(0), n.Input(1)
	if x == nil || table == nil || len(x.Type.Shape) != 3 || len(table.Type.Shape) != 2 {
		return nil
	}
	b := op.NewBuilder(m.Graph).In("graft")
	last := b.Slice(x, op.SliceSpec{Axis: 1, Start: -1, End: math.MaxInt64})
	if b.Err() != nil {
		return b.Err()
	}
	n.SetInput(0, last)
	logits.Type.Shape = onnx.Shape{x.Type.Shape[0], onnx.Dim{Size: 1}, table.Type.Shape[1]}
	return nil
}
