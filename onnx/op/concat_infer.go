package op

import (
	"fmt"

	"graft/onnx"
)

func inferConcat(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	a, ok := n.Attr("axis")
	along, isInt := a.Value.(int64)
	if !ok || !isInt {
		return nil, fmt.Errorf("axis is missing")
	}
	var out onnx.Shape
	var lengths []onnx.Dim
	axis := 0
	for i := range n.NumInputs() {
		s := shapeOf(n, i)
		if n.Input(i) == nil {
			return nil, fmt.Errorf("input %d is absent", i)
		}
		if !s.Ranked() {
			return one(d, nil), nil
		}
		if out == nil {
			if axis, err = axisOf(along, len(s)); err != nil {
				return nil, err
			}
			out, lengths = s.Clone(), []onnx.Dim{s[axis]}
			continue
		}
		if len(s) != len(out) {
			return nil, fmt.Errorf("ranks differ: %v and %v", out, s)
		}
		for j := range s {
			if j == axis {
				lengths = append(lengths, s[j])
				continue
			}
			m, ok := mergeDim(out[j], s[j])
			if !ok {
				return nil, fmt.Errorf("input %d: axis %d is %v, wants %v as the others have", i, j, s[j], out[j])
			}
			out[j] = m
		}
	}
	if out[axis], err = total(lengths); err != nil {
		return nil, fmt.Errorf("axis %d: %w", axis, err)
	}
	return one(d, out), nil
}

func inferSplit(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	types := make([]onnx.TensorType, n.NumOutputs())
	for i := range types {
		types[i] = onnx.TensorType{DType: d}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("no outputs")
	}
	if !x.Ranked() {
		return types, nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x))
	if err != nil {
		return nil, err
	}
	list, given, known := intsOf(n, 1, "split")
	parts, err := splitSizes(n, x[axis], list, given, known)
	if err != nil {
		return nil, err
	}
	for i := range types {
		types[i].Shape = x.Clone()
		types[i].Shape[axis] = parts(i)
	}
	return types, nil
}

// splitSizes gives the size of each part of a dimension that is split, evenly where no sizes are given.
func splitSizes(n *onnx.Node, whole onnx.Dim, parts []int64, given, known bool) (func(i int) onnx.Dim, error) {
	count := int64(n.NumOutputs())
	switch {
	case given && !known:
		return func(int) onnx.Dim { return onnx.UnknownDim }, nil
	case given:
		if int64(len(parts)) != count {
			return nil, fmt.Errorf("%d sizes for %d outputs", len(parts), count)
		}
		sum := int64(0)
		for _, p := range parts {
			if p < 0 || p > maxSize || sum > maxSize {
				return nil, fmt.Errorf("size %d is not possible", p)
			}
			sum += p
		}
		if whole.Known() && sum != whole.Size {
			return nil, fmt.Errorf("sizes %v add up to %d, the axis has %d", parts, sum, whole.Size)
		}
		return func(i int) onnx.Dim { return size(parts[i]) }, nil
	}
	if want := onnx.AttrOr(n, "num_outputs", count); want != count {
		return nil, fmt.Errorf("num_outputs is %d, the node has %d", want, count)
	}
	if !whole.Known() {
		each := quotientDim(whole, size(count))
		return func(int) onnx.Dim { return each }, nil
	}
	_, uneven := n.Attr("num_outputs")
	each := (whole.Size + count - 1) / count
	last := whole.Size - each*(count-1)
	if last < 0 || (!uneven && last != each) {
		return nil, fmt.Errorf("%d does not split into %d parts", whole.Size, count)
	}
	return func(i int) onnx.Dim {
		if int64(i) == count-1 {
			return size(last)
		}
		return size(each)
	}, nil
}

func inferTile(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, nil), nil
	}
	repeats, ok := elementsOf(n.Input(1))
	if !ok {
		return one(d, unknownShape(len(x))), nil
	}
	if len(repeats) != len(x) {
		return nil, fmt.Errorf("%d repeats for rank %d", len(repeats), len(x))
	}
	s := x.Clone()
	for i, r := range repeats {
		switch {
		case r.known && r.i < 0:
			return nil, fmt.Errorf("%d repeats of axis %d are not possible", r.i, i)
		case r.known && r.i == 0:
			s[i] = size(0)
		case r.known && r.i == 1, x[i] == size(0):
		case x[i] == size(1):
			s[i] = r.dim()
		case !r.known || !x[i].Known():
			s[i] = productDim(x[i], r.dim())
		default:
			v, ok := mul(x[i].Size, r.i)
			if !ok {
				return nil, fmt.Errorf("axis %d of %v times %d overflows", i, x, r.i)
			}
			s[i] = size(v)
		}
	}
	return one(d, s), nil
}
