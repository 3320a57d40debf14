package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Scatter is ScatterElements by its first name.
func Scatter(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return []*onnx.Value{b.ScatterElements(n.Input(0), n.Input(1), n.Input(2), onnx.AttrOr(n, "axis", int64(0)), "none")}
}

// Compress gathers the entries along an axis, or of x flattened, at the places where the condition holds.
func Compress(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	at := b.Squeeze(b.Node("NonZero", []*onnx.Value{n.Input(1)}, 1)[0], 0)
	if _, ok := n.Attr("axis"); !ok {
		x = b.Reshape(x, -1)
	}
	return []*onnx.Value{b.Gather(x, at, onnx.AttrOr(n, "axis", int64(0)))}
}

// TensorScatter puts update into a cache from the write indices on, modulo the cache's length in circular mode:
// ScatterElements whose indices are, for each sample of the batch, its write index and those that follow.
func TensorScatter(b *op.Builder, n *onnx.Node) []*onnx.Value {
	cache, update, from := n.Input(0), n.Input(1), n.Input(2)
	rank := int64(len(cache.Type.Shape))
	axis := onnx.AttrOr(n, "axis", int64(-2))
	if axis < 0 {
		axis += rank
	}
	if axis < 1 || axis >= rank {
		b.Fail("axis %d is outside rank %d, or the batch's", axis, rank)
		return nil
	}
	size := func(v *onnx.Value) *onnx.Value {
		return b.Squeeze(b.Node("Shape", []*onnx.Value{v}, 1, onnx.Int("start", axis), onnx.Int("end", axis+1))[0], 0)
	}
	along := func(v *onnx.Value, axis int64) *onnx.Value { // a vector along an axis of the cache's rank
		dims := make([]int64, rank)
		for i := range dims {
			dims[i] = 1
		}
		dims[axis] = -1
		return b.Reshape(v, dims...)
	}
	at := along(b.Range(b.Const(onnx.Scalar(int64(0))), size(update), b.Const(onnx.Scalar(int64(1)))), axis)
	if from != nil {
		at = b.Add(at, along(from, 0))
	}
	if onnx.AttrOr(n, "mode", "linear") == "circular" {
		at = b.Mod(at, size(cache))
	}
	at = b.Expand(at, b.Shape(update))
	return []*onnx.Value{b.ScatterElements(cache, at, update, axis, "none")}
}
