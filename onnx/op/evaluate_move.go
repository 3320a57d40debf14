package op

import "graft/onnx"

// inputInts gives input i, or in older forms the attribute name, when all of it is known.
func inputInts(n *onnx.Node, in []*array, i int, name string) (v []int64, given, known bool) {
	if i < len(in) && in[i] != nil {
		v, known = in[i].ints()
		return v, true, known
	}
	if a, ok := n.Attr(name); ok {
		v, known = a.Value.([]int64)
		return v, true, known
	}
	return nil, false, true
}

func evalGather(n *onnx.Node, in []*array, _ int) *array {
	x := in[0]
	if len(in) != 2 || in[1] == nil {
		return nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x.dims))
	if err != nil {
		return nil
	}
	indices, ok := in[1].ints()
	if !ok {
		return nil
	}
	for i, v := range indices {
		if v < 0 {
			indices[i] += x.dims[axis]
		}
		if indices[i] < 0 || indices[i] >= x.dims[axis] {
			return nil
		}
	}
	dims := append([]int64{}, x.dims[:axis]...)
	dims = append(append(dims, in[1].dims...), x.dims[axis+1:]...)
	out := newArray(x.dtype, dims)
	if out == nil {
		return nil
	}
	pick := &array{dims: in[1].dims, elems: in[1].elems}
	from := make([]int64, len(x.dims))
	out.each(func(k int, at []int64) {
		copy(from, at[:axis])
		place := int64(0)
		for j, d := range pick.dims {
			place = place*d + at[axis+j]
		}
		from[axis] = indices[place]
		copy(from[axis+1:], at[axis+len(pick.dims):])
		out.elems[k] = x.at1(from)
	})
	return out
}

// at1 is the element at a place of a's own shape.
func (a *array) at1(place []int64) element {
	k := int64(0)
	for j, n := range a.dims {
		k = k*n + place[j]
	}
	return a.elems[k]
}

func evalSlice(n *onnx.Node, in []*array, _ int) *array {
	x := in[0]
	starts, _, ok1 := inputInts(n, in, 1, "starts")
	ends, _, ok2 := inputInts(n, in, 2, "ends")
	axes, given, ok3 := inputInts(n, in, 3, "axes")
	steps, stepped, ok4 := inputInts(n, in, 4, "")
	if !ok1 || !ok2 || !ok3 || !ok4 || len(starts) != len(ends) || (given && len(axes) != len(starts)) ||
		(stepped && len(steps) != len(starts)) || len(starts) > len(x.dims) {
		return nil
	}
	dims := append([]int64{}, x.dims...)
	first, step := make([]int64, len(dims)), repeat(1, len(dims))
	for i := range starts {
		axis := i
		if given {
			var err error
			if axis, err = axisOf(axes[i], len(dims)); err != nil {
				return nil
			}
		}
		if stepped {
			step[axis] = steps[i]
		}
		if step[axis] == 0 {
			return nil
		}
		dims[axis] = sliceLen(x.dims[axis], starts[i], ends[i], step[axis])
		first[axis], _ = sliceBounds(x.dims[axis], starts[i], ends[i], step[axis])
	}
	out := newArray(x.dtype, dims)
	if out == nil {
		return nil
	}
	from := make([]int64, len(dims))
	out.each(func(k int, at []int64) {
		for j := range at {
			from[j] = first[j] + at[j]*step[j]
		}
		out.elems[k] = x.at1(from)
	})
	return out
}

func evalConcat(n *onnx.Node, in []*array, _ int) *array {
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(in[0].dims))
	if err != nil {
		return nil
	}
	dims := append([]int64{}, in[0].dims...)
	for _, x := range in[1:] {
		if x == nil || len(x.dims) != len(dims) || x.dtype != in[0].dtype {
			return nil
		}
		for j := range dims {
			if j != axis && x.dims[j] != dims[j] {
				return nil
			}
		}
		dims[axis] += x.dims[axis]
	}
	out := newArray(in[0].dtype, dims)
	if out == nil {
		return nil
	}
	from := make([]int64, len(dims))
	out.each(func(k int, at []int64) {
		copy(from, at)
		for _, x := range in {
			if from[axis] < x.dims[axis] {
				out.elems[k] = x.at1(from)
				return
			}
			from[axis] -= x.dims[axis]
		}
	})
	return out
}

