package op

import (
	"fmt"

	"graft/onnx"
)

// sequenceOf is what input i, a sequence, holds. An unknown input gives an unknown element.
func sequenceOf(n *onnx.Node, i int) (onnx.TensorType, error) {
	t := typeOf(n, i)
	switch {
	case t.Of != nil && t.Of.Kind == onnx.Sequence:
		return t.Of.Elem, nil
	case t.Of != nil || t.DType != onnx.Undefined:
		return t, fmt.Errorf("input %d is %v, wants a sequence", i, t)
	}
	return onnx.TensorType{}, nil
}

// membersOf are the values that a sequence was made of; ok is false where that is not known.
func membersOf(v *onnx.Value) (members []*onnx.Value, ok bool) {
	if v == nil || v.Producer() == nil {
		return nil, false
	}
	switch p := v.Producer(); {
	case p.Is("SequenceEmpty"):
		return nil, true
	case p.Is("SequenceConstruct"):
		return p.Inputs(), true
	}
	return nil, false
}

// eitherOf is what the elements of a sequence have in common.
func eitherOf(members []*onnx.Value) (onnx.TensorType, error) {
	var elem onnx.TensorType
	for i, v := range members {
		if v == nil {
			return elem, fmt.Errorf("input %d is absent", i)
		}
		if i == 0 {
			elem = v.Type
			continue
		}
		var err error
		if elem, err = either(elem, v.Type); err != nil {
			return elem, fmt.Errorf("input %d: %w", i, err)
		}
	}
	return elem, nil
}

func inferSequenceConstruct(n *onnx.Node) ([]onnx.TensorType, error) {
	elem, err := eitherOf(n.Inputs())
	return []onnx.TensorType{onnx.SequenceOf(elem)}, err
}

func inferSequenceEmpty(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "dtype", onnx.Float, anything)
	t := onnx.SequenceOf(onnx.TensorType{DType: d})
	t.Of.Empty = true
	return []onnx.TensorType{t}, err
}

// inferSequenceInsert: what the sequence's elements and the tensor have in common.
func inferSequenceInsert(n *onnx.Node) ([]onnx.TensorType, error) {
	elem, err := sequenceOf(n, 0)
	if err != nil {
		return nil, err
	}
	t := typeOf(n, 1)
	if t.Of != nil {
		return nil, fmt.Errorf("input 1 is %v, wants a tensor", t)
	}
	if n.Input(0).Type.Of == nil {
		return []onnx.TensorType{onnx.SequenceOf(onnx.TensorType{DType: t.DType})}, nil
	}
	both, err := either(n.Input(0).Type, onnx.SequenceOf(t))
	if err == nil && both.Of.Elem.DType == onnx.Undefined {
		both.Of.Elem.DType = max(elem.DType, t.DType)
	}
	return []onnx.TensorType{both}, err
}

func inferSequenceErase(n *onnx.Node) ([]onnx.TensorType, error) {
	elem, err := sequenceOf(n, 0)
	return []onnx.TensorType{onnx.SequenceOf(elem)}, err
}

// inferSequenceAt: the element that is asked for, where the sequence's making is known; else what all have in common.
func inferSequenceAt(n *onnx.Node) ([]onnx.TensorType, error) {
	elem, err := sequenceOf(n, 0)
	if err != nil {
		return nil, err
	}
	members, ok := membersOf(n.Input(0))
	at, known := ConstantInts(n.Input(1))
	if ok && known && len(at) == 1 && len(members) > 0 {
		i, err := axisOf(at[0], len(members))
		if err != nil {
			return nil, fmt.Errorf("position %d is outside a sequence of %d", at[0], len(members))
		}
		if v := members[i]; v != nil {
			elem = v.Type
		}
	}
	return []onnx.TensorType{elem}, nil
}

func inferSequenceLength(n *onnx.Node) ([]onnx.TensorType, error) {
	_, err := sequenceOf(n, 0)
	return one(onnx.Int64, onnx.NewShape()), err
}

