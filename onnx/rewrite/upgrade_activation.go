package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var softmaxes = []string{"Softmax", "LogSoftmax", "Hardmax"}

var activationSteps = slices.Concat(
	each([]string{"Relu", "LeakyRelu", "Elu", "HardSigmoid", "PRelu", "Dropout"}, 6, hints),
	[]step{
		{"Selu", 6, oldSelu},
		{"PRelu", 7, slopePerChannel},
		{"Dropout", 7, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
			removeAttr(n, "is_test")
			return nil
		}},
		{"Dropout", 10, floatMask},
		{"Dropout", 12, dropoutRatio},
	},
	same("Relu", 13, 14), same("LeakyRelu", 16), same("PRelu", 9, 16), same("Dropout", 13),
	sameFor(softmaxes, 11), each(softmaxes, 13, matrixSoftmax),
)

// oldSelu: before 6 the default constants had fewer digits.
func oldSelu(b *op.Builder, n *onnx.Node) []*onnx.Value {
	hints(b, n)
	for name, v := range map[string]float32{"alpha": 1.6732, "gamma": 1.0507} {
		if _, ok := n.Attr(name); !ok {
			n.SetAttr(onnx.Float32(name, v))
		}
	}
	return nil
}

// slopePerChannel: before 7 a slope [C] belongs to the channels of x [N C ...].
func slopePerChannel(b *op.Builder, n *onnx.Node) []*onnx.Value {
	rx, slope := rankOf(n, 0), n.Input(1)
	if slope == nil || rankOf(n, 1) != 1 || slope.Type.Shape[0] == (onnx.Dim{Size: 1}) || rx == 2 {
		return nil
	}
	if rx < 0 {
		b.Fail("input is %v: a slope per channel needs its rank", n.Input(0).Type)
		return nil
	}
	var axes []int64
	for i := int64(1); i < rx-1; i++ {
		axes = append(axes, i)
	}
	n.SetInput(1, b.Unsqueeze(slope, axes...))
	return nil
}

// floatMask: before 10 the mask had the type of x. Outside training nothing says what is in it.
func floatMask(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if o := n.Output(1); o != nil && (o.NumUses() > 0 || n.Graph().IsOutput(o)) {
		b.Fail("its mask is read, which has a type of its own before opset 10")
	} else if o != nil {
		o.Type = onnx.TensorType{}
	}
	return nil
}

// dropoutRatio: the ratio is an input since 12.
var dropoutRatio = toInput("ratio", 1, "number", func(v float32) *onnx.Tensor { return onnx.Scalar(v) })

// matrixSoftmax: before 13 x was a matrix to Softmax, LogSoftmax and Hardmax, whose rows are all axes from axis (1 unless
// given) on. That is the same as along axis where what follows it has size 1; else
//
//	y = Reshape(Softmax(Flatten(x, axis), -1), Shape(x))
func matrixSoftmax(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "axis") {
		return nil
	}
	x, axis := n.Input(0), onnx.AttrOr(n, "axis", int64(1))
	if s := x.Type.Shape; s.Ranked() {
		rank := int64(len(s))
		if axis < -rank || axis > rank {
			b.Fail("axis %d is outside rank %d", axis, rank)
			return nil
		}
		if axis < 0 {
			axis += rank
		}
		if axis < rank && !slices.ContainsFunc(s[axis+1:], func(d onnx.Dim) bool { return d != onnx.Dim{Size: 1} }) {
			n.SetAttr(onnx.Int("axis", axis))
			return nil
		}
	}
	rows := b.Node(n.Op, []*onnx.Value{b.Flatten(x, axis)}, 1, onnx.Int("axis", -1))[0]
	return []*onnx.Value{unflatten(b, rows, x)}
}

// unflatten gives rows, a matrix with the elements of x, the shape of x.
func unflatten(b *op.Builder, rows, x *onnx.Value) *onnx.Value {
	dims, unknown := make([]int64, len(x.Type.Shape)), 0
	for i, d := range x.Type.Shape {
		if dims[i] = d.Size; !d.Known() {
			dims[i] = -1
			unknown++
		}
	}
	if x.Type.Shape.Ranked() && unknown <= 1 && !slices.Contains(dims, 0) {
		return b.Reshape(rows, dims...)
	}
	return b.ReshapeTo(rows, b.Shape(x))
}
