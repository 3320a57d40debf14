package op

import (
	"fmt"

	"graft/onnx"
)

// broadcast: the common shape of all inputs, which have one element type.
func broadcast(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	s, err := broadcastInputs(n, 0)
	return one(d, s), err
}

// compare: as broadcast, with Boolean output.
func compare(n *onnx.Node) ([]onnx.TensorType, error) {
	if _, err := sameTypes(n, 0, n.NumInputs()); err != nil {
		return nil, err
	}
	s, err := broadcastInputs(n, 0)
	return one(onnx.Bool, s), err
}

// sameTypes is the element type that the inputs from lo up to hi have in common.
func sameTypes(n *onnx.Node, lo, hi int) (onnx.DataType, error) {
	d := onnx.Undefined
	for i := lo; i < hi; i++ {
		switch e := dtypeOf(n, i); {
		case e == onnx.Undefined || e == d:
		case d == onnx.Undefined:
			d = e
		default:
			return d, fmt.Errorf("element types differ: %v and %v", d, e)
		}
	}
	return d, nil
}

// broadcastInputs is the common shape of the inputs from lo on.
func broadcastInputs(n *onnx.Node, lo int) (onnx.Shape, error) {
	shapes := make([]onnx.Shape, 0, n.NumInputs())
	for i := lo; i < n.NumInputs(); i++ {
		if n.Input(i) == nil {
			return nil, fmt.Errorf("input %d is absent", i)
		}
		shapes = append(shapes, shapeOf(n, i))
	}
	return broadcastShapes(shapes...)
}

func broadcastShapes(shapes ...onnx.Shape) (onnx.Shape, error) {
	out := onnx.NewShape()
	for i, s := range shapes {
		if !s.Ranked() {
			return nil, nil
		}
		if i == 0 {
			out = s.Clone()
			continue
		}
		was := out
		if len(s) > len(out) {
			was, out = out, s.Clone()
			s = was
		} else if i == 1 {
			was = shapes[0]
		}
		off := len(out) - len(s)
		for j := range s {
			d, ok := broadcastDim(out[off+j], s[j])
			if !ok {
				return nil, fmt.Errorf("shapes do not broadcast: %v and %v", was, shapes[i])
			}
			out[off+j] = d
		}
	}
	return out, nil
}

// broadcastsTo says whether s broadcasts to the shape to without making it larger.
func broadcastsTo(s, to onnx.Shape) error {
	wide, err := broadcastShapes(to, s)
	ok := err == nil && len(wide) == len(to)
	for i := 0; ok && i < len(to); i++ {
		ok = !to[i].Known() || wide[i] == to[i]
	}
	if !ok {
		return fmt.Errorf("%v does not broadcast to %v", s, to)
	}
	return nil
}

func broadcastDim(a, b onnx.Dim) (onnx.Dim, bool) {
	switch {
	case a == b:
		return a, true
	case a == size(1):
		return b, true
	case b == size(1):
		return a, true
	case a.Known() && b.Known():
		return a, false
	case a.Known():
		return a, true
	case b.Known():
		return b, true
	case cutOf(b, a):
		return a, true
	case cutOf(a, b):
		return b, true
	}
	return onnx.UnknownDim, true
}

// mergeDim joins two statements about one dimension.
func mergeDim(a, b onnx.Dim) (onnx.Dim, bool) {
	switch {
	case a.Known() && b.Known():
		return a, a.Size == b.Size
	case a.Known():
		return a, true
	case b.Known():
		return b, true
	case a.Symbol != "":
		return a, true
	}
	return b, true
}
