package runtime

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

// Floats is t with its numbers rounded to another floating-point type of 16 bits or more: what a model that was converted
// is fed with in the place of the one it came from.
func Floats(t *onnx.Tensor, to onnx.DataType) (*onnx.Tensor, error) {
	values, ok := t.Reals()
	if !ok || !t.DType.IsFloat() || !to.IsFloat() {
		return nil, fmt.Errorf("%w: %v for %v", ErrFeed, t.DType, to)
	}
	out := onnx.NewTensor(to, t.Dims...)
	out.Name = t.Name
	for i, x := range values {
		s, err := op.ScalarTensor(to, x)
		if err != nil {
			return nil, err
		}
		copy(out.Data[i*len(s.Data):], s.Data)
	}
	return out, nil
}
