package op

import (
	"fmt"

	"graft/onnx"
)

// Opset is the operator set that the engines work in: builders emit its forms, rules read them.
const Opset = 21

// Schema is one row of the operator table.
type Schema struct {
	Name string
	// Since is the lowest opset of the default domain in which the operator has the form that the builder emits.
	Since int64
	// Lowest refines Since for a node that uses a younger feature of the operator; nil: Since.
	Lowest func(n *onnx.Node) int64
	// MinIn, MaxIn and Out bound the number of inputs and give the number of outputs (at most). -1: no bound.
	MinIn, MaxIn, Out int
	// Types says since which opset the operator takes which element types; nil: any. TypedBy is the input whose element
	// type it speaks of; -1: the first output.
	Types   accepted
	TypedBy int
	// Containers says that the operator takes sequences or optionals; others refuse them.
	Containers bool
	// Attributes lists the attributes that the operator knows.
	Attributes []string
	// Infer gives the types of the outputs from the types of the inputs, and from their values where they are constant.
	// It must not change the node. Unknown inputs give unknown outputs; a contradiction is an error.
	Infer func(n *onnx.Node) ([]onnx.TensorType, error)
}

// families lists the tables, one a file. An operator is one row in one of them.
var families = [][]Schema{elementwise, activation, logic, matrix, conv, pool, norm, reduce, shape, index, resize, quantize, loss, recurrent, control, random, taper, vision, sequence, texts, spatial, signal, attention}

var table = func() map[string]*Schema {
	t := map[string]*Schema{}
	for _, f := range families {
		for i := range f {
			t[f[i].Name] = &f[i]
		}
	}
	return t
}()

// Lookup finds the row of an operator of the default domain; nil when there is none.
func Lookup(name string) *Schema { return table[name] }

// Infer gives the types of n's outputs by its row's rule.
func Infer(n *onnx.Node) ([]onnx.TensorType, error) {
	s := Lookup(n.Op)
	if s == nil || (n.Domain != "" && n.Domain != "ai.onnx") {
		return nil, fmt.Errorf("%s: no such operator in the table", n.Op)
	}
	if n.NumInputs() < s.MinIn || (s.MaxIn >= 0 && n.NumInputs() > s.MaxIn) {
		return nil, fmt.Errorf("%s: %d inputs, wants %s", n.Op, n.NumInputs(), Span(s.MinIn, s.MaxIn))
	}
	if s.Out >= 0 && n.NumOutputs() > s.Out {
		return nil, fmt.Errorf("%s: %d outputs, has at most %d", n.Op, n.NumOutputs(), s.Out)
	}
	types, err := s.inferChecked(n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Op, err)
	}
	return types, nil
}

// inferChecked applies the rule between bounds of rank and size on what goes in and what comes out.
func (s *Schema) inferChecked(n *onnx.Node) ([]onnx.TensorType, error) {
	dims := 0
	for i := range n.NumInputs() {
		v := n.Input(i)
		if v == nil {
			if i < s.MinIn {
				return nil, fmt.Errorf("input %d is absent", i)
			}
			continue
		}
		if dims += len(v.Type.Shape); dims > maxDims {
			return nil, fmt.Errorf("the inputs have more than %d dimensions together", maxDims)
		}
		if err := checkType("input", v.Type); err != nil {
			return nil, err
		}
		if !v.IsTensor() && !s.Containers {
			return nil, fmt.Errorf("input %d is no tensor", i)
		}
	}
	types, err := s.Infer(n)
	if err != nil {
		return nil, err
	}
	if d := s.elementType(n, types); d != onnx.Undefined && s.Types != nil {
		if _, ok := s.Types.since(d); !ok {
			return nil, fmt.Errorf("does not take %v", d)
		}
	}
	for _, t := range types {
		if err := checkType("output", t); err != nil {
			return nil, err
		}
	}
	return types, nil
}

// Span says a number of inputs or outputs; hi is -1 without a bound.
func Span(lo, hi int) string {
	switch {
	case hi < 0:
		return fmt.Sprintf("%d or more", lo)
	case lo == hi:
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// elementType is the element type that s.Types speaks of.
func (s *Schema) elementType(n *onnx.Node, outs []onnx.TensorType) onnx.DataType {
	switch {
	case s.TypedBy >= 0:
		return elementOfType(typeOf(n, s.TypedBy)).DType
	case len(outs) > 0:
		return elementOfType(outs[0]).DType
	}
	return onnx.Undefined
}

// TypeSince is the lowest opset in which the operator takes elements of type d; ok is false when none does.
func (s *Schema) TypeSince(d onnx.DataType) (opset int64, ok bool) {
	if s.Types == nil {
		return 1, true
	}
	return s.Types.since(d)
}
