package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var shapeSteps = slices.Concat(
	same("Constant", 9, 11, 12, 13, 19, 21), same("ConstantOfShape", 20, 21), same("Identity", 13, 14, 16, 19, 21),
	same("Shape", 13, 15, 19, 21), same("Size", 13, 19, 21), same("Transpose", 13, 21), same("Flatten", 9, 11, 13, 21),
	same("Expand", 13), same("Tile", 13),
	[]step{
		{"Concat", 4, concatAxis},
		{"Reshape", 5, reshapeInput},
		{"Squeeze", 13, intsToInput("axes", 1)},
		{"Unsqueeze", 13, intsToInput("axes", 1)},
		{"Split", 2, splitAttribute},
		{"Split", 13, intsToInput("split", 1)},
		{"Split", 18, splitCount},
		{"Slice", 10, sliceInputs},
		{"Pad", 2, padName},
		{"Pad", 11, padInputs},
		{"Tile", 6, tooOld},
	},
	same("Concat", 11, 13), same("Reshape", 13, 14, 19, 21), same("Squeeze", 11, 21), same("Unsqueeze", 11, 21), same("Split", 11),
	same("Slice", 11, 13), same("Pad", 13, 18, 19, 21),
	sameFor([]string{"OptionalGetElement", "OptionalHasElement"}, 18),
)

// concatAxis: before 4 the axis was 1 unless given.
func concatAxis(_ *op.Builder, n *onnx.Node) []*onnx.Value {
	if _, ok := n.Attr("axis"); !ok {
		n.SetAttr(onnx.Int("axis", 1))
	}
	return nil
}

// reshapeInput: the shape is an input since 5.
func reshapeInput(b *op.Builder, n *onnx.Node) []*onnx.Value {
	hints(b, n)
	return intsToInput("shape", 1)(b, n)
}

// splitAttribute: in the first version the sizes could be an input, which they are again since 13.
func splitAttribute(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if n.Input(1) != nil {
		sizes, ok := op.ConstantInts(n.Input(1))
		if !ok {
			b.Fail("its sizes are computed, in the form before opset 2")
			return nil
		}
		n.SetInput(1, nil)
		n.SetAttr(onnx.Ints("split", sizes...))
	}
	return nil
}

// splitCount: since 18 equal parts are asked for by number.
func splitCount(_ *op.Builder, n *onnx.Node) []*onnx.Value {
	if _, ok := n.Attr("num_outputs"); !ok && n.Input(1) == nil {
		n.SetAttr(onnx.Int("num_outputs", int64(n.NumOutputs())))
	}
	return nil
}

// sliceInputs: starts, ends and axes are inputs since 10.
func sliceInputs(b *op.Builder, n *onnx.Node) []*onnx.Value {
	for i, name := range []string{"starts", "ends", "axes"} {
		intsToInput(name, i+1)(b, n)
	}
	return nil
}

// padName: before 2 pads were called paddings.
func padName(_ *op.Builder, n *onnx.Node) []*onnx.Value {
	if a, ok := n.Attr("paddings"); ok {
		a.Name = "pads"
		removeAttr(n, "paddings")
		n.SetAttr(a)
	}
	return nil
}

// padInputs: pads and value are inputs since 11.
func padInputs(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "pads", "value", "mode") {
		return nil
	}
	if v := onnx.AttrOr(n, "value", float32(0)); v != 0 && n.Input(2) == nil && onnx.AttrOr(n, "mode", "constant") == "constant" {
		n.SetInput(2, like(b, n.Input(0), v))
	}
	removeAttr(n, "value")
	return intsToInput("pads", 1)(b, n)
}
