package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// resizeEveryAxis: axes came with 18; the others keep their size.
func resizeEveryAxis(b *op.Builder, n *onnx.Node) []*onnx.Value {
	a, ok := n.Attr("axes")
	if !ok {
		return nil
	}
	axes, _ := a.Value.([]int64)
	rank, shape := rankOf(n, 0), n.Input(0).Type.Shape
	if rank < 0 || n.Input(1) != nil {
		b.Fail("input is %v: sizes of %v alone need its rank, and no roi, before opset 18", n.Input(0).Type, axes)
		return nil
	}
	place := func(i int) (int64, bool) {
		at := axes[i]
		if at < 0 {
			at += rank
		}
		return at, at >= 0 && at < rank
	}
	if t := op.ConstantOf(n.Input(2)); t != nil && t.DType == onnx.Float && len(t.Float32s()) == len(axes) {
		all := slices.Repeat([]float32{1}, int(rank))
		for i, s := range t.Float32s() {
			if at, ok := place(i); ok {
				all[at] = s
			}
		}
		n.SetInput(2, b.Const(onnx.FromSlice(all)))
		removeAttr(n, "axes")
		return nil
	}
	sizes, constant := op.ConstantInts(n.Input(3))
	whole, static := shape.Sizes()
	if !constant || !static || len(sizes) != len(axes) {
		b.Fail("its sizes are computed, for some axes alone, which came with opset 18")
		return nil
	}
	whole = slices.Clone(whole)
	for i, s := range sizes {
		if at, ok := place(i); ok {
			whole[at] = s
		}
	}
	n.SetInput(3, b.Ints(whole...))
	removeAttr(n, "axes")
	return nil
}

// resizeEmpty: what is absent since 13 was empty before.
func resizeEmpty(b *op.Builder, n *onnx.Node) []*onnx.Value {
	none := func() *onnx.Value { return b.Const(onnx.NewTensor(onnx.Float, 0)) }
	if n.Input(1) == nil {
		n.SetInput(1, none())
	}
	if n.Input(2) == nil {
		n.SetInput(2, none())
	}
	return nil
}

// resizeAsymmetric: before 11 there was one rule for coordinates, and nearest rounded by whether an axis grows or shrinks.
func resizeAsymmetric(b *op.Builder, n *onnx.Node) []*onnx.Value {
	mode, nearest := onnx.AttrOr(n, "mode", "nearest"), onnx.AttrOr(n, "nearest_mode", "round_prefer_floor")
	t := op.ConstantOf(n.Input(2))
	if n.Input(3) != nil || t == nil || t.DType != onnx.Float || t.Len() == 0 {
		b.Fail("it is given sizes, or computed scales: opset 10 has constant scales")
		return nil
	}
	if c := onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel"); c != "asymmetric" || mode == "cubic" {
		b.Fail("coordinates of %s and mode %s, which came with opset 11", c, mode)
		return nil
	}
	grows := slices.ContainsFunc(t.Float32s(), func(s float32) bool { return s > 1 })
	shrinks := slices.ContainsFunc(t.Float32s(), func(s float32) bool { return s < 1 })
	if mode == "nearest" && (grows && nearest != "floor" || shrinks && nearest != "ceil") {
		b.Fail("nearest by %s, which opset 10 has not", nearest)
		return nil
	}
	n.SetInput(1, n.Input(2))
	dropInputs(b, n, 2)
	for _, name := range []string{"coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value"} {
		removeAttr(n, name)
	}
	return nil
}

// resizeUpsample: Upsample is the Resize whose scales are at least 1.
func resizeUpsample(b *op.Builder, n *onnx.Node) []*onnx.Value {
	t := op.ConstantOf(n.Input(1))
	if t == nil || slices.ContainsFunc(t.Float32s(), func(s float32) bool { return s < 1 }) {
		b.Fail("it shrinks an axis, which Upsample does not")
		return nil
	}
	n.Op = "Upsample"
	return nil
}
