package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

var signalSteps = []step{{"DFT", 20, dftAxis}}

// dftAxis: the axis is an input since 20, and was the first after the batch where it is the last signal axis now.
func dftAxis(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if own(b, n, "axis") {
		n.SetInput(2, b.Const(onnx.Scalar(onnx.AttrOr(n, "axis", int64(1)))))
		removeAttr(n, "axis")
	}
	return nil
}
