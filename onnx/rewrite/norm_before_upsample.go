package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// NormBeforeUpsample exchanges InstanceNormalization with the nearest-neighbour upsampling before it. Repeating every pixel
// equally often changes neither mean nor variance, and the normalization then reads a quarter of the pixels.
var NormBeforeUpsample = Rule{Name: "NormBeforeUpsample", Op: "InstanceNormalization", Build: normBeforeUpsample}

// BatchNormBeforeUpsample does the same with BatchNormalization in training mode.
var BatchNormBeforeUpsample = Rule{Name: "BatchNormBeforeUpsample", Op: "BatchNormalization", Build: normBeforeUpsample}

func normBeforeUpsample(b *op.Builder, n *onnx.Node) []*onnx.Value {
	up := n.Input(0).Producer()
	if up == nil || !ofBatch(n) || !alone(b.Graph(), n.Input(0)) {
		return nil
	}
	if times := repeats(up); len(times) < 3 || times[0] != 1 || times[1] != 1 {
		return nil
	}
	out := normOf(b, n, up.Input(0))
	if b.Err() == nil {
		out[0] = b.Node("Resize", append([]*onnx.Value{out[0]}, up.Inputs()[1:]...), 1, up.Attrs...)[0]
	}
	return out
}

// repeats is how often a Resize repeats the elements of its input along each axis; nil for any other node, and for one
// that does something else.
func repeats(n *onnx.Node) []int64 {
	text := func(name, def string) string { return onnx.AttrOr(n, name, def) }
	if !n.Is("Resize") || text("mode", "nearest") != "nearest" || text("coordinate_transformation_mode", "half_pixel") != "asymmetric" ||
		text("nearest_mode", "round_prefer_floor") != "floor" {
		return nil
	}
	if _, some := n.Attr("axes"); some {
		return nil
	}
	scales := op.ConstantOf(n.Input(2))
	if scales == nil || scales.DType != onnx.Float {
		return nil
	}
	var times []int64
	for _, s := range scales.Float32s() {
		if !(s >= 1 && s <= 1<<20) || s != float32(int64(s)) {
			return nil
		}
		times = append(times, int64(s))
	}
	return times
}
