package op

import "graft/onnx"

// Known is the tensor that v is known to be before the graph runs, from constants and from shapes that are static: a small
// one, as the arithmetic of shapes makes them. Nil when an element is unknown.
func Known(v *onnx.Value) *onnx.Tensor {
	if a := evaluate(v); a != nil {
		return a.tensor()
	}
	return nil
}

// tensor is a as a tensor; nil when an element is unknown.
func (a *array) tensor() *onnx.Tensor {
	for _, e := range a.elems {
		if !e.known {
			return nil
		}
	}
	t := onnx.NewTensor(a.dtype, a.dims...)
	switch a.dtype {
	case onnx.Int64:
		pour(t, a, func(e element) int64 { return e.i })
	case onnx.Int32:
		pour(t, a, func(e element) int32 { return int32(e.i) })
	case onnx.Bool:
		pour(t, a, func(e element) bool { return e.i != 0 })
	case onnx.Float:
		pour(t, a, func(e element) float32 { return float32(e.f) })
	case onnx.Double:
		pour(t, a, func(e element) float64 { return e.f })
	default:
		return nil
	}
	return t
}

// pour is fill's way back.
func pour[T onnx.Element](t *onnx.Tensor, a *array, f func(e element) T) {
	for i, e := range a.elems {
		onnx.View[T](t)[i] = f(e)
	}
}
