package op

import (
	"fmt"

	"graft/onnx"
)

// inferDeformConv: the convolution's shape; offsets [N, groups taps r, places...] and the mask [N, groups taps, places...]
// have one entry for each place of the output.
func inferDeformConv(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	x, k, offset, mask := shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2), shapeOf(n, 4)
	s, err := convShape(n, x, k, shapeOf(n, 3))
	if err != nil {
		return nil, err
	}
	groups := onnx.AttrOr(n, "offset_group", int64(1))
	if groups < 1 || groups > maxParam {
		return nil, fmt.Errorf("offset_group %d is not possible", groups)
	}
	if len(x) > 1 && x[1].Known() && x[1].Size%groups != 0 {
		return nil, fmt.Errorf("%d input channels do not divide into %d groups of offsets", x[1].Size, groups)
	}
	if !s.Ranked() && k.Ranked() {
		s = unknownShape(len(k))
		s[1] = k[0]
	}
	taps := size(groups)
	if kernel := onnx.AttrOr[[]int64](n, "kernel_shape", nil); kernel != nil {
		for _, e := range kernel {
			taps = productDim(taps, size(e))
		}
	} else if k.Ranked() {
		for _, e := range k[2:] {
			taps = productDim(taps, e)
		}
	} else {
		taps = onnx.UnknownDim
	}
	for _, v := range []struct {
		name  string
		shape onnx.Shape
		each  int64 // entries a tap
	}{{"offset", offset, int64(max(len(offset)-2, 1))}, {"mask", mask, 1}} {
		if !v.shape.Ranked() {
			continue
		}
		if len(v.shape) < 3 || s.Ranked() && len(v.shape) != len(s) {
			return nil, fmt.Errorf("%s has rank %d, wants %d", v.name, len(v.shape), max(len(s), 3))
		}
		if want := productDim(taps, size(v.each)); want.Known() && v.shape[1].Known() && want.Size != v.shape[1].Size {
			return nil, fmt.Errorf("%s has %d channels, wants %d", v.name, v.shape[1].Size, want.Size)
		}
		if !s.Ranked() {
			s = unknownShape(len(v.shape))
		}
		for i := range s {
			if i == 1 {
				continue
			}
			var ok bool
			if s[i], ok = mergeDim(s[i], v.shape[i]); !ok {
				return nil, fmt.Errorf("%s %v does not fit the output %v", v.name, v.shape, s)
			}
		}
	}
	return one(d, s), nil
}
