package rewrite

import (
	"slices"

	"graft/onnx"
)

var recurrentPatterns = []pattern{
	{"zero states", []string{"LSTM", "GRU", "RNN"}, 0, withoutZeroStates},
}

// withoutZeroStates: a state that begins with zeros is the one that a recurrent layer begins with when it is given none.
func withoutZeroStates(s *site, n *onnx.Node) []*onnx.Value {
	const hidden, cell = 5, 6 // inputs
	in, found := n.Inputs(), false
	for i := hidden; i < len(in) && i <= cell; i++ {
		if s.allZero(in[i]) {
			in[i], found = nil, true
		}
	}
	if !found {
		return nil
	}
	return s.Node(n.Op, in, n.NumOutputs(), n.Attrs...)
}

// rearranging are the operators whose output has no elements but those of their first input.
var rearranging = []string{"Slice", "Expand", "Tile", "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Gather"}

// allZero reports whether every element of v is known to be 0, however many there are.
func (s *site) allZero(v *onnx.Value) bool {
	const longest = 8
	for range longest {
		if v == nil {
			return false
		}
		if t := s.constant(v); t != nil {
			return t.DType.IsFloat() && !slices.ContainsFunc(t.Data, func(b byte) bool { return b != 0 })
		}
		if fill := s.source(v, "ConstantOfShape"); fill != nil {
			value := onnx.AttrOr[*onnx.Tensor](fill, "value", nil)
			return value == nil || value.Check() == nil && !slices.ContainsFunc(value.Data, func(b byte) bool { return b != 0 })
		}
		n := s.source(v, rearranging...)
		if n == nil {
			return false
		}
		v = n.Input(0)
	}
	return false
}
