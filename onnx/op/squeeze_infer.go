package op

import (
	"fmt"

	"graft/onnx"
)

func inferSqueeze(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	axes, given, known := intsOf(n, 1, "axes")
	if x.Ranked() && !known {
		count, err := lengthOf(n, 1)
		if err == nil && count > int64(len(x)) {
			err = fmt.Errorf("%d axes for rank %d", count, len(x))
		}
		if err != nil || count < 0 {
			return one(d, nil), err
		}
		return one(d, unknownShape(len(x)-int(count))), nil
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	s, err := squeeze(x, axes, given)
	return one(d, s), err
}

// squeeze takes axes out, all of size 1 when none is given. An unknown rank comes out when it depends on unknown sizes.
func squeeze(x onnx.Shape, axes []int64, given bool) (onnx.Shape, error) {
	gone, err := axesOf(axes, len(x))
	if err != nil {
		return nil, err
	}
	s := onnx.NewShape()
	for i, dim := range x {
		switch {
		case !given && dim == size(1):
		case !given && !dim.Known():
			return nil, nil
		case given && gone[i]:
			if dim.Known() && dim.Size != 1 {
				return nil, fmt.Errorf("axis %d of %v is not 1", i, x)
			}
		default:
			s = append(s, dim)
		}
	}
	return s, nil
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
	s, err := unsqueeze(x, axes)
	return one(d, s), err
}

// unsqueeze puts axes of size 1 in; axes count in the result.
func unsqueeze(x onnx.Shape, axes []int64) (onnx.Shape, error) {
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
	return s, nil
}

func inferFlatten(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	if !x.Ranked() {
		return one(d, unknownShape(2)), nil
	}
	s, err := flatten(x, onnx.AttrOr(n, "axis", int64(1)))
	return one(d, s), err
}

// flatten multiplies the dimensions before axis, which may be the rank, and those from it on.
func flatten(x onnx.Shape, axis int64) (onnx.Shape, error) {
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
	return onnx.Shape{rows, cols}, err
}
