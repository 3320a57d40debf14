package op

import (
	"fmt"

	"graft/onnx"
)

var control = []Schema{
	row("If", 11, 1, 1, booleans, inferIf, "then_branch", "else_branch").outs(-1).containers().lowest(controlLowest),
	row("Loop", 11, 0, -1, nil, inferLoop, "body").outs(-1).containers().lowest(controlLowest),
	row("Scan", 9, 0, -1, nil, inferScan, "body", "directions", "num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes",
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

// TakenBranch is the graph that an If takes whenever it runs, where that is known; nil otherwise.
func TakenBranch(n *onnx.Node) *onnx.Graph {
	always, _ := branches(n)
	return always
}

// controlLowest: an output's type must be one that the operator hands on.
func controlLowest(n *onnx.Node) int64 {
	handed := accepted{{11, anything}, {16, bfloat}, {19, float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}}
	low := int64(11)
	for _, o := range n.Outputs() {
		if o != nil {
			since, _ := handed.since(elementOfType(o.Type).DType)
			low = max(low, since, containersLowest(o.Type, 13))
		}
	}
	return low
}

// either is what two possible types of a value have in common.
func either(a, b onnx.TensorType) (onnx.TensorType, error) {
	if a.Of != nil || b.Of != nil {
		return joinContainers(a, b, either, func(a, b bool) bool { return a && b })
	}
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
	always, _ := branches(n)
	for i := range a {
		if always != nil {
			types[i] = always.Outputs()[i].Type
			continue
		}
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
	types, trips := make([]onnx.TensorType, n.NumOutputs()), tripsOf(n, body)
	for i := range types {
		t := outs[i+1].Type
		if i < carried {
			var err error
			if t, err = carriedType(typeOf(n, i+2), t); err != nil {
				return nil, fmt.Errorf("carried value %d: %w", i, err)
			}
		} else if t.Shape.Ranked() {
			t.Shape = append(onnx.Shape{trips}, t.Shape...)
		}
		types[i] = t
	}
	return types, nil
}

// carriedType is what a value that starts a Loop has in common with what the body makes of it. An optional that the body
// unwraps starts as one only.
func carriedType(start, made onnx.TensorType) (onnx.TensorType, error) {
	if start.Of != nil && start.Of.Kind == onnx.Optional && (made.Of == nil || made.Of.Kind != onnx.Optional) {
		start = start.Of.Elem
	}
	t, err := either(start, made)
	if err == nil && t.Of == nil && t.DType == onnx.Undefined {
		t.DType = start.DType
	}
	return t, err
}

// tripsOf is how often a Loop runs: its first operand, where the condition is absent or true, and stays so. It is unknown
// otherwise.
func tripsOf(n *onnx.Node, body *onnx.Graph) onnx.Dim {
	e, _, ok := scalarElement(n.Input(0))
	if n.Input(1) != nil {
		c, known := scalarOf(n.Input(1))
		ok = ok && known && c != 0
	}
	goesOn := body.Outputs()[0]
	for range maxDepth {
		if p := goesOn.Producer(); p == nil || !p.Is("Identity") || p.Graph() != body || p.Input(0) == nil {
			break
		}
		goesOn = goesOn.Producer().Input(0)
	}
	if goesOn != body.Inputs()[1] {
		c, known := scalarOf(goesOn)
		ok = ok && known && c != 0
	}
	if !ok || (e.known && e.i > maxSize) {
		return onnx.UnknownDim
	}
	if e.known {
		return size(max(e.i, 0))
	}
	return e.dim()
}

// seedBody gives the inputs of a Loop's, Scan's or SequenceMap's body the element types that they are fed with, as far as these cannot
// change on the way, before the body is inferred.
func seedBody(n *onnx.Node) {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	if body == nil {
		return
	}
	switch {
	case n.Is("Loop"):
		seedLoop(n, body)
	case n.Is("Scan"):
		seedScan(n)
	case n.Is("SequenceMap"):
		for i, v := range body.Inputs() {
			t := typeOf(n, i)
			if t.Of != nil && t.Of.Kind == onnx.Sequence {
				t = t.Of.Elem
			}
			if t, err := mergeTypes(t, v.Type); err == nil {
				v.Type = t
			}
		}
	}
}

func seedLoop(n *onnx.Node, body *onnx.Graph) {
	for i, v := range body.Inputs() {
		t := typeOf(n, i)
		switch {
		case v.Type.DType != onnx.Undefined || !v.IsTensor():
		case i == 0:
			v.Type = onnx.TypeOf(onnx.Int64)
		case i == 1:
			v.Type = onnx.TypeOf(onnx.Bool)
		case t.Of != nil:
			v.Type = shapeless(t)
		default:
			v.Type.DType = t.DType
		}
	}
}
