package inspect

import "graft/onnx"

// operator holds a node against what the standard says of its operator alone in one of its versions, and inference does not ask.
func (c *standardChecker) operator(n *onnx.Node, since int64, where string) {
	switch n.Op {
	case "BatchNormalization":
		if since >= 14 && n.NumOutputs() > 1 && onnx.AttrOr(n, "training_mode", int64(0)) == 0 {
			c.report(where, "outputs", "BatchNormalization has %d outputs, without training_mode it gives 1", n.NumOutputs())
		}
	case "Dropout":
		for i := 1; since >= 12 && i < n.NumInputs(); i++ {
			if v := n.Input(i); v != nil && len(v.Type.Shape) > 0 {
				c.report(where, "types", "input %d, %q, has shape %v, Dropout wants a scalar", i, v.Name, v.Type.Shape)
			}
		}
	case "Flatten":
		if axis := onnx.AttrOr(n, "axis", int64(1)); since < 11 && axis < 0 {
			c.report(where, "attribute", "axis is %d, before opset 11 it is not counted from the end", axis)
		}
	case "Split":
		_, number := n.Attr("num_outputs")
		if sizes := n.NumInputs() > 1 && n.Input(1) != nil; since >= 18 && sizes == number {
			c.report(where, "attribute", "Split wants the sizes as its second input or the attribute num_outputs, and not both")
		}
	}
}
