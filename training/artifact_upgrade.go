package training

import (
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// unchanged are operators whose rows speak of forms that older ones are written like.
var unchanged = []string{"Concat", "Flatten", "Gather", "MaxPool", "AveragePool", "BatchNormalization"}

// reshaped are operators that lost attributes to inputs at opset 13.
var reshaped = map[string]string{"Squeeze": "axes", "Unsqueeze": "axes", "ReduceSum": "axes", "Split": "split"}

// needsUpgrade refuses what has another meaning in the opset of the artifacts. A Softmax over the last axis, which all opsets
// share, gets its axis written out.
func needsUpgrade(m *onnx.Model) error {
	opset := m.Opset("")
	if opset == 0 || opset >= 13 {
		return nil
	}
	var found []string
	for _, n := range m.Graph.Nodes() {
		s := op.Lookup(n.Op)
		if s == nil || !n.Is(n.Op) || slices.Contains(found, n.Op) || slices.Contains(unchanged, n.Op) {
			continue
		}
		low := s.Since
		if s.Lowest != nil {
			low = s.Lowest(n)
		}
		_, older := n.Attr(reshaped[n.Op])
		switch n.Op {
		case "Softmax", "LogSoftmax", "Hardmax":
			rank := int64(len(n.Input(0).Type.Shape))
			axis := onnx.AttrOr(n, "axis", int64(1))
			if rank > 0 && (axis == -1 || axis == rank-1) {
				n.SetAttr(onnx.Int("axis", rank-1))
				continue
			}
			older = true
		}
		if older || low > opset {
			found = append(found, n.Op)
		}
	}
	if found == nil {
		return nil
	}
	return limits.Refuse("opset", "%d, in which %s has another form: it wants 13 or more", opset, strings.Join(found, ", ")).
		WithHint("convert it first: graft convert FILE --opset 17")
}
