package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

var shape = []Schema{
	{Name: "Constant", Since: 13, MinIn: 0, MaxIn: 0, Out: 1, Infer: inferConstant,
		Attributes: []string{"value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings", "sparse_value"}},
	{Name: "Reshape", Since: 13, MinIn: 1, MaxIn: 2, Out: 1, Attributes: []string{"allowzero", "shape"}, Infer: inferReshape},
	{Name: "Shape", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"start", "end"}, Infer: inferShape},
	{Name: "Expand", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Infer: inferExpand},
	{Name: "Squeeze", Since: 13, MinIn: 1, MaxIn: 2, Out: 1, Attributes: []string{"axes"}, Infer: inferSqueeze},
	{Name: "Unsqueeze", Since: 13, MinIn: 1, MaxIn: 2, Out: 1, Attributes: []string{"axes"}, Infer: inferUnsqueeze},
	{Name: "Flatten", Since: 13, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"axis"}, Infer: inferFlatten},
	{Name: "Concat", Since: 13, MinIn: 1, MaxIn: -1, Out: 1, Attributes: []string{"axis"}, Infer: inferConcat},
	{Name: "Split", Since: 13, MinIn: 1, MaxIn: 2, Out: -1, Attributes: []string{"axis", "split", "num_outputs"}, Infer: inferSplit},
	{Name: "Tile", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Infer: inferTile},
	{Name: "Slice", Since: 13, MinIn: 1, MaxIn: 5, Out: 1, Attributes: []string{"starts", "ends", "axes"}, Infer: inferSlice},
	{Name: "Pad", Since: 13, MinIn: 1, MaxIn: 4, Out: 1, Attributes: []string{"mode", "pads", "value"}, Infer: inferPad},
}

func inferConstant(n *onnx.Node) ([]onnx.TensorType, error) {
	if len(n.Attrs) != 1 {
		return nil, fmt.Errorf("%d attributes, wants one", len(n.Attrs))
	}
	switch v := n.Attrs[0].Value.(type) {
	case *onnx.Tensor:
		if v != nil {
			return []onnx.TensorType{v.Type()}, nil
		}
	case float32:
		return one(onnx.Float, onnx.NewShape()), nil
	case []float32:
		return one(onnx.Float, onnx.NewShape(int64(len(v)))), nil
	case int64:
		return one(onnx.Int64, onnx.NewShape()), nil
	case []int64:
		return one(onnx.Int64, onnx.NewShape(int64(len(v)))), nil
	case string:
		return one(onnx.String, onnx.NewShape()), nil
	case []string:
		return one(onnx.String, onnx.NewShape(int64(len(v)))), nil
	case onnx.Opaque: // a sparse tensor
		return one(onnx.Undefined, nil), nil
	}
	return nil, fmt.Errorf("attribute %s is not a constant", n.Attrs[0].Name)
}

// lengthOf is the number of elements of a vector input, -1 when unknown.
func lengthOf(n *onnx.Node, i int) (int64, error) {
	s := shapeOf(n, i)
	switch {
	case !s.Ranked():
		return -1, nil
	case len(s) != 1:
		return 0, fmt.Errorf("input %d has rank %d, wants 1", i, len(s))
	case !s[0].Known():
		return -1, nil
	case s[0].Size > maxRank:
		return 0, fmt.Errorf("input %d asks for rank %d, at most %d is possible", i, s[0].Size, maxRank)
	}
	return s[0].Size, nil
}

func inferReshape(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	dims, given, known := intsOf(n, 1, "shape")
	if !given {
		return nil, fmt.Errorf("shape is missing")
	}
	if !known {
		rank, err := lengthOf(n, 1)
		if err != nil || rank < 0 {
			return one(d, nil), err
		}
		return one(d, unknownShape(int(rank))), nil
	}
	if len(dims) > maxRank {
		return nil, fmt.Errorf("shape asks for rank %d, at most %d is possible", len(dims), maxRank)
	}
	s, err := reshape(shapeOf(n, 0), dims, onnx.AttrOr(n, "allowzero", int64(0)) != 0)
	return one(d, s), err
}

func reshape(x onnx.Shape, dims []int64, allowZero bool) (onnx.Shape, error) {
	out, infer := make(onnx.Shape, len(dims)), -1
	for i, v := range dims {
		switch {
		case v == -1 && infer >= 0:
			return nil, fmt.Errorf("shape %v has more than one -1", dims)
		case v == -1:
			infer, out[i] = i, onnx.UnknownDim
		case v < 0 || v > maxSize:
			return nil, fmt.Errorf("shape %v: %d is not a size", dims, v)
		case v == 0 && !allowZero:
			if !x.Ranked() {
				out[i] = onnx.UnknownDim
				continue
			}
			if i >= len(x) {
				return nil, fmt.Errorf("shape %v copies dimension %d of %v", dims, i, x)
			}
			out[i] = x[i]
		default:
			out[i] = size(v)
		}
	}
	if !x.Ranked() {
		return out, nil
	}
	if infer >= 0 {
		d, err := remaining(x, out, infer)
		if err != nil {
			return nil, fmt.Errorf("%v does not reshape to %v", x, dims)
		}
		out[infer] = d
		return out, nil
	}
	from, err := product(x)
	if err != nil {
		return nil, err
	}
	to, err := product(out)
	if err != nil {
		return nil, err
	}
	if _, ok := mergeDim(from, to); !ok {
		return nil, fmt.Errorf("%v does not reshape to %v", x, dims)
	}
	return out, nil
}