// inferSequenceMap: each output is a sequence of what the body gives for one element. The body is inferred before.
func inferSequenceMap(n *onnx.Node) ([]onnx.TensorType, error) {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	if body == nil {
		return nil, fmt.Errorf("body is missing")
	}
	if _, err := sequenceOf(n, 0); err != nil {
		return nil, err
	}
	outs := body.Outputs()
	if len(body.Inputs()) != n.NumInputs() || len(outs) != n.NumOutputs() {
		return nil, fmt.Errorf("body has %d inputs and %d outputs, the node %d and %d", len(body.Inputs()), len(outs), n.NumInputs(), n.NumOutputs())
	}
	types := make([]onnx.TensorType, len(outs))
	for i, o := range outs {
		if types[i] = onnx.SequenceOf(o.Type); o.Type.Of != nil {
			return nil, fmt.Errorf("output %d of the body is %v, wants a tensor", i, o.Type)
		}
	}
	return types, nil
}

// inferSplitToSequence: pieces along an axis, of one element each where no sizes are given.
func inferSplitToSequence(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return []onnx.TensorType{onnx.SequenceOf(onnx.TensorType{DType: d})}, nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x))
	if err != nil {
		return nil, err
	}
	s := x.Clone()
	if n.Input(1) != nil {
		s[axis], err = pieceOf(n, x[axis])
	} else if s[axis] = size(1); onnx.AttrOr(n, "keepdims", int64(1)) == 0 {
		s = append(s[:axis], s[axis+1:]...)
	}
	return []onnx.TensorType{onnx.SequenceOf(onnx.TensorType{DType: d, Shape: s})}, err
}

// pieceOf is the size that all pieces of a dimension have, by operand 1: a scalar is the size of each but the last, a list
// has one for each.
func pieceOf(n *onnx.Node, whole onnx.Dim) (onnx.Dim, error) {
	list, ok := ConstantInts(n.Input(1))
	if !ok {
		return onnx.UnknownDim, nil
	}
	scalar := shapeOf(n, 1).Ranked() && len(shapeOf(n, 1)) == 0
	sum := int64(0)
	for _, p := range list {
		if p < 0 || p > maxSize || sum > maxSize || (scalar && p == 0) {
			return onnx.UnknownDim, fmt.Errorf("size %d is not possible", p)
		}
		sum += p
	}
	switch {
	case scalar && whole.Known() && whole.Size%sum == 0:
		return size(sum), nil
	case scalar && whole.Known() && whole.Size < sum:
		return whole, nil
	case scalar || len(list) == 0:
		return onnx.UnknownDim, nil
	case whole.Known() && sum != whole.Size:
		return onnx.UnknownDim, fmt.Errorf("sizes %v add up to %d, the axis has %d", list, sum, whole.Size)
	}
	for _, p := range list {
		if p != list[0] {
			return onnx.UnknownDim, nil
		}
	}
	return size(list[0]), nil
}

// inferConcatFromSequence: how long the sequence is, is known where it was made of values just before.
func inferConcatFromSequence(n *onnx.Node) ([]onnx.TensorType, error) {
	elem, err := sequenceOf(n, 0)
	if err != nil {
		return nil, err
	}
	if _, ok := n.Attr("axis"); !ok {
		return nil, fmt.Errorf("axis is missing")
	}
	if !elem.Shape.Ranked() {
		return one(elem.DType, nil), nil
	}
	along, members := onnx.AttrOr(n, "axis", int64(0)), []*onnx.Value(nil)
	members, made := membersOf(n.Input(0))
	if onnx.AttrOr(n, "new_axis", int64(0)) != 0 {
		axis, err := axisOf(along, len(elem.Shape)+1)
		if err != nil {
			return nil, err
		}
		count := onnx.UnknownDim
		if made {
			count = size(int64(len(members)))
		}
		s := append(elem.Shape[:axis:axis].Clone(), count)
		return one(elem.DType, append(s, elem.Shape[axis:]...)), nil
	}
	axis, err := axisOf(along, len(elem.Shape))
	if err != nil {
		return nil, err
	}
	s := elem.Shape.Clone()
	s[axis] = onnx.UnknownDim
	if made {
		lengths := make([]onnx.Dim, len(members))
		for i, v := range members {
			if lengths[i] = onnx.UnknownDim; v != nil && len(v.Type.Shape) == len(s) {
				lengths[i] = v.Type.Shape[axis]
			}
		}
		s[axis], err = total(lengths)
	}
	return one(elem.DType, s), err
}
