package op

import (
	"fmt"

	"graft/onnx"
)

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

// ArgMax is where along axis the largest element is, the first of several: int64.
func (b *Builder) ArgMax(x *onnx.Value, axis int64, keepDims bool) *onnx.Value {
	attrs := []onnx.Attr{onnx.Int("axis", axis)}
	if !keepDims {
		attrs = append(attrs, onnx.Int("keepdims", 0))
	}
	return b.node("ArgMax", []*onnx.Value{x}, attrs...)
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

// CumSum adds up along axis; exclusive leaves each element itself out, reverse starts from the end.
func (b *Builder) CumSum(x *onnx.Value, axis int64, exclusive, reverse bool) *onnx.Value {
	var attrs []onnx.Attr
	if exclusive {
		attrs = append(attrs, onnx.Int("exclusive", 1))
	}
	if reverse {
		attrs = append(attrs, onnx.Int("reverse", 1))
	}
	return b.node("CumSum", []*onnx.Value{x, b.Const(onnx.Scalar(axis))}, attrs...)
}

var reduceExtremum = accepted{{7, floats | wide}, {12, bytes}, {13, bfloat}, {20, boolean}}

var reduce = []Schema{
	reduceRow("ReduceSum", wide13, 13),
	reduceRow("ReduceMean", wide13, 18),
	reduceRow("ReduceMax", reduceExtremum, 18),
	reduceRow("ReduceMin", reduceExtremum, 18),
	reduceRow("ReduceProd", wide13, 18),
	reduceRow("ReduceSumSquare", wide13, 18),
	reduceRow("ReduceL1", wide13, 18),
	reduceRow("ReduceL2", wide13, 18),
	reduceRow("ReduceLogSum", wide13, 18),
	reduceRow("ReduceLogSumExp", wide13, 18),
	row("ArgMax", 11, 1, 1, numbers13, inferArg, "axis", "keepdims", "select_last_index").lowest(argLowest),
	row("ArgMin", 11, 1, 1, numbers13, inferArg, "axis", "keepdims", "select_last_index").lowest(argLowest),
	row("CumSum", 11, 2, 2, accepted{{11, setOf(onnx.Float, onnx.Double) | wide}, {14, floats | bfloat}}, inferCumSum, "exclusive", "reverse"),
	row("CumProd", 26, 2, 2, accepted{{26, floats | bfloat | wide}}, inferCumSum, "exclusive", "reverse"),
}

// reduceRow is a reduction whose axes are an input since axesInput; the form without axes is as old as the table goes.
func reduceRow(name string, types accepted, axesInput int64) Schema {
	return row(name, axesInput, 1, 2, types, inferReduce, "axes", "keepdims", "noop_with_empty_axes").lowest(func(n *onnx.Node) int64 {
		if _, ok := n.Attr("noop_with_empty_axes"); ok || n.Input(1) != nil {
			return axesInput
		}
		return 7
	})
}

func argLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("select_last_index"); ok {
		return 12
	}
	return 11
}

func inferArg(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	if !x.Ranked() {
		return one(onnx.Int64, nil), nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x))
	if err != nil {
		return nil, err
	}
	if x[axis] == size(0) {
		return nil, fmt.Errorf("axis %d of %v is empty", axis, x)
	}
	s := x.Clone()
	s[axis] = size(1)
	if onnx.AttrOr(n, "keepdims", int64(1)) == 0 {
		s = append(s[:axis], s[axis+1:]...)
	}
	return one(onnx.Int64, s), nil
}

func inferCumSum(n *onnx.Node) ([]onnx.TensorType, error) {
	if axis, ok := ConstantInts(n.Input(1)); ok && shapeOf(n, 0).Ranked() {
		if len(axis) != 1 {
			return nil, fmt.Errorf("%d axes, wants one", len(axis))
		}
		if _, err := axisOf(axis[0], len(shapeOf(n, 0))); err != nil {
			return nil, err
		}
	}
	return sameAsInput(n)
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
		count, err := lengthOf(n, 1)
		switch {
		case err != nil || count < 0:
			return one(d, nil), err
		case count > int64(len(x)):
			return nil, fmt.Errorf("%d axes for rank %d", count, len(x))
		case count == 0 && onnx.AttrOr(n, "noop_with_empty_axes", int64(0)) == 0:
			count = int64(len(x))
		}
		return one(d, unknownShape(len(x)-int(count))), nil
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
