package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var poolSteps = slices.Concat(
	same("MaxPool", 8, 10, 11, 12), same("AveragePool", 7, 10, 11, 19), same("LpPool", 11, 18), same("MaxUnpool", 11),
	each([]string{"LpPool", "GlobalLpPool"}, 2, integerNorm),
	[]step{{"RoiAlign", 16, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
		n.SetAttr(onnx.Str("coordinate_transformation_mode", "output_half_pixel")) // the only one before
		return nil
	}}},
)

// integerNorm: before 2 the p of a norm was a float.
func integerNorm(b *op.Builder, n *onnx.Node) []*onnx.Value {
	p := onnx.AttrOr(n, "p", float32(2))
	if p != float32(int64(p)) {
		b.Fail("the norm p = %v is no integer", p)
		return nil
	}
	n.SetAttr(onnx.Int("p", int64(p)))
	return nil
}
