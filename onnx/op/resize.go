package op

import "graft/onnx"

// ResizeAttrs are the attributes of Resize that graft writes.
type ResizeAttrs struct {
	Mode        string // nearest, linear
	Coordinates string // asymmetric, half_pixel, align_corners, pytorch_half_pixel
	NearestMode string // floor, round_prefer_floor
}

// Resize scales every axis of x by a constant factor.
func (b *Builder) Resize(x *onnx.Value, a ResizeAttrs, scales ...float32) *onnx.Value {
	var attrs []onnx.Attr
	for _, s := range []struct{ name, v string }{{"mode", a.Mode}, {"coordinate_transformation_mode", a.Coordinates}, {"nearest_mode", a.NearestMode}} {
		if s.v != "" {
			attrs = append(attrs, onnx.Str(s.name, s.v))
		}
	}
	return b.node("Resize", []*onnx.Value{x, nil, b.Const(onnx.FromSlice(scales))}, attrs...)
}

// UpsampleNearest doubles, or multiplies, the height and width of x [N,C,H,W].
func (b *Builder) UpsampleNearest(x *onnx.Value, factor float32) *onnx.Value {
	return b.Resize(x, ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, 1, 1, factor, factor)
}

// UpsampleLinear doubles, or multiplies, the height and width of x [N,C,H,W] with bilinear interpolation at half-pixel
// centres, as PyTorch does with align_corners=False.
func (b *Builder) UpsampleLinear(x *onnx.Value, factor float32) *onnx.Value {
	return b.Resize(x, ResizeAttrs{Mode: "linear", Coordinates: "half_pixel"}, 1, 1, factor, factor)
}
