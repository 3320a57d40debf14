package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var recurrentSteps = slices.Concat(
	same("GRU", 3), sameFor([]string{"RNN", "GRU", "LSTM"}, 14),
	each([]string{"RNN", "GRU", "LSTM"}, 7, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
		removeAttr(n, "output_sequence") // outputs are given by name
		return nil
	}),
)
