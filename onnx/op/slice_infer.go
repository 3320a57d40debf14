package op

import (
	"fmt"

	"graft/onnx"
)

func inferSlice(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	starts, given, knownS := intsOf(n, 1, "starts")
	ends, given2, knownE := intsOf(n, 2, "ends")
	if !given || !given2 {
		return nil, fmt.Errorf("starts and ends are both needed")
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axes, axesGiven, knownA := intsOf(n, 3, "axes")
	steps, stepsGiven, knownT := intsOf(n, 4, "")
	if !knownA {
		return one(d, unknownShape(len(x))), nil
	}
	if !knownS || !knownE || !knownT {
		if !axesGiven {
			return one(d, unknownShape(len(x))), nil
		}
		cut, err := axesOf(axes, len(x))
		s := x.Clone()
		for i := range s {
			if cut[i] {
				s[i] = onnx.UnknownDim
			}
		}
		return one(d, s), err
	}
	if !axesGiven {
		axes = make([]int64, min(len(starts), maxRank+1))
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	if len(starts) != len(ends) || len(axes) != len(starts) || (stepsGiven && len(steps) != len(starts)) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes, %d steps do not match", len(starts), len(ends), len(axes), len(steps))
	}
	if _, err := axesOf(axes, len(x)); err != nil {
		return nil, err
	}
	s := x.Clone()
	for i, a := range axes {
		axis, err := axisOf(a, len(x))
		if err != nil {
			return nil, err
		}
		step := int64(1)
		if stepsGiven {
			step = steps[i]
		}
		if step == 0 {
			return nil, fmt.Errorf("step 0 on axis %d", axis)
		}
		s[axis] = slicedDim(s[axis], starts[i], ends[i], step)
	}
	return one(d, s), nil
}

// slicedDim is the dimension that start:end:step leaves of d.
func slicedDim(d onnx.Dim, start, end, step int64) onnx.Dim {
	if !d.Known() {
		if start == 0 && step == 1 && end > maxSize {
			return d
		}
		return onnx.UnknownDim
	}
	return size(sliceLen(d.Size, start, end, step))
}

// sliceBounds clamps start and end to an axis of n elements as the operator asks: with a negative step, -1 is before the
// first element.
func sliceBounds(n, start, end, step int64) (int64, int64) {
	lo, hi := int64(0), n
	if step < 0 {
		lo, hi = -1, n-1
	}
	clamp := func(v int64) int64 {
		if v < 0 {
			v += n // no overflow: n is not negative
		}
		return min(max(v, lo), hi)
	}
	return clamp(start), clamp(end)
}

// sliceLen counts the elements of start:end:step on an axis of n elements; step is not 0.
func sliceLen(n, start, end, step int64) int64 {
	start, end = sliceBounds(n, start, end, step)
	switch {
	case step > 0 && end > start:
		return (end-start-1)/step + 1
	case step < 0 && end < start:
		return (end-start+1)/step + 1
	}
	return 0
}

func inferPad(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	mode := onnx.AttrOr(n, "mode", "constant")
	switch mode {
	case "constant", "reflect", "edge", "wrap":
	default:
		return nil, fmt.Errorf("mode %q is not known", mode)
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	pads, given, known := elementsIn(n, 1, "pads")
	if !given {
		return nil, fmt.Errorf("pads is missing")
	}
	axes, axesGiven, axesKnown := intsOf(n, 3, "")
	if !known || !axesKnown {
		return one(d, unknownShape(len(x))), nil
	}
	if !axesGiven {
		axes = make([]int64, len(x))
		for i := range axes {
			axes[i] = int64(i)
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("%d pads for %d axes, wants %d", len(pads), len(axes), 2*len(axes))
	}
	if _, err := axesOf(axes, len(x)); err != nil {
		return nil, err
	}
	s := x.Clone()
	for i, a := range axes {
		axis, err := axisOf(a, len(x))
		if err != nil {
			return nil, err
		}
		before, after := pads[i], pads[i+len(axes)]
		if !before.known || !after.known {
			s[axis] = onnx.UnknownDim
			continue
		}
		if s[axis], err = paddedDim(x[axis], before.i, after.i, mode); err != nil {
			return nil, fmt.Errorf("axis %d: %w", axis, err)
		}
	}
	return one(d, s), nil
}

func paddedDim(d onnx.Dim, before, after int64, mode string) (onnx.Dim, error) {
	if max(before, after) > maxSize || min(before, after) < -maxSize {
		return d, fmt.Errorf("pads %d and %d are not possible", before, after)
	}
	switch {
	case before == 0 && after == 0:
		return d, nil
	case !d.Known():
		return onnx.UnknownDim, nil
	case mode == "reflect" && max(before, after) >= max(d.Size, 1):
		return d, fmt.Errorf("reflect pads %d and %d need a size above them, it is %d", before, after, d.Size)
	case d.Size+before+after < 0:
		return d, fmt.Errorf("pads %d and %d cut more than the size %d", before, after, d.Size)
	}
	return size(d.Size + before + after), nil
}
