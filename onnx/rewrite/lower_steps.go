package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// lowerSteps undo versions: change brings a node from the form of that version to the form before, or gives values, in the
// forms of op.Opset, that stand in the place of its outputs. A nil change says that nodes stay as they are although the way
// up changed them. A version that is not listed has the form before among its own; op.Form says what that takes.
var lowerSteps = slices.Concat(
	each(reductions18, 18, axesAttribute), each([]string{"ReduceSum", "Squeeze", "Unsqueeze"}, 13, axesAttribute),
	each(softmaxes, 13, lastAxisSoftmax), each([]string{"GreaterOrEqual", "LessOrEqual"}, 12, orEqual),
	each([]string{"Max", "Min", "Sum", "Mean"}, 8, equalShapes),
	[]step{
		{"Split", 18, splitUncounted}, {"Split", 13, attributeOf(1, "split")},
		{"Slice", 10, sliceAttributes},
		{"Pad", 18, padEveryAxis}, {"Pad", 11, padAttributes},
		{"Clip", 11, clipAttributes},
		{"Dropout", 12, dropoutAttribute}, {"Dropout", 10, boolMask},
		{"TopK", 10, topKAttribute},
		{"BatchNormalization", 14, normInference}, {"BatchNormalization", 9, nil},
		{"RoiAlign", 16, roiHalfPixel},
		{"Resize", 18, resizeEveryAxis}, {"Resize", 13, resizeEmpty}, {"Resize", 11, resizeAsymmetric}, {"Resize", 10, resizeUpsample},
		{"GridSample", 20, gridNames},
		{"DFT", 20, dftAttribute},
		{"Shape", 15, shapeSliced},
		{"Reshape", 14, reshapeZeros},
		{"CastLike", 15, castKnown},
		{"ConstantOfShape", 9, expandValue}, {"Expand", 8, expandKnown},
		{"ScatterElements", 11, func(_ *op.Builder, n *onnx.Node) []*onnx.Value { n.Op = "Scatter"; return nil }},
		{"Gemm", 11, gemmZeros},
		{"OptionalHasElement", 18, hasElement}, {"OptionalGetElement", 18, getElement},
		{"Constant", 12, constantTensor}, {"Constant", 9, constantInitializer},
		{"QuantizeLinear", 13, oneScale}, {"DequantizeLinear", 13, oneScale},
		{"LayerNormalization", 17, LayerNormalization}, {"RMSNormalization", 23, RMSNormalization},
		{"GroupNormalization", 21, GroupNormalization},
		{"MeanVarianceNormalization", 9, MeanVarianceNormalization},
		{"Attention", 23, Attention}, {"RotaryEmbedding", 23, RotaryEmbedding}, {"TensorScatter", 24, TensorScatter},
		{"AffineGrid", 20, AffineGrid}, {"GridSample", 16, GridSample}, {"Swish", 24, Swish},
		{"SoftmaxCrossEntropyLoss", 12, SoftmaxCrossEntropyLoss}, {"NegativeLogLikelihoodLoss", 12, NegativeLogLikelihoodLoss},
		{"Gelu", 20, geluExpression}, {"Mish", 18, mishExpression}, {"HardSwish", 14, hardSwishExpression},
	},
)

// known gives the constant integers of an input; it fails b where they are computed.
func known(b *op.Builder, n *onnx.Node, input int, what string) ([]int64, bool) {
	v, ok := op.ConstantInts(n.Input(input))
	if !ok {
		b.Fail("its %s are computed, which were an attribute before", what)
	}
	return v, ok
}

// dropInputs takes off the inputs from one on.
func dropInputs(b *op.Builder, n *onnx.Node, from int) {
	in := n.Inputs()
	if len(in) <= from {
		return
	}
	for i := from; i < len(in); i++ {
		n.SetInput(i, nil)
	}
	n.TrimInputs()
}