// remaining is the size of out[hole] that makes the products of x and out equal. Equal symbols cancel.
func remaining(x, out onnx.Shape, hole int) (onnx.Dim, error) {
	num := x.Clone()
	var den onnx.Shape
	for i, d := range out {
		if i == hole {
			continue
		}
		cancelled := false
		if !d.Known() && d.Symbol != "" {
			for j := range num {
				if num[j] == d {
					num[j], cancelled = size(1), true
					break
				}
			}
		}
		if !cancelled {
			den = append(den, d)
		}
	}
	// A dimension copied by 0 stands on both sides even when it has no name.
	a, err := product(num)
	if err != nil {
		return a, err
	}
	b, err := product(den)
	if err != nil {
		return b, err
	}
	switch {
	case a.Known() && b.Known():
		if b.Size == 0 {
			if a.Size != 0 {
				return a, fmt.Errorf("not divisible")
			}
			return onnx.UnknownDim, nil
		}
		if a.Size%b.Size != 0 {
			return a, fmt.Errorf("not divisible")
		}
		return size(a.Size / b.Size), nil
	case b == size(1):
		return a, nil
	}
	return onnx.UnknownDim, nil
}

func inferShape(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	if !x.Ranked() {
		return one(onnx.Int64, onnx.Shape{onnx.UnknownDim}), nil
	}
	lo, hi := shapeSpan(n, len(x))
	return one(onnx.Int64, onnx.NewShape(int64(hi-lo))), nil
}

// shapeSpan is the part of the dimensions that a Shape node gives.
func shapeSpan(n *onnx.Node, rank int) (lo, hi int) {
	clamp := func(v int64) int {
		if v < 0 {
			v += int64(rank)
		}
		return int(min(max(v, 0), int64(rank)))
	}
	lo, hi = clamp(onnx.AttrOr(n, "start", int64(0))), clamp(onnx.AttrOr(n, "end", int64(math.MaxInt64)))
	return lo, max(lo, hi)
}

func inferExpand(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	dims, ok := ConstantInts(n.Input(1))
	if !ok {
		rank, err := lengthOf(n, 1)
		if err != nil || rank < 0 || !x.Ranked() {
			return one(d, nil), err
		}
		return one(d, unknownShape(max(int(rank), len(x)))), nil
	}
	to, err := sizes(dims)
	if err != nil {
		return nil, err
	}
	s, err := broadcastShapes(x, to)
	return one(d, s), err
}

// sizes makes a shape of a list from the file.
func sizes(dims []int64) (onnx.Shape, error) {
	if len(dims) > maxRank {
		return nil, fmt.Errorf("rank %d, at most %d is possible", len(dims), maxRank)
	}
	for _, v := range dims {
		if v < 0 || v > maxSize {
			return nil, fmt.Errorf("shape %v: %d is not a size", dims, v)
		}
	}
	return onnx.NewShape(dims...), nil
}

func inferSqueeze(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	axes, given, known := intsOf(n, 1, "axes")
	if !x.Ranked() || !known {
		return one(d, nil), nil
	}
	gone, err := axesOf(axes, len(x))
	if err != nil {
		return nil, err
	}
	s := onnx.NewShape()
	for i, dim := range x {
		switch {
		case !given && dim == size(1):
		case !given && !dim.Known():
			return one(d, nil), nil
		case given && gone[i]:
			if dim.Known() && dim.Size != 1 {
				return nil, fmt.Errorf("axis %d of %v is not 1", i, x)
			}
		default:
			s = append(s, dim)
		}
	}
	return one(d, s), nil
}

func inferUnsqueeze(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	axes, given, known := intsOf(n, 1, "axes")
	if !given {
		return nil, fmt.Errorf("axes is missing")
	}
	if !known {
		count, err := lengthOf(n, 1)
		if err != nil || count < 0 || !x.Ranked() {
			return one(d, nil), err
		}
		return one(d, unknownShape(len(x)+int(count))), nil
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	if len(axes)+len(x) > maxRank {
		return nil, fmt.Errorf("rank %d, at most %d is possible", len(axes)+len(x), maxRank)
	}
	added, err := axesOf(axes, len(x)+len(axes))
	if err != nil {
		return nil, err
	}
	s, next := onnx.NewShape(), 0
	for i := range len(x) + len(axes) {
		if added[i] {
			s = append(s, size(1))
			continue
		}
		s = append(s, x[next])
		next++
	}
	return one(d, s), nil
}

func inferFlatten(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, unknownShape(2)), nil
	}
	axis := onnx.AttrOr(n, "axis", int64(1))
	if axis < -int64(len(x)) || axis > int64(len(x)) {
		return nil, fmt.Errorf("axis %d is outside rank %d", axis, len(x))
	}
	if axis < 0 {
		axis += int64(len(x))
	}
	rows, err := product(x[:axis])
	if err != nil {
		return nil, err
	}
	cols, err := product(x[axis:])
	return one(d, onnx.Shape{rows, cols}), err
}
