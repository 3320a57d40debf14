package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var matrixSteps = slices.Concat(
	same("MatMul", 9, 13), same("Gemm", 6, 9, 11, 13),
	[]step{{"Gemm", 7, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
		removeAttr(n, "broadcast")
		return nil
	}}},
)