// attributeOf makes an attribute of a constant list of integers that is an input.
func attributeOf(input int, attr string) func(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return func(b *op.Builder, n *onnx.Node) []*onnx.Value {
		if n.Input(input) != nil {
			v, ok := known(b, n, input, attr)
			if !ok {
				return nil
			}
			n.SetAttr(onnx.Ints(attr, v...))
		}
		dropInputs(b, n, input)
		return nil
	}
}

// axesAttribute: no axes are all of them, unless noop_with_empty_axes says that nothing is done.
func axesAttribute(b *op.Builder, n *onnx.Node) []*onnx.Value {
	noop := onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) != 0
	removeAttr(n, "noop_with_empty_axes")
	none := n.Input(1) == nil
	if !none {
		v, ok := known(b, n, 1, "axes")
		if !ok {
			return nil
		}
		none = len(v) == 0
		if !none || n.Is("Squeeze") || n.Is("Unsqueeze") {
			n.SetAttr(onnx.Ints("axes", v...))
		}
	}
	if none && noop {
		b.Fail("nothing is reduced: simplify the model first")
		return nil
	}
	dropInputs(b, n, 1)
	return nil
}

func orEqual(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, y := n.Input(0), n.Input(1)
	if n.Is("GreaterOrEqual") {
		return []*onnx.Value{b.Or(b.Greater(x, y), b.Equal(x, y))}
	}
	return []*onnx.Value{b.Or(b.Less(x, y), b.Equal(x, y))}
}

// equalShapes: operands broadcast since 8.
func equalShapes(b *op.Builder, n *onnx.Node) []*onnx.Value {
	for _, v := range n.Inputs()[1:] {
		if first := n.Input(0).Type.Shape; v == nil || !first.Ranked() || !first.Equal(v.Type.Shape) {
			b.Fail("its operands may differ in shape, which they may since opset 8")
			return nil
		}
	}
	return nil
}

// number is the one element of a constant.
func number(v *onnx.Value) (float64, bool) {
	t := op.ConstantOf(v)
	if t == nil || t.Check() != nil || t.Len() != 1 {
		return 0, false
	}
	values, ok := t.Reals()
	if !ok {
		return 0, false
	}
	return values[0], true
}

func topKAttribute(b *op.Builder, n *onnx.Node) []*onnx.Value {
	k, ok := known(b, n, 1, "k")
	if ok && len(k) == 1 {
		n.SetAttr(onnx.Int("k", k[0]))
		dropInputs(b, n, 1)
	}
	return nil
}

func normInference(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if onnx.AttrOr(n, "training_mode", int64(0)) != 0 {
		b.Fail("it takes the batch's statistics, which it was told otherwise before opset 14")
	}
	removeAttr(n, "training_mode")
	return nil
}

func roiHalfPixel(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if mode := onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel"); mode != "output_half_pixel" {
		b.Fail("coordinates of %s, which came with opset 16", mode)
	}
	removeAttr(n, "coordinate_transformation_mode")
	return nil
}

func gridNames(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if rank := rankOf(n, 0); rank != 4 {
		b.Fail("input is %v: the form before opset 20 is for images", n.Input(0).Type)
		return nil
	}
	switch onnx.AttrOr(n, "mode", "linear") {
	case "linear":
		n.SetAttr(onnx.Str("mode", "bilinear"))
	case "cubic":
		n.SetAttr(onnx.Str("mode", "bicubic"))
	}
	return nil
}

func dftAttribute(b *op.Builder, n *onnx.Node) []*onnx.Value {
	axis := int64(-2)
	if n.Input(2) != nil {
		v, ok := known(b, n, 2, "axis")
		if !ok || len(v) != 1 {
			return nil
		}
		axis = v[0]
	}
	if rank := rankOf(n, 0); axis < 0 {
		if rank < 0 {
			b.Fail("input is %v: axis %d needs its rank", n.Input(0).Type, axis)
			return nil
		}
		axis += rank
	}
	n.SetAttr(onnx.Int("axis", axis))
	dropInputs(b, n, 2)
	return nil
}

