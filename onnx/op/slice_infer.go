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
		s, err := slicedElements(n, x, axes, steps, stepsGiven, knownT)
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

// slicedElements is the shape of x cut along axes by operands that are known in part.
func slicedElements(n *onnx.Node, x onnx.Shape, axes, steps []int64, stepsGiven, stepsKnown bool) (onnx.Shape, error) {
	cut, err := axesOf(axes, len(x))
	if err != nil {
		return nil, err
	}
	s := x.Clone()
	for i := range s {
		if cut[i] {
			s[i] = onnx.UnknownDim
		}
	}
	starts, _, ok := elementsIn(n, 1, "starts")
	ends, _, ok2 := elementsIn(n, 2, "ends")
	if !ok || !ok2 || !stepsKnown || len(starts) != len(axes) || len(ends) != len(axes) || (stepsGiven && len(steps) != len(axes)) {
		return s, nil
	}
	for i, a := range axes {
		axis, _ := axisOf(a, len(x))
		if stepsGiven && steps[i] != 1 {
			if steps[i] != 0 && starts[i].known && ends[i].known {
				s[axis] = slicedDim(x[axis], starts[i].i, ends[i].i, steps[i])
			}
			continue
		}
		if d, ok := between(x[axis], starts[i], ends[i]); ok {
			s[axis] = d
		} else if starts[i].known && ends[i].known {
			s[axis] = slicedDim(x[axis], starts[i].i, ends[i].i, 1)
		} else if x[axis].Known() && starts[i].is(false, 0) && ends[i].symbol != "" && natural(ends[i].symbol) {
			s[axis] = atMost(ends[i].dim(), x[axis].Size)
		}
	}
	return s, nil
}

// slicedDim is the dimension that start:end:step leaves of d.
func slicedDim(d onnx.Dim, start, end, step int64) onnx.Dim {
	if !d.Known() {
		return slicedSymbol(d, start, end, step)
	}
	return size(sliceLen(d.Size, start, end, step))
}

// slicedSymbol is slicedDim for a dimension without a size, cut at one end.
func slicedSymbol(d onnx.Dim, start, end, step int64) onnx.Dim {
	open := end > maxSize
	switch {
	case step != 1 || max(start, -start) > maxSize || (!open && end < -maxSize):
		return onnx.UnknownDim
	case open && start == 0:
		return d
	case open && start < 0:
		return atMost(d, -start)
	case open:
		return aboveZero(shiftedDim(d, -start))
	case start == 0 && end >= 0:
		return atMost(d, end)
	case start == 0:
		return aboveZero(shiftedDim(d, end))
	}
	return onnx.UnknownDim
}

// between is the number of elements of start:end on an axis of size d, where it is known that 0 <= start <= end <= d. When
// both are computed from dimensions, as for the part of a mask that a step of a decoder needs, they are taken to lie inside
// the axis.
func between(d onnx.Dim, start, end element) (onnx.Dim, bool) {
	lo, hi := start.dim(), end.dim()
	if (start.known && start.i < 0) || (!start.known && !natural(start.symbol)) {
		return d, false
	}
	if end.known && end.i > maxSize {
		hi = d
	}
	if _, ok := difference(d, hi); !ok && (start.known || end.known || !natural(end.symbol)) {
		return d, false
	}
	return difference(hi, lo)
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

// paddedDim is d with before and after more.
func paddedDim(d onnx.Dim, before, after int64, mode string) (onnx.Dim, error) {
	if max(before, after) > maxSize || min(before, after) < -maxSize {
		return d, fmt.Errorf("pads %d and %d are not possible", before, after)
	}
	switch {
	case before == 0 && after == 0:
		return d, nil
	case !d.Known():
		return shiftedDim(d, before+after), nil
	case mode == "reflect" && max(before, after) >= max(d.Size, 1):
		return d, fmt.Errorf("reflect pads %d and %d need a size above them, it is %d", before, after, d.Size)
	case d.Size+before+after < 0:
		return d, fmt.Errorf("pads %d and %d cut more than the size %d", before, after, d.Size)
	}
	return size(d.Size + before + after), nil
}
