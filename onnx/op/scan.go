package op

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// ScanAttrs are Scan's attributes but for the body; nil lists mean axis 0 and forwards for each. A direction is 0 for
// forwards (outputs are appended) and 1 for backwards (prepended).
type ScanAttrs struct {
	InputAxes, InputDirections, OutputAxes, OutputDirections []int64
}

// ScanAttrsOf reads a node's attributes; every list has as many entries as the node has scan inputs or outputs.
func ScanAttrsOf(n *onnx.Node) (ScanAttrs, error) {
	s, err := scanOf(n)
	return s.ScanAttrs, err
}

// If runs one of two graphs: their outputs, which are as many and of the same element types.
func (b *Builder) If(condition *onnx.Value, then, otherwise *onnx.Graph) []*onnx.Value {
	return b.Node("If", []*onnx.Value{condition}, len(then.Outputs()), onnx.GraphAttr("then_branch", then), onnx.GraphAttr("else_branch", otherwise))
}

// Loop runs body, with inputs iteration number (int64), condition (bool) and carried values, and outputs condition, carried
// values and scan outputs, trips times or until the condition is false; trips and condition may be nil. It gives the last
// carried values and the scan outputs, stacked.
func (b *Builder) Loop(trips, condition *onnx.Value, carried []*onnx.Value, body *onnx.Graph) []*onnx.Value {
	if condition == nil && len(carried) == 0 { // an input at the end cannot be absent
		condition = b.Const(onnx.Scalar(true))
	}
	return b.Node("Loop", slices.Concat([]*onnx.Value{trips, condition}, carried), max(len(body.Outputs())-1, 0), onnx.GraphAttr("body", body))
}

// Scan runs body, with inputs states and one element of each of xs, and outputs states and one element of each scan output,
// for every element along the axes. It gives the last states and the scan outputs.
func (b *Builder) Scan(body *onnx.Graph, states, xs []*onnx.Value, a ScanAttrs) []*onnx.Value {
	attrs := []onnx.Attr{onnx.GraphAttr("body", body), onnx.Int("num_scan_inputs", int64(len(xs)))}
	for _, l := range []struct {
		name string
		list []int64
	}{{"scan_input_axes", a.InputAxes}, {"scan_input_directions", a.InputDirections},
		{"scan_output_axes", a.OutputAxes}, {"scan_output_directions", a.OutputDirections}} {
		if slices.ContainsFunc(l.list, func(i int64) bool { return i != 0 }) {
			attrs = append(attrs, onnx.Ints(l.name, l.list...))
		}
	}
	return b.Node("Scan", slices.Concat(states, xs), len(body.Outputs()), attrs...)
}

// scanForm is a Scan read out.
type scanForm struct {
	ScanAttrs
	body            *onnx.Graph
	states, xs, ys  int
	inputs, outputs []*onnx.Value // of the body
}

func scanOf(n *onnx.Node) (scanForm, error) {
	s := scanForm{body: onnx.AttrOr[*onnx.Graph](n, "body", nil)}
	if s.body == nil {
		return s, fmt.Errorf("body is missing")
	}
	xs := onnx.AttrOr(n, "num_scan_inputs", int64(0))
	if xs < 1 || xs > int64(n.NumInputs()) {
		return s, fmt.Errorf("num_scan_inputs is %d, the node has %d inputs", xs, n.NumInputs())
	}
	s.inputs, s.outputs = s.body.Inputs(), s.body.Outputs()
	s.xs, s.states = int(xs), n.NumInputs()-int(xs)
	s.ys = len(s.outputs) - s.states
	if len(s.inputs) != n.NumInputs() || s.ys < 0 || n.NumOutputs() > len(s.outputs) {
		return s, fmt.Errorf("body has %d inputs and %d outputs for %d states, %d scan inputs and %d outputs",
			len(s.inputs), len(s.outputs), s.states, s.xs, n.NumOutputs())
	}
	for _, l := range []struct {
		name string
		list *[]int64
		want int
	}{{"scan_input_axes", &s.InputAxes, s.xs}, {"scan_input_directions", &s.InputDirections, s.xs},
		{"scan_output_axes", &s.OutputAxes, s.ys}, {"scan_output_directions", &s.OutputDirections, s.ys}} {
		*l.list = slices.Clone(onnx.AttrOr[[]int64](n, l.name, nil))
		if *l.list == nil {
			*l.list = make([]int64, l.want)
		}
		if len(*l.list) != l.want {
			return s, fmt.Errorf("%s has %d entries, wants %d", l.name, len(*l.list), l.want)
		}
	}
	for _, d := range slices.Concat(s.InputDirections, s.OutputDirections) {
		if d != 0 && d != 1 {
			return s, fmt.Errorf("direction %d is neither 0 nor 1", d)
		}
	}
	return s, nil
}