func castKnown(b *op.Builder, n *onnx.Node) []*onnx.Value {
	to := n.Output(0).Type.DType
	if n.Input(1) != nil && n.Input(1).Type.DType != onnx.Undefined {
		to = n.Input(1).Type.DType
	}
	if to == onnx.Undefined {
		b.Fail("the type that it casts to is not known")
		return nil
	}
	return []*onnx.Value{b.Cast(n.Input(0), to)}
}

// gemmZeros: C may be absent since 11.
func gemmZeros(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if n.Input(2) == nil {
		n.SetInput(2, b.Scalar(n.Input(0), 0))
	}
	return nil
}

func constantTensor(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if _, ok := n.Attr("value"); ok {
		return nil
	}
	t := op.ConstantOf(n.Output(0))
	if t == nil {
		b.Fail("what it holds has no form before opset 12")
		return nil
	}
	n.Attrs = []onnx.Attr{onnx.TensorAttr("value", t)}
	return nil
}

// constantInitializer: before 9 Constant nodes held 16, 32 and 64-bit floats alone.
func constantInitializer(b *op.Builder, n *onnx.Node) []*onnx.Value {
	t := op.ConstantOf(n.Output(0))
	if t == nil || t.DType.IsFloat() {
		return nil
	}
	return []*onnx.Value{b.Graph().AddInitializer("", t)}
}

// plain reports whether a type is known to be no optional.
func plain(t onnx.TensorType) bool {
	return t.DType != onnx.Undefined || t.Of != nil && t.Of.Kind != onnx.Optional
}

// hasElement: before 18 there was an input, and it was an optional.
func hasElement(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	if x == nil || plain(x.Type) {
		return []*onnx.Value{b.Const(onnx.Scalar(x != nil))}
	}
	return nil
}

// getElement: what is no optional is handed on.
func getElement(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if x := n.Input(0); x != nil && plain(x.Type) {
		return []*onnx.Value{b.Identity(x)}
	}
	return nil
}

// oneScale: scales along an axis came with 13.
func oneScale(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if s := n.Input(1); s != nil && s.Type.Shape.Ranked() && (len(s.Type.Shape) == 0 || len(s.Type.Shape) == 1 && s.Type.Shape[0] == (onnx.Dim{Size: 1})) {
		removeAttr(n, "axis")
		return nil
	}
	b.Fail("it may have a scale for each channel, which came with opset 13")
	return nil
}

// axisOperators count axes from the end since 11.
var axisOperators = []string{"ArgMax", "ArgMin", "Concat", "Compress", "Flatten", "Gather", "Hardmax", "LogSoftmax", "ReduceL1",
	"ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
	"ReduceSumSquare", "Scatter", "Softmax", "Split", "Squeeze", "TopK", "Unsqueeze"}

// countFromFront gives axes that count from the end their places from the front.
func countFromFront(b *op.Builder, n *onnx.Node) {
	if !slices.Contains(axisOperators, n.Op) {
		return
	}
	rank := rankOf(n, 0)
	for _, a := range slices.Clone(n.Attrs) {
		var axes []int64
		switch v := a.Value.(type) {
		case int64:
			axes = []int64{v}
		case []int64:
			axes = slices.Clone(v)
		}
		if a.Name != "axis" && a.Name != "axes" || !slices.ContainsFunc(axes, func(i int64) bool { return i < 0 }) {
			continue
		}
		if rank < 0 {
			b.Fail("input is %v: %v counts from the end, which needs its rank before opset 11", n.Input(0).Type, a)
			return
		}
		if n.Is("Unsqueeze") {
			rank += int64(len(axes))
		}
		for i := range axes {
			if axes[i] < 0 {
				axes[i] += rank
			}
		}
		if _, one := a.Value.(int64); one {
			n.SetAttr(onnx.Int(a.Name, axes[0]))
		} else {
			n.SetAttr(onnx.Ints(a.Name, axes...))
		}
	}
}
