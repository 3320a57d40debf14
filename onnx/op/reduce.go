package op

import "graft/onnx"

// ReduceSum sums over axes, over all of them when none is named.
func (b *Builder) ReduceSum(x *onnx.Value, keepDims bool, axes ...int64) *onnx.Value {
	return b.reduce("ReduceSum", x, keepDims, axes)
}

// ReduceMean averages over axes, over all of them when none is named.
func (b *Builder) ReduceMean(x *onnx.Value, keepDims bool, axes ...int64) *onnx.Value {
	return b.reduce("ReduceMean", x, keepDims, axes)
}

// ReduceMax takes the maximum over axes, over all of them when none is named.
func (b *Builder) ReduceMax(x *onnx.Value, keepDims bool, axes ...int64) *onnx.Value {
	return b.reduce("ReduceMax", x, keepDims, axes)
}

// ReduceSumSquare sums squares over axes, over all of them when none is named.
func (b *Builder) ReduceSumSquare(x *onnx.Value, keepDims bool, axes ...int64) *onnx.Value {
	return b.reduce("ReduceSumSquare", x, keepDims, axes)
}

func (b *Builder) reduce(op string, x *onnx.Value, keepDims bool, axes []int64) *onnx.Value {
	var attrs []onnx.Attr
	if !keepDims {
		attrs = append(attrs, onnx.Int("keepdims", 0))
	}
	var over *onnx.Value
	if len(axes) > 0 {
		over = b.Ints(axes...)
	}
	return b.node(op, []*onnx.Value{x, over}, attrs...)
}

var reduceAttributes = []string{"axes", "keepdims", "noop_with_empty_axes"}

var reduce = []Schema{
	{Name: "ReduceSum", Since: 13, MinIn: 1, MaxIn: 2, Out: 1, Attributes: reduceAttributes, Infer: inferReduce},
	{Name: "ReduceMean", Since: 18, Lowest: reduceLowest, MinIn: 1, MaxIn: 2, Out: 1, Attributes: reduceAttributes, Infer: inferReduce},
	{Name: "ReduceMax", Since: 18, Lowest: reduceLowest, MinIn: 1, MaxIn: 2, Out: 1, Attributes: reduceAttributes, Infer: inferReduce},
	{Name: "ReduceSumSquare", Since: 18, Lowest: reduceLowest, MinIn: 1, MaxIn: 2, Out: 1, Attributes: reduceAttributes, Infer: inferReduce},
}

// reduceLowest: axes are an input since 18; the form without axes is older.
func reduceLowest(n *onnx.Node) int64 {
	if n.Input(1) == nil && onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) == 0 {
		return 13
	}
	return 18
}

func inferReduce(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, nil), nil
	}
	keep := onnx.AttrOr(n, "keepdims", int64(1)) != 0
	axes, _, known := intsOf(n, 1, "axes")
	if !known {
		if keep {
			return one(d, unknownShape(len(x))), nil
		}
		return one(d, nil), nil
	}
	if len(axes) == 0 && onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) != 0 {
		return one(d, x.Clone()), nil
	}
	over, err := axesOf(axes, len(x))
	if err != nil {
		return nil, err
	}
	s := onnx.NewShape()
	for i, dim := range x {
		switch {
		case len(axes) > 0 && !over[i]:
			s = append(s, dim)
		case keep:
			s = append(s, size(1))
		}
	}
	return one(d, s), nil
}
