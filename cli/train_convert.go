package cli

import (
	"fmt"
	"math"

	"graft/onnx"
)

// converted gives numbers the element type that a model wants: any number becomes float, whole numbers become int64. Numbers
// that are none, and those that the type cannot hold, are refused.
func converted(t *onnx.Tensor, to onnx.DataType) (*onnx.Tensor, error) {
	if t.DType == to && to != onnx.Float {
		return t, nil
	}
	var values []float64
	var whole []int64
	switch t.DType {
	case onnx.Float:
		values = widen(onnx.View[float32](t))
	case onnx.Double:
		values = onnx.View[float64](t)
	case onnx.Int8:
		whole = integers(onnx.View[int8](t))
	case onnx.Int16:
		whole = integers(onnx.View[int16](t))
	case onnx.Int32:
		whole = integers(onnx.View[int32](t))
	case onnx.Int64:
		whole = onnx.View[int64](t)
	case onnx.Uint8:
		whole = integers(onnx.View[uint8](t))
	case onnx.Uint16:
		whole = integers(onnx.View[uint16](t))
	case onnx.Uint32:
		whole = integers(onnx.View[uint32](t))
	}
	switch {
	case to == onnx.Int64 && whole != nil:
		return onnx.FromSlice(whole, t.Dims...), nil
	case to != onnx.Float || values == nil && whole == nil:
		return nil, fmt.Errorf("is %v, the model wants %v", t.DType, to)
	case values == nil:
		values = widen(whole)
	}
	if t.DType == onnx.Float {
		return t, finite(values)
	}
	out := onnx.NewTensor(onnx.Float, t.Dims...)
	for i, v := range values {
		out.Float32s()[i] = float32(v)
	}
	return out, finite(values)
}

func widen[T float32 | int64](values []T) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

func integers[T int8 | int16 | int32 | uint8 | uint16 | uint32](values []T) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

func finite(values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return fmt.Errorf("element %d is %v", i, v)
		}
	}
	return nil
}