func evalSplit(n *onnx.Node, in []*array, index int) *array {
	x := in[0]
	if len(x.dims) != 1 {
		return nil
	}
	list, given, known := inputInts(n, in, 1, "split")
	parts, err := splitSizes(n, size(x.dims[0]), list, given, known)
	if err != nil {
		return nil
	}
	lo := int64(0)
	for i := 0; ; i++ {
		d := parts(i)
		if !d.Known() || lo+d.Size > x.dims[0] {
			return nil
		}
		if i == index {
			return vector(x.dtype, x.elems[lo:lo+d.Size])
		}
		lo += d.Size
	}
}

func evalTranspose(n *onnx.Node, in []*array, _ int) *array {
	x := in[0]
	perm := onnx.AttrOr[[]int64](n, "perm", nil)
	dims, seen := make([]int64, len(x.dims)), make([]bool, len(x.dims))
	if perm == nil {
		for i := range dims {
			perm = append(perm, int64(len(dims)-1-i))
		}
	}
	if len(perm) != len(dims) {
		return nil
	}
	for i, p := range perm {
		if p < 0 || p >= int64(len(dims)) || seen[p] {
			return nil
		}
		seen[p], dims[i] = true, x.dims[p]
	}
	out, from := newArray(x.dtype, dims), make([]int64, len(dims))
	out.each(func(k int, at []int64) {
		for i, p := range perm {
			from[p] = at[i]
		}
		out.elems[k] = x.at1(from)
	})
	return out
}

// evalReshaped: the same elements under another shape, by the operator's own shape rule.
func evalReshaped(n *onnx.Node, in []*array, _ int) *array {
	x, s := onnx.NewShape(in[0].dims...), onnx.Shape(nil)
	var err error
	switch n.Op {
	case "Reshape":
		dims, given, ok := inputInts(n, in, 1, "shape")
		if !given || !ok {
			return nil
		}
		s, err = reshape(x, numbers(dims), onnx.AttrOr(n, "allowzero", int64(0)) != 0)
	case "Flatten":
		s, err = flatten(x, onnx.AttrOr(n, "axis", int64(1)))
	default:
		axes, given, ok := inputInts(n, in, 1, "axes")
		if !ok {
			return nil
		}
		if n.Op == "Squeeze" {
			s, err = squeeze(x, axes, given)
		} else {
			s, err = unsqueeze(x, axes)
		}
	}
	dims, ok := s.Sizes()
	if err != nil || !ok {
		return nil
	}
	if count, err := onnx.ElementCount(dims); err != nil || count != int64(len(in[0].elems)) {
		return nil
	}
	return &array{in[0].dtype, dims, in[0].elems}
}

func evalExpand(n *onnx.Node, in []*array, _ int) *array {
	dims, _, ok := inputInts(n, in, 1, "")
	if !ok || len(dims) > maxRank {
		return nil
	}
	to := newArray(in[0].dtype, dims)
	if to == nil {
		return nil
	}
	return zipped(to.dtype, in[0], to, func(x, _ element) element { return x })
}

func evalConstantOfShape(n *onnx.Node, in []*array, _ int) *array {
	dims, ok := in[0].ints()
	if !ok || len(in[0].dims) != 1 {
		return nil
	}
	one := &array{onnx.Float, nil, []element{{known: true}}}
	if t := onnx.AttrOr[*onnx.Tensor](n, "value", nil); t != nil {
		if one = arrayOf(t); one == nil || len(one.elems) != 1 {
			return nil
		}
	}
	out := newArray(one.dtype, dims)
	if out == nil {
		return nil
	}
	for k := range out.elems {
		out.elems[k] = one.elems[0]
	}
	return out
}

func evalRange(_ *onnx.Node, in []*array, _ int) *array {
	if len(in) != 3 {
		return nil
	}
	var v [3]int64
	for i, a := range in {
		x, ok := a.ints()
		if !ok || len(x) != 1 {
			return nil
		}
		v[i] = x[0]
	}
	count, err := rangeLen(float64(v[0]), float64(v[1]), float64(v[2]))
	if err != nil || count > maxElements {
		return nil
	}
	out := newArray(in[0].dtype, []int64{count})
	for k := range out.elems {
		out.elems[k] = number(v[0] + int64(k)*v[2])
	}
	return out
}
