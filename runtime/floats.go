package runtime

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Floats is t with its numbers rounded to another floating-point type of 16 bits or more, and t itself where it is of that type: what a
// model that was converted is fed with in the place of the one it came from.
func Floats(t *onnx.Tensor, to onnx.DataType) (*onnx.Tensor, error) {
	if !t.DType.IsFloat() || !to.IsFloat() {
		return nil, fmt.Errorf("%w: %v for %v", ErrFeed, t.DType, to)
	}
	if t.DType == to {
		return t, nil
	}
	values, _ := t.Reals()
	out := onnx.NewTensor(to, t.Dims...)
	out.Name = t.Name
	op.SetFloats(out, values)
	return out, nil
}
