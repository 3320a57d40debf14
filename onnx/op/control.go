package op

import (
	"fmt"

	"graft/onnx"
)

var control = []Schema{
	row("If", 11, 1, 1, booleans, inferIf, "then_branch", "else_branch").outs(-1).lowest(controlLowest),
	row("Loop", 11, 0, -1, nil, inferLoop, "body").outs(-1).lowest(controlLowest),
	row("Scan", 9, 0, -1, nil, inferScan, "body", "num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes",
		"scan_output_directions").outs(-1).lowest(scanLowest),
}

// scanLowest: axes count from the end since 11; the types that go through came as with the others.
func scanLowest(n *onnx.Node) int64 {
	low := controlLowest(n)
	if scanOfOld(n) {
		return 8
	}
	if low > 11 {
		return low
	}
	for _, name := range []string{"scan_input_axes", "scan_output_axes"} {
		for _, a := range onnx.AttrOr[[]int64](n, name, nil) {
			if a < 0 {
				return 11
			}
		}
	}
	return 9
}

// controlLowest: an output's type must be one that the operator hands on.
func controlLowest(n *onnx.Node) int64 {
	handed := accepted{{11, anything}, {16, bfloat}, {19, float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}}
	low := int64(11)
	for _, o := range n.Outputs() {
		if o != nil {
			since, _ := handed.since(o.Type.DType)
			low = max(low, since)
		}
	}
	return low
}

// either is what two possible types of a value have in common.
func either(a, b onnx.TensorType) (onnx.TensorType, error) {
	switch {
	case a.DType == onnx.Undefined || b.DType == onnx.Undefined:
		a.DType = onnx.Undefined
	case a.DType != b.DType:
		return a, fmt.Errorf("element types differ: %v and %v", a.DType, b.DType)
	}
	if !a.Shape.Ranked() || !b.Shape.Ranked() || len(a.Shape) != len(b.Shape) {
		a.Shape = nil
		return a, nil
	}
	a.Shape = a.Shape.Clone()
	for i := range a.Shape {
		if a.Shape[i] != b.Shape[i] {
			a.Shape[i] = onnx.UnknownDim
		}
	}
	return a, nil
}

// inferIf: what the outputs of both branches have in common. The branches are inferred before.
func inferIf(n *onnx.Node) ([]onnx.TensorType, error) {
	yes, no := onnx.AttrOr[*onnx.Graph](n, "then_branch", nil), onnx.AttrOr[*onnx.Graph](n, "else_branch", nil)
	if yes == nil || no == nil {
		return nil, fmt.Errorf("then_branch and else_branch are both needed")
	}
	a, b := yes.Outputs(), no.Outputs()
	if len(a) != n.NumOutputs() || len(b) != n.NumOutputs() {
		return nil, fmt.Errorf("branches have %d and %d outputs, the node %d", len(a), len(b), n.NumOutputs())
	}
	types := make([]onnx.TensorType, len(a))
	for i := range a {
		t, err := either(a[i].Type, b[i].Type)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		types[i] = t
	}
	return types, nil
}

// inferLoop: the body has inputs iteration, condition and the carried values, and outputs condition, carried values and
// one slice of each scan output.
func inferLoop(n *onnx.Node) ([]onnx.TensorType, error) {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	if body == nil {
		return nil, fmt.Errorf("body is missing")
	}
	if n.NumInputs() < 2 { // both may be absent, and are listed even so
		return nil, fmt.Errorf("%d inputs, wants 2 or more", n.NumInputs())
	}
	ins, outs, carried := body.Inputs(), body.Outputs(), n.NumInputs()-2
	if len(ins) != 2+carried || len(outs) < 1+carried || len(outs)-1 < n.NumOutputs() {
		return nil, fmt.Errorf("body has %d inputs and %d outputs for %d carried values and %d outputs", len(ins), len(outs), carried, n.NumOutputs())
	}
	types := make([]onnx.TensorType, n.NumOutputs())
	for i := range types {
		t := outs[i+1].Type
		if i < carried {
			start := typeOf(n, i+2)
			var err error
			if t, err = either(start, t); err != nil {
				return nil, fmt.Errorf("carried value %d: %w", i, err)
			}
			if t.DType == onnx.Undefined {
				t.DType = start.DType
			}
		} else if t.Shape.Ranked() {
			t.Shape = append(onnx.Shape{onnx.UnknownDim}, t.Shape...)
		}
		types[i] = t
	}
	return types, nil
}

// seedBody gives the inputs of a Loop's or Scan's body the types that they are fed with, as far as these cannot change on the
// way, before the body is inferred.
func seedBody(n *onnx.Node) {
	if n.Is("Scan") {
		seedScan(n)
		return
	}
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	if body == nil || !n.Is("Loop") {
		return
	}
	for i, v := range body.Inputs() {
		if v.Type.DType != onnx.Undefined || !v.IsTensor() {
			continue
		}
		switch i {
		case 0:
			v.Type = onnx.TypeOf(onnx.Int64)
		case 1:
			v.Type = onnx.TypeOf(onnx.Bool)
		default:
			v.Type.DType = dtypeOf(n, i)
		}
	}
}