// element is the type of what the body gets of scan input i, and the number of elements.
func (s scanForm) element(n *onnx.Node, i int) (onnx.TensorType, onnx.Dim, error) {
	t := typeOf(n, s.states+i)
	if !t.Shape.Ranked() {
		return t, onnx.UnknownDim, nil
	}
	axis, err := axisOf(s.InputAxes[i], len(t.Shape))
	if err != nil {
		return t, onnx.UnknownDim, fmt.Errorf("scan input %d: %w", i, err)
	}
	length := t.Shape[axis]
	t.Shape = slices.Delete(t.Shape.Clone(), axis, axis+1)
	return t, length, nil
}

// seedScan gives the inputs of a Scan's body the types that they are fed with: states have one shape all the way.
func seedScan(n *onnx.Node) {
	s, err := scanOf(n)
	if err != nil {
		return // inference says so
	}
	for i, v := range s.inputs {
		if !v.IsTensor() {
			continue
		}
		t := typeOf(n, i)
		if i >= s.states {
			if t, _, err = s.element(n, i-s.states); err != nil {
				continue
			}
		}
		if t, err = mergeTypes(t, v.Type); err == nil {
			v.Type = t
		}
	}
}

// scanOfOld reports whether n is Scan in the form of opset 8, whose first input, the lengths of a batch's sequences, may be
// absent and whose body does not see it.
func scanOfOld(n *onnx.Node) bool {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	return body != nil && n.NumInputs() == len(body.Inputs())+1
}

// inferOldScan: the axes [batch] of states and [batch,length] of sequences come before those that the body sees.
func inferOldScan(n *onnx.Node) ([]onnx.TensorType, error) {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	states := n.NumInputs() - 1 - int(onnx.AttrOr(n, "num_scan_inputs", int64(0)))
	outs := body.Outputs()
	if states < 0 || states > n.NumInputs()-1 || len(outs) < n.NumOutputs() {
		return nil, fmt.Errorf("num_scan_inputs and the %d outputs of the body do not fit", len(outs))
	}
	batch, length := onnx.UnknownDim, onnx.UnknownDim
	for i := 1; i < n.NumInputs(); i++ {
		s := shapeOf(n, i)
		if len(s) > 0 {
			batch, _ = mergeDim(batch, s[0])
		}
		if i > states && len(s) > 1 {
			length, _ = mergeDim(length, s[1])
		}
	}
	types := make([]onnx.TensorType, n.NumOutputs())
	for i := range types {
		if types[i] = outs[i].Type; i < states {
			types[i] = typeOf(n, i+1)
		} else if types[i].Shape.Ranked() {
			types[i].Shape = append(onnx.Shape{batch, length}, types[i].Shape...)
		}
	}
	return types, nil
}

// inferScan: the last states have the types of the first; a scan output is one of the body's with the sequence's length as
// an axis more.
func inferScan(n *onnx.Node) ([]onnx.TensorType, error) {
	if scanOfOld(n) {
		return inferOldScan(n)
	}
	s, err := scanOf(n)
	if err != nil {
		return nil, err
	}
	length := onnx.UnknownDim
	for i := range s.xs {
		t, d, err := s.element(n, i)
		if err != nil {
			return nil, err
		}
		if _, err := mergeTypes(t, s.inputs[s.states+i].Type); err != nil {
			return nil, fmt.Errorf("scan input %d: %w", i, err)
		}
		merged, ok := mergeDim(length, d)
		if !ok {
			return nil, fmt.Errorf("scan inputs have %v and %v elements", length, d)
		}
		length = merged
	}
	types := make([]onnx.TensorType, n.NumOutputs())
	for i := range types {
		t := s.outputs[i].Type
		if i < s.states {
			if t, err = mergeTypes(typeOf(n, i), t); err != nil {
				return nil, fmt.Errorf("state %d: %w", i, err)
			}
		} else if t.Shape.Ranked() {
			axis, err := axisOf(s.OutputAxes[i-s.states], len(t.Shape)+1)
			if err != nil {
				return nil, fmt.Errorf("scan output %d: %w", i-s.states, err)
			}
			t.Shape = slices.Insert(t.Shape.Clone(), axis, length)
		}
		types[i] = t
	}
	return types, nil
}
