package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// PoolWithIndices lets MaxPool say where its maxima stood. For training: the gradient reads the indices, and would have to
// find them by a second pool, at three times the time of a pool without.
var PoolWithIndices = Rule{Name: "PoolWithIndices", Op: "MaxPool", Build: poolWithIndices}

func poolWithIndices(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if n.NumOutputs() > 1 || (n.Output(0).Type.DType != onnx.Float && n.Output(0).Type.DType != onnx.Double) {
		return nil
	}
	y, _ := b.MaxPoolIndices(n.Input(0), op.PoolAttrsOf(n))
	return []*onnx.Value{y}
}
