package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var indexSteps = slices.Concat(
	same("Gather", 11, 13), same("GatherElements", 13), same("GatherND", 12, 13), same("ScatterElements", 13, 16, 18),
	same("ScatterND", 13, 16, 18), same("NonZero", 13), same("Compress", 11), same("OneHot", 11), same("NonMaxSuppression", 11),
	[]step{
		{"Scatter", 11, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
			n.Op = "ScatterElements" // its other name since
			return nil
		}},
		{"TopK", 10, topKInput},
	},
	same("TopK", 11),
)

// topKInput: k is an input since 10.
func topKInput(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "k") {
		return nil
	}
	if a, ok := n.Attr("k"); ok && n.Input(1) == nil {
		k, _ := a.Value.(int64)
		n.SetInput(1, b.Ints(k))
	}
	removeAttr(n, "k")
	return nil
}
