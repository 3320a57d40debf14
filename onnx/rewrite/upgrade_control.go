package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var controlSteps = slices.Concat(
	same("If", 11, 13, 16, 19, 21), same("Loop", 11, 13, 16, 19, 21), same("Scan", 11, 16, 19, 21),
	[]step{{"Scan", 9, scanOfBatch}},
)

// scanOfBatch: before 9 states and scanned inputs had a batch in front, whose elements were scanned each for itself. That is
// a Scan over the batch, without a state, around the Scan of one element:
//
//	Scan8(s, x) = Scan over batch of (Scan over sequence of (s_b, x_b))
func scanOfBatch(b *op.Builder, n *onnx.Node) []*onnx.Value {
	body, scanned := onnx.AttrOr[*onnx.Graph](n, "body", nil), onnx.AttrOr(n, "num_scan_inputs", int64(0))
	if !own(b, n, "num_scan_inputs", "directions", "body") || body == nil {
		return nil
	}
	if n.Input(0) != nil {
		b.Fail("sequences of several lengths are not read in the form before opset 9")
		return nil
	}
	attrs := []onnx.Attr{{Name: "body", Value: body}, onnx.Int("num_scan_inputs", scanned)}
	if d := onnx.AttrOr[[]int64](n, "directions", nil); d != nil {
		attrs = append(attrs, onnx.Ints("scan_input_directions", d...))
	}
	element := onnx.NewGraph(body.Name + "_element")
	var outer, inner []*onnx.Value
	for _, v := range n.Inputs()[1:] {
		if v == nil {
			b.Fail("an input is absent")
			return nil
		}
		t := v.Type
		if len(t.Shape) > 0 {
			t.Shape = t.Shape[1:].Clone()
		}
		outer, inner = append(outer, v), append(inner, element.AddInput("", t))
	}
	one := element.Add("Scan", inner, n.NumOutputs(), attrs...)
	inferOutputs(one)
	for _, o := range one.Outputs() {
		element.AddOutput(o, "")
	}
	whole := b.Graph().Add("Scan", outer, n.NumOutputs(), onnx.Attr{Name: "body", Value: element}, onnx.Int("num_scan_inputs", int64(len(outer))))
	inferOutputs(whole)
	n.Attrs = nil // the body has another place now
	return whole.Outputs()
}
