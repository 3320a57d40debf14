package op

import (
	"fmt"

	"graft/onnx"
)

// inferDepthToSpace: [N,C,H,W] to [N,C/b²,H·b,W·b].
func inferDepthToSpace(n *onnx.Node) ([]onnx.TensorType, error) {
	x, b, err := blocks(n)
	if err != nil || !x.Ranked() {
		return one(dtypeOf(n, 0), nil), err
	}
	s := x.Clone()
	if s[1], err = divided(x[1], b*b, "channels"); err != nil {
		return nil, err
	}
	for i := 2; i < 4; i++ {
		switch {
		case b == 1:
		case !x[i].Known():
			s[i] = productDim(x[i], size(b))
		default:
			v, ok := mul(x[i].Size, b)
			if !ok {
				return nil, fmt.Errorf("axis %d of %v times %d overflows", i, x, b)
			}
			s[i] = size(v)
		}
	}
	return one(dtypeOf(n, 0), s), nil
}

// inferSpaceToDepth: [N,C,H,W] to [N,C·b²,H/b,W/b].
func inferSpaceToDepth(n *onnx.Node) ([]onnx.TensorType, error) {
	x, b, err := blocks(n)
	if err != nil || !x.Ranked() {
		return one(dtypeOf(n, 0), nil), err
	}
	s := x.Clone()
	switch {
	case b == 1:
	case !x[1].Known():
		s[1] = productDim(x[1], size(b*b))
	default:
		v, ok := mul(x[1].Size, b*b)
		if !ok {
			return nil, fmt.Errorf("%d channels times %d overflow", x[1].Size, b*b)
		}
		s[1] = size(v)
	}
	for i := 2; i < 4; i++ {
		if s[i], err = divided(x[i], b, "size"); err != nil {
			return nil, err
		}
	}
	return one(dtypeOf(n, 0), s), nil
}

func blocks(n *onnx.Node) (onnx.Shape, int64, error) {
	x, b := shapeOf(n, 0), onnx.AttrOr(n, "blocksize", int64(0))
	if b < 1 || b > 1<<24 {
		return nil, 0, fmt.Errorf("blocksize %d is not possible", b)
	}
	if x.Ranked() && len(x) != 4 {
		return nil, 0, fmt.Errorf("input has rank %d, wants 4", len(x))
	}
	return x, b, nil
}

func divided(d onnx.Dim, by int64, what string) (onnx.Dim, error) {
	switch {
	case by == 1:
		return d, nil
	case !d.Known():
		return quotientDim(d, size(by)), nil
	case d.Size%by != 0:
		return d, fmt.Errorf("%s %d does not divide by %d", what, d.Size, by)
	}
	return size(d.Size / by), nil
}
