package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// NormBeforeUpsample exchanges InstanceNormalization with the nearest-neighbour upsampling before it. Repeating every pixel
// equally often changes neither mean nor variance, and the normalization then reads a quarter of the pixels.
var NormBeforeUpsample = Rule{Name: "NormBeforeUpsample", Op: "InstanceNormalization", Build: normBeforeUpsample}

func normBeforeUpsample(b *op.Builder, n *onnx.Node) []*onnx.Value {
	up := n.Input(0).Producer()
	if up == nil || !up.Is("Resize") || !alone(b.Graph(), n.Input(0)) {
		return nil
	}
	scales := op.ConstantOf(up.Input(2)).Float32s()
	text := func(name, def string) string { return onnx.AttrOr(up, name, def) }
	if len(scales) < 3 || scales[0] != 1 || scales[1] != 1 || text("mode", "nearest") != "nearest" ||
		text("coordinate_transformation_mode", "half_pixel") != "asymmetric" || text("nearest_mode", "round_prefer_floor") != "floor" {
		return nil
	}
	for _, s := range scales[2:] {
		if s < 1 || s != float32(int64(s)) {
			return nil
		}
	}
	norm := b.InstanceNormalization(up.Input(0), n.Input(1), n.Input(2), onnx.AttrOr(n, "epsilon", float32(1e-5)))
	inputs := append([]*onnx.Value{norm}, up.Inputs()[1:]...)
	return b.Node("Resize", inputs, 1, up.Attrs...)
}
