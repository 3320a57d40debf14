package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var resizeSteps = slices.Concat(
	[]step{
		{"Upsample", 7, tooOld},
		{"Upsample", 9, upsampleScales},
		{"Upsample", 10, upsampleResize},
		{"Resize", 11, resizeCoordinates},
		{"Resize", 13, resizeAbsent},
		{"GridSample", 20, gridModes},
	},
	same("Resize", 18, 19),
)

// upsampleScales: the scales are an input since 9.
var upsampleScales = toInput("scales", 1, "list of numbers", func(v []float32) *onnx.Tensor { return onnx.FromSlice(v) })

// upsampleResize: Upsample is, since 10, the Resize whose scales are at least 1.
func upsampleResize(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "mode") {
		return nil
	}
	n.Op = "Resize"
	resizeAs11(n, "floor")
	return nil
}

// resizeAs11 puts n, a Resize in the form of 10, into that of 11.
func resizeAs11(n *onnx.Node, nearest string) {
	if onnx.AttrOr(n, "mode", "nearest") == "bilinear" {
		n.SetAttr(onnx.Str("mode", "linear"))
	}
	n.SetAttr(onnx.Str("coordinate_transformation_mode", "asymmetric"))
	n.SetAttr(onnx.Str("nearest_mode", nearest))
	n.SetInput(2, n.Input(1))
	n.SetInput(1, nil)
}

// resizeCoordinates: before 11 there was one rule for coordinates, x = y/scale, and nearest took the pixel before x where
// an axis grows and the pixel after x where it shrinks. Where some axes do this and some that, one node does each.
func resizeCoordinates(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if _, ok := n.Attr("coordinate_transformation_mode"); ok || !own(b, n, "mode") {
		return nil // was an Upsample
	}
	mode := onnx.AttrOr(n, "mode", "nearest")
	if mode != "nearest" {
		resizeAs11(n, "floor")
		return nil
	}
	t := op.ConstantOf(n.Input(1))
	if t == nil || t.DType != onnx.Float || t.Check() != nil {
		b.Fail("its scales are computed: whether nearest rounds up or down depends on them before opset 11")
		return nil
	}
	scales := t.Float32s()
	grow, shrink := slices.Clone(scales), slices.Clone(scales)
	for i, s := range scales {
		if s < 1 {
			grow[i] = 1
		} else {
			shrink[i] = 1
		}
	}
	grows := slices.ContainsFunc(grow, func(s float32) bool { return s != 1 })
	shrinks := slices.ContainsFunc(shrink, func(s float32) bool { return s != 1 })
	switch {
	case grows && shrinks:
		a := op.ResizeAttrs{Mode: mode, Coordinates: "asymmetric", NearestMode: "ceil"}
		less := b.Resize(n.Input(0), a, shrink...)
		a.NearestMode = "floor"
		return []*onnx.Value{b.Resize(less, a, grow...)}
	case shrinks:
		resizeAs11(n, "ceil")
	default:
		resizeAs11(n, "floor")
	}
	return nil
}

// resizeAbsent: since 13 roi, scales and sizes may be absent, where they were empty before, and the coordinate
// h = (y+1/2)/scale is gone. The one with half pixels is x = h - 1/2, so that floor(h) = floor(x + 1/2) and the h nearest,
// ceil(h - 1/2), is ceil(x).
func resizeAbsent(b *op.Builder, n *onnx.Node) []*onnx.Value {
	const gone = "tf_half_pixel_for_nn"
	if !own(b, n, "coordinate_transformation_mode", "nearest_mode", "mode") {
		return nil
	}
	for i := 1; i < n.NumInputs(); i++ {
		if v := n.Input(i); v != nil && len(v.Type.Shape) == 1 && v.Type.Shape[0] == (onnx.Dim{}) {
			n.SetInput(i, nil)
		}
	}
	if onnx.AttrOr(n, "coordinate_transformation_mode", "") != gone {
		return nil
	}
	rounding := onnx.AttrOr(n, "nearest_mode", "round_prefer_floor")
	now := map[string]string{"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}[rounding]
	if onnx.AttrOr(n, "mode", "nearest") != "nearest" || now == "" {
		b.Fail("the coordinates of %s, rounded by %s, are gone since opset 13", gone, rounding)
		return nil
	}
	n.SetAttr(onnx.Str("coordinate_transformation_mode", "half_pixel"))
	n.SetAttr(onnx.Str("nearest_mode", now))
	return nil
}

// gridModes: two modes have the names that Resize gives them since 20.
func gridModes(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "mode") {
		return nil
	}
	switch onnx.AttrOr(n, "mode", "bilinear") {
	case "bilinear":
		n.SetAttr(onnx.Str("mode", "linear"))
	case "bicubic":
		n.SetAttr(onnx.Str("mode", "cubic"))
	}
	return nil
}
