package peer

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// opset9 are the operators that onnx-go has and whose meaning has changed behind opset 9, which it follows; asks says
// whether a node of the opset asks for what is new.
var opset9 = []struct {
	op    string
	since int64
	what  string
	asks  func(n *onnx.Node, opset int64) bool
}{
	{"MaxPool", 10, "ceil_mode and dilations are not known", func(n *onnx.Node, _ int64) bool {
		return integer(n, "ceil_mode", 0) != 0 || slices.ContainsFunc(integers(n, "dilations"), func(d int64) bool { return d != 1 })
	}},
	{"Concat", 11, "a negative axis is not known", negativeAxis},
	{"Flatten", 11, "a negative axis is not known", negativeAxis},
	{"Gemm", 11, "C cannot be left out", func(n *onnx.Node, _ int64) bool { return n.Input(2) == nil }},
	{"Constant", 11, "value alone is known", func(n *onnx.Node, _ int64) bool { _, ok := n.Attr("value"); return !ok }},
	{"Squeeze", 11, "axes are an attribute, and none is negative", newAxes},
	{"Unsqueeze", 11, "axes are an attribute, and none is negative", newAxes},
	{"Dropout", 12, "the ratio is an attribute, and nothing is dropped", func(n *onnx.Node, _ int64) bool { return n.Input(2) != nil }},
	{"Softmax", 11, "what stands behind the axis, 1 unless given, is normalized together, and no axis is negative", softmaxDiffers},
	{"BatchNormalization", 14, "there is no training_mode", func(n *onnx.Node, _ int64) bool { return integer(n, "training_mode", 0) != 0 }},
	{"Reshape", 14, "there is no allowzero", func(n *onnx.Node, _ int64) bool { return integer(n, "allowzero", 0) != 0 }},
}

func integer(n *onnx.Node, name string, otherwise int64) int64 {
	if a, ok := n.Attr(name); ok {
		if v, ok := a.Value.(int64); ok {
			return v
		}
	}
	return otherwise
}

func integers(n *onnx.Node, name string) []int64 {
	a, _ := n.Attr(name)
	v, _ := a.Value.([]int64)
	return v
}

func negativeAxis(n *onnx.Node, _ int64) bool { return integer(n, "axis", 0) < 0 }

func newAxes(n *onnx.Node, _ int64) bool {
	return n.Input(1) != nil || slices.ContainsFunc(integers(n, "axes"), func(a int64) bool { return a < 0 })
}

// softmaxDiffers: from opset 13 on one axis is normalized, the last unless given; that is what opset 9 says where the axis
// is the last one and written as a number from the front.
func softmaxDiffers(n *onnx.Node, opset int64) bool {
	_, given := n.Attr("axis")
	axis := integer(n, "axis", -1)
	if opset < 13 {
		return given && axis < 0
	}
	x := n.Input(0)
	if x == nil || !x.Type.Shape.Ranked() {
		return true
	}
	rank := int64(len(x.Type.Shape))
	if !given {
		return rank != 2
	}
	return axis != rank-1
}

// Opset9Differences are the operators of a model, whose types have been inferred, that ask for what opset 9 does not say,
// with what it says.
func Opset9Differences(m *onnx.Model) (list []string) {
	opset := m.Opset("")
	for _, d := range opset9 {
		if opset >= d.since && slices.ContainsFunc(m.Graph.Nodes(), func(n *onnx.Node) bool { return n.Is(d.op) && d.asks(n, opset) }) {
			list = append(list, fmt.Sprintf("%s (at opset 9: %s)", d.op, d.what))
		}
	}
	return list
}
