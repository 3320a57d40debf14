package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

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

var resize = []Schema{
	row("Resize", 11, 1, 4, anything13, inferResize, "mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a",
		"exclude_outside", "extrapolation_value", "antialias", "axes", "keep_aspect_ratio_policy").lowest(resizeLowest),
	row("Upsample", 9, 1, 2, accepted{{7, anything}}, inferUpsample, "mode", "scales").lowest(upsampleLowest),
}

// upsampleLowest: scales are an input in 9, the operator's last version, and were an attribute before.
func upsampleLowest(n *onnx.Node) int64 {
	if n.Input(1) == nil {
		return 7
	}
	return 9
}

func resizeLowest(n *onnx.Node) int64 {
	if onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel") == "half_pixel_symmetric" {
		return 19
	}
	for _, name := range []string{"antialias", "axes", "keep_aspect_ratio_policy"} {
		if _, ok := n.Attr(name); ok {
			return 18
		}
	}
	for i := range 3 {
		if n.Input(i) == nil {
			return 13 // roi and scales may be absent since then
		}
	}
	return 11
}

// given reports whether input i is there and not the empty placeholder of older files.
func givenInput(n *onnx.Node, i int) bool {
	v := n.Input(i)
	return v != nil && !(len(v.Type.Shape) == 1 && v.Type.Shape[0] == size(0))
}

func inferResize(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if givenInput(n, 2) == givenInput(n, 3) {
		return nil, fmt.Errorf("wants either scales or sizes")
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axes := onnx.AttrOr[[]int64](n, "axes", nil)
	if axes == nil {
		axes = make([]int64, len(x))
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	if _, err := axesOf(axes, len(x)); err != nil {
		return nil, err
	}
	s := x.Clone()
	if givenInput(n, 3) {
		known, err := sizesFrom(n, 3, axes, s)
		if err != nil || !known {
			return one(d, s), err
		}
		return one(d, keepAspect(n, x, s, axes)), nil
	}
	scales, ok := floatsOf(n.Input(2))
	if !ok {
		return one(d, unknownAt(s, axes)), nil
	}
	if len(scales) != len(axes) {
		return nil, fmt.Errorf("%d scales for %d axes", len(scales), len(axes))
	}
	for i, a := range axes {
		axis, _ := axisOf(a, len(x))
		v, err := scaledDim(x[axis], scales[i])
		if err != nil {
			return nil, err
		}
		s[axis] = v
	}
	return one(d, s), nil
}

// keepAspect brings the sizes s of axes to one factor of those of x, the smallest or the largest that is asked for, where the
// policy wants that. Halves are rounded up.
func keepAspect(n *onnx.Node, x, s onnx.Shape, axes []int64) onnx.Shape {
	policy, factor := onnx.AttrOr(n, "keep_aspect_ratio_policy", "stretch"), math.NaN()
	if policy == "stretch" {
		return s
	}
	for _, a := range axes {
		i, err := axisOf(a, len(x))
		if err != nil || !x[i].Known() || !s[i].Known() || x[i].Size == 0 {
			return unknownAt(s, axes)
		}
		f := float64(s[i].Size) / float64(x[i].Size)
		if math.IsNaN(factor) || (policy == "not_larger" && f < factor) || (policy == "not_smaller" && f > factor) {
			factor = f
		}
	}
	for _, a := range axes {
		i, _ := axisOf(a, len(x))
		v := math.Floor(float64(x[i].Size)*factor + 0.5)
		if !(v <= float64(maxSize)) {
			return unknownAt(s, axes)
		}
		s[i] = size(int64(v))
	}
	return s
}

// sizesFrom puts the sizes that input i lists into s, at the axes: unknown ones where the list is not known.
func sizesFrom(n *onnx.Node, i int, axes []int64, s onnx.Shape) (known bool, err error) {
	to, known := elementsOf(n.Input(i))
	if !known {
		unknownAt(s, axes)
		return false, nil
	}
	if len(to) != len(axes) {
		return false, fmt.Errorf("%d sizes for %d axes", len(to), len(axes))
	}
	for k, a := range axes {
		if to[k].known && (to[k].i < 0 || to[k].i > maxSize) {
			return false, fmt.Errorf("size %d is not possible", to[k].i)
		}
		axis, _ := axisOf(a, len(s))
		s[axis] = to[k].dim()
	}
	return true, nil
}

func unknownAt(s onnx.Shape, axes []int64) onnx.Shape {
	for _, a := range axes {
		if i, err := axisOf(a, len(s)); err == nil {
			s[i] = onnx.UnknownDim
		}
	}
	return s
}

func scaledDim(d onnx.Dim, scale float32) (onnx.Dim, error) {
	switch {
	case !(scale > 0) || math.IsInf(float64(scale), 0):
		return d, fmt.Errorf("scale %v is not possible", scale)
	case scale == 1:
		return d, nil
	case !d.Known():
		if f := float64(scale); f == math.Floor(f) && f < float64(maxSize) {
			return productDim(d, size(int64(f))), nil
		}
		if f := 1 / float64(scale); f == math.Floor(f) && f < float64(maxSize) {
			return floorDim(d, int64(f)), nil
		}
		return onnx.UnknownDim, nil
	}
	v := math.Floor(float64(d.Size) * float64(scale))
	if v > float64(maxSize) {
		return d, fmt.Errorf("size %d times %v is too large", d.Size, scale)
	}
	return size(int64(v)), nil
}

// inferUpsample: scales are the second input, or an attribute in files before opset 9.
func inferUpsample(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	scales, ok := onnx.AttrOr[[]float32](n, "scales", nil), true
	if n.Input(1) != nil {
		scales, ok = floatsOf(n.Input(1))
	}
	switch {
	case !x.Ranked():
		return one(d, nil), nil
	case !ok:
		return one(d, unknownShape(len(x))), nil
	case len(scales) != len(x):
		return nil, fmt.Errorf("%d scales for rank %d", len(scales), len(x))
	}
	s := x.Clone()
	for i := range s {
		v, err := scaledDim(x[i], scales[i])
		if err != nil {
			return nil, err
		}
		s[i] = v
	}
	return one(d, s), nil
}
