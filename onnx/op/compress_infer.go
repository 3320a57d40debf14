package op

import (
	"fmt"

	"graft/onnx"
)

// inferCompress: the entries of x along an axis, or of x flattened, where the condition holds.
func inferCompress(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, c := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1)
	if t := dtypeOf(n, 1); t != onnx.Bool && t != onnx.Undefined {
		return nil, fmt.Errorf("condition is %v, wants bool", t)
	}
	if c.Ranked() && len(c) != 1 {
		return nil, fmt.Errorf("condition has rank %d, wants 1", len(c))
	}
	count := onnx.UnknownDim
	if a := evaluate(n.Input(1)); a != nil && a.dtype == onnx.Bool {
		if hits, ok := a.ints(); ok {
			count = size(0)
			for _, h := range hits {
				count.Size += h
			}
		}
	}
	if _, ok := n.Attr("axis"); !ok {
		return one(d, onnx.Shape{count}), nil
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x))
	if err != nil {
		return nil, err
	}
	if c.Ranked() && c[0].Known() && x[axis].Known() && c[0].Size > x[axis].Size {
		return nil, fmt.Errorf("condition has %d entries, axis %d has %d", c[0].Size, axis, x[axis].Size)
	}
	s := x.Clone()
	s[axis] = count
	return one(d, s), nil
}

// inferReverseSequence: batch and time are the first two axes, in either order; one length for each entry of the batch.
func inferReverseSequence(n *onnx.Node) ([]onnx.TensorType, error) {
	x, lengths := shapeOf(n, 0), shapeOf(n, 1)
	batch, time := onnx.AttrOr(n, "batch_axis", int64(1)), onnx.AttrOr(n, "time_axis", int64(0))
	if batch+time != 1 || batch < 0 || time < 0 {
		return nil, fmt.Errorf("batch_axis %d and time_axis %d, want 0 and 1", batch, time)
	}
	if lengths.Ranked() && len(lengths) != 1 {
		return nil, fmt.Errorf("sequence_lens has rank %d, wants 1", len(lengths))
	}
	if x.Ranked() {
		if len(x) < 2 {
			return nil, fmt.Errorf("input has rank %d, wants 2 or more", len(x))
		}
		if lengths.Ranked() {
			if _, ok := mergeDim(x[batch], lengths[0]); !ok {
				return nil, fmt.Errorf("%v lengths for a batch of %v", lengths[0], x[batch])
			}
		}
	}
	return sameAsInput(n)
}

// inferTensorScatter: update has the cache's shape but for the axis, along which it is written in.
func inferTensorScatter(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, 2)
	if err != nil {
		return nil, err
	}
	if mode := onnx.AttrOr(n, "mode", "linear"); mode != "linear" && mode != "circular" {
		return nil, fmt.Errorf("mode %q is not known", mode)
	}
	x, u, at := shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2)
	if at.Ranked() && len(at) != 1 {
		return nil, fmt.Errorf("write_indices has rank %d, wants 1", len(at))
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(-2)), len(x))
	if err != nil {
		return nil, err
	}
	if axis == 0 {
		return nil, fmt.Errorf("axis 0 is the batch's")
	}
	s := x.Clone()
	if u.Ranked() {
		if len(u) != len(x) {
			return nil, fmt.Errorf("update has rank %d, cache has %d", len(u), len(x))
		}
		for i := range s {
			if i == axis {
				if u[i].Known() && s[i].Known() && u[i].Size > s[i].Size {
					return nil, fmt.Errorf("update %v is larger than cache %v", u, x)
				}
				continue
			}
			m, ok := mergeDim(s[i], u[i])
			if !ok {
				return nil, fmt.Errorf("update %v does not fit cache %v", u, x)
			}
			s[i] = m
		}
	}
	if at.Ranked() {
		m, ok := mergeDim(s[0], at[0])
		if !ok {
			return nil, fmt.Errorf("%v write indices for a batch of %v", at[0], s[0])
		}
		s[0] = m
	}
	return one(d, s), nil
}
