package op

import (
	"encoding/binary"

	"graft/onnx"
)

// Const is a Constant node that holds t. Equal small constants of one builder share a node.
func (b *Builder) Const(t *onnx.Tensor) *onnx.Value {
	if b.failed.err != nil {
		return nil
	}
	var key []byte
	if len(t.Data) <= 256 && t.Strings == nil {
		key = constKey(t)
		if v := b.consts[string(key)]; v != nil && v.Producer() != nil && v.Producer().Graph() == b.graph {
			return v
		}
	}
	v := b.graph.Add("Constant", nil, 1, onnx.TensorAttr("value", t)).Output(0)
	v.Type = t.Type()
	if key != nil {
		b.consts[string(key)] = v
	}
	return v
}

// constKey says what t holds: two tensors have the same when their element types, dimensions and elements are.
func constKey(t *onnx.Tensor) []byte {
	key := make([]byte, 0, 64)
	key = binary.AppendVarint(key, int64(t.DType))
	key = binary.AppendVarint(key, int64(len(t.Dims)))
	for _, d := range t.Dims {
		key = binary.AppendVarint(key, d)
	}
	return append(key, t.Data...)
}

// Ints is a constant int64 vector, as shape operands want it.
func (b *Builder) Ints(v ...int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Int64, int64(len(v)))
	copy(t.Int64s(), v)
	return b.Const(t)
}

// Scalar is a constant of rank 0 with the element type of like, which must be a float or an integer type. It broadcasts
// against every shape.
func (b *Builder) Scalar(like *onnx.Value, v float64) *onnx.Value {
	if b.failed.err != nil {
		return nil
	}
	t, err := ScalarTensor(like.Type.DType, v)
	if err != nil {
		b.Fail("constant %v: %w", v, err)
		return nil
	}
	return b.Const(t)
}

// ConstantOf gives the tensor of a value that is known before the graph runs: an initializer that is not also a graph
// input is the caller's to judge; a Constant node's output is known. Nil when it is not known.
func ConstantOf(v *onnx.Value) *onnx.Tensor {
	switch {
	case v == nil:
		return nil
	case v.Const != nil:
		return v.Const
	case v.Producer() == nil || !v.Producer().Is("Constant") || len(v.Producer().Attrs) != 1:
		return nil
	}
	switch a := v.Producer().Attrs[0].Value.(type) {
	case *onnx.Tensor:
		return a
	case int64:
		return onnx.Scalar(a)
	case float32:
		return onnx.Scalar(a)
	case []int64:
		return onnx.FromSlice(a)
	case []float32:
		return onnx.FromSlice(a)
	}
	return nil
}

// ConstantInts gives the elements of an int64 or int32 tensor that is known before the graph runs: a constant, or a small
// array computed from constants and static shapes.
func ConstantInts(v *onnx.Value) ([]int64, bool) {
	t := ConstantOf(v)
	switch {
	case t == nil:
		a := evaluate(v)
		if a == nil || (a.dtype != onnx.Int64 && a.dtype != onnx.Int32) {
			return nil, false
		}
		return a.ints()
	case t.Check() != nil:
		return nil, false
	case t.DType == onnx.Int64:
		return t.Int64s(), true
	case t.DType == onnx.Int32:
		out := make([]int64, 0, len(t.Data)/4)
		for _, x := range onnx.View[int32](t) {
			out = append(out, int64(x))
		}
		return out, true
	}
	return nil, false
}
