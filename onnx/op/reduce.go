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
