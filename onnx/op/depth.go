package op

import "graft/onnx"

// SpaceToDepth makes channels of the pixels of every block x block square: [N,C,H,W] to [N,C*block^2,H/block,W/block], the
// place in the square before the channel.
func (b *Builder) SpaceToDepth(x *onnx.Value, block int64) *onnx.Value {
	return b.node("SpaceToDepth", []*onnx.Value{x}, onnx.Int("blocksize", block))
}

// DepthToSpace is the inverse of SpaceToDepth (mode DCR).
func (b *Builder) DepthToSpace(x *onnx.Value, block int64) *onnx.Value {
	return b.node("DepthToSpace", []*onnx.Value{x}, onnx.Int("blocksize", block))
}
