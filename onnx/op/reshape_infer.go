package op

import (
	"fmt"

	"graft/onnx"
)

func inferReshape(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	dims, given, known := elementsIn(n, 1, "shape")
	if !given {
		return nil, fmt.Errorf("shape is missing")
	}
	if !known {
		rank, err := lengthOf(n, 1)
		if err != nil || rank < 0 {
			return one(d, nil), err
		}
		return one(d, unknownShape(int(rank))), nil
	}
	s, err := reshape(shapeOf(n, 0), dims, onnx.AttrOr(n, "allowzero", int64(0)) != 0)
	return one(d, s), err
}

// elementsIn is intsOf for lists that may be known in part.
func elementsIn(n *onnx.Node, i int, name string) (v []element, given, known bool) {
	if in := n.Input(i); in != nil {
		v, known = elementsOf(in)
		return v, true, known
	}
	list, given, known := intsOf(n, i, name)
	return numbers(list), given, known
}

func numbers(list []int64) []element {
	v := make([]element, len(list))
	for i, x := range list {
		v[i] = number(x)
	}
	return v
}

// reshape is the shape of x with the target dims, of which one may be -1. A single element that is not known is what
// remains, whatever it says.
func reshape(x onnx.Shape, dims []element, allowZero bool) (onnx.Shape, error) {
	if len(dims) > maxRank {
		return nil, fmt.Errorf("shape asks for rank %d, at most %d is possible", len(dims), maxRank)
	}
	out, infer, unknown := make(onnx.Shape, len(dims)), -1, 0
	for i, e := range dims {
		switch {
		case !e.known:
			unknown++
			out[i] = e.dim()
		case e.i == -1 && infer >= 0:
			return nil, fmt.Errorf("shape has more than one -1")
		case e.i == -1:
			infer, out[i] = i, onnx.UnknownDim
		case e.i < 0 || e.i > maxSize:
			return nil, fmt.Errorf("shape: %d is not a size", e.i)
		case e.i == 0 && !allowZero:
			if !x.Ranked() {
				out[i] = onnx.UnknownDim
				continue
			}
			if i >= len(x) {
				return nil, fmt.Errorf("shape copies dimension %d of %v", i, x)
			}
			out[i] = x[i]
		default:
			out[i] = size(e.i)
		}
	}
	if !x.Ranked() {
		return out, nil
	}
	if unknown == 1 && infer < 0 && x.Static() {
		for i, e := range dims {
			if !e.known {
				infer = i
			}
		}
	}
	if infer >= 0 {
		d, err := remaining(x, out, infer)
		if err != nil {
			return nil, fmt.Errorf("%v does not reshape to %v", x, out)
		}
		out[infer] = d
		return out, nil
	}
	from, err := product(x)
	if err != nil {
		return nil, err
	}
	to, err := product(out)
	if err != nil {
		return nil, err
	}
	if _, ok := mergeDim(from, to); !ok {
		return nil, fmt.Errorf("%v does not reshape to %v", x, out)
	}
	return out, nil
}

// remaining is the size of out[hole] that makes the products of x and out equal. Equal symbols cancel.
func remaining(x, out onnx.Shape, hole int) (onnx.Dim, error) {
	num := x.Clone()
	var den onnx.Shape
	for i, d := range out {
		if i == hole {
			continue
		}
		cancelled := false
		if d.Symbol != "" {
			for j := range num {
				if num[j] == d {
					num[j], cancelled = size(1), true
					break
				}
			}
		}
		if !cancelled {
			den = append(den, d)
		}
	}
	a, err := product(num)
	if err != nil {
		return onnx.UnknownDim, err
	}
	b, err := product(den)
	switch {
	case err != nil:
		return onnx.UnknownDim, err
	case a.Known() && b.Known() && b.Size == 0 && a.Size != 0, a.Known() && b.Known() && b.Size != 0 && a.Size%b.Size != 0:
		return onnx.UnknownDim, fmt.Errorf("not divisible")
	case b == size(0):
		return onnx.UnknownDim, nil
	case b == size(1):
		return a, nil
	}
	return quotientDim(a, b), nil
}
