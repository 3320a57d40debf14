package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// folds compute an output of a node from its inputs, nil where they are absent. They give nil where there is no result.
var folds = map[string]func(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor{
	"Identity": reshaped, "Reshape": reshaped, "Flatten": reshaped, "Squeeze": reshaped, "Unsqueeze": reshaped,
	"Transpose": transposed, "Slice": sliced, "Split": part, "Expand": expanded, "Concat": joined, "Gather": gathered,
	"ConstantOfShape": filled, "Cast": converted, "Where": chosen,

	"Add": arithmetic, "Sub": arithmetic, "Mul": arithmetic, "Div": arithmetic, "Pow": arithmetic, "Min": arithmetic, "Max": arithmetic,
	"Neg": arithmetic, "Abs": arithmetic, "Sqrt": arithmetic, "Reciprocal": arithmetic, "Exp": arithmetic, "Log": arithmetic,
}

// wide reports whether elements are whole bytes.
func wide(d onnx.DataType) bool { return d != onnx.String && d.Bits() > 0 && d.Bits()%8 == 0 }

// reshaped has the elements of the first input.
func reshaped(_ *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	if n, err := onnx.ElementCount(out.dims); in[0] == nil || err != nil || n != in[0].Len() {
		return nil
	}
	return &onnx.Tensor{DType: in[0].DType, Dims: out.dims, Data: in[0].Data}
}

// view reads t along strides: the element at a place is that at first plus the sum of places times strides, in elements.
func view(t *onnx.Tensor, dims []int64, first int64, strides []int64) *onnx.Tensor {
	if !wide(t.DType) {
		return nil
	}
	y := onnx.NewTensor(t.DType, dims...)
	count := y.Len()
	if count == 0 {
		return y
	}
	width := int64(t.DType.Bits() / 8)
	inner, step := int64(1), int64(0) // the last axis, copied in a row
	if k := len(dims) - 1; k >= 0 {
		inner, step = dims[k], strides[k]
	}
	at := make([]int64, len(dims))
	for to := int64(0); to < count; to += inner {
		from := first
		for k := range at {
			from += at[k] * strides[k]
		}
		row := y.Data[to*width : (to+inner)*width]
		if step == 1 {
			copy(row, t.Data[from*width:(from+inner)*width])
		} else {
			for i := range inner {
				copy(row[i*width:(i+1)*width], t.Data[(from+i*step)*width:])
			}
		}
		for k := len(dims) - 2; k >= 0; k-- {
			if at[k]++; at[k] < dims[k] {
				break
			}
			at[k] = 0
		}
	}
	return y
}

// stridesOf are the distances of neighbours along each axis.
func stridesOf(dims []int64) []int64 {
	s := make([]int64, len(dims))
	d := int64(1)
	for k := len(dims) - 1; k >= 0; k-- {
		s[k] = d
		d *= dims[k]
	}
	return s
}

func transposed(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	x := in[0]
	perm := onnx.AttrOr[[]int64](n, "perm", nil)
	if perm == nil {
		for k := range x.Dims {
			perm = append(perm, int64(len(x.Dims)-1-k))
		}
	}
	if len(perm) != len(x.Dims) || len(out.dims) != len(perm) {
		return nil
	}
	strides, s := make([]int64, len(perm)), stridesOf(x.Dims)
	for k, p := range perm {
		if p < 0 || p >= int64(len(perm)) || x.Dims[p] != out.dims[k] || slices.Contains(perm[:k], p) {
			return nil
		}
		strides[k] = s[p]
	}
	return view(x, out.dims, 0, strides)
}

func expanded(_ *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	return broadcast(in[0], out.dims)
}

// broadcast repeats t along the axes of size one that it has, or lacks, where dims has more; nil when it does not fit.
func broadcast(t *onnx.Tensor, dims []int64) *onnx.Tensor {
	if slices.Equal(t.Dims, dims) {
		return t
	}
	missing := len(dims) - len(t.Dims)
	if missing < 0 {
		return nil
	}
	strides := make([]int64, len(dims))
	for k, s := range stridesOf(t.Dims) {
		switch t.Dims[k] {
		case dims[missing+k]:
			strides[missing+k] = s
		case 1:
		default:
			return nil
		}
	}
	return view(t, dims, 0, strides)
}

// sliced needs only where each axis begins and how it steps: its length is the result's.
func sliced(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	x := in[0]
	list := func(i int) []int64 {
		if i >= len(in) || in[i] == nil {
			return nil
		}
		v, _ := op.ConstantInts(&onnx.Value{Const: in[i]})
		return v
	}
	starts, ends, axes, steps := list(1), list(2), list(3), list(4)
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) ||
		len(out.dims) != len(x.Dims) || len(starts) > len(x.Dims) {
		return nil
	}
	first, strides := int64(0), stridesOf(x.Dims)
	seen := make([]bool, len(x.Dims))
	for i, start := range starts {
		axis, step := int64(i), int64(1)
		if axes != nil {
			axis = axes[i]
		}
		if axis < 0 {
			axis += int64(len(x.Dims))
		}
		if axis < 0 || axis >= int64(len(x.Dims)) || seen[axis] {
			return nil
		}
		seen[axis] = true
		if steps != nil {
			step = steps[i]
		}
		size, length := x.Dims[axis], out.dims[axis]
		if start < 0 {
			start += size
		}
		if step > 0 {
			start = min(max(start, 0), size)
		} else {
			start = min(max(start, -1), size-1)
		}
		if length > 0 && (step == 0 || start < 0 || start >= size || !within(start, step, length, size)) {
			return nil
		}
		first += start * strides[axis]
		strides[axis] *= step
	}
	if n, err := onnx.ElementCount(out.dims); err != nil || n == 0 {
		first = 0
	}
	for k := range out.dims {
		if !seen[k] && out.dims[k] != x.Dims[k] {
			return nil
		}
	}
	return view(x, out.dims, first, strides)
}

// within reports whether length places from start on, step apart, are all in 0..size-1.
func within(start, step, length, size int64) bool {
	if length <= 1 {
		return true
	}
	room := size - 1 - start
	if step < 0 {
		if step, room = -step, start; step < 0 { // the least integer has no opposite
			return false
		}
	}
	return step <= room/(length-1)
}

// part is one output of a Split: those before it are as long as their types say.
func part(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	x := in[0]
	axis := onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(x.Dims))
	}
	if axis < 0 || axis >= int64(len(x.Dims)) || len(out.dims) != len(x.Dims) {
		return nil
	}
	first, strides := int64(0), stridesOf(x.Dims)
	for i := range out.index {
		o := n.Output(i)
		if o == nil || len(o.Type.Shape) != len(x.Dims) || !o.Type.Shape[axis].Known() {
			return nil
		}
		first += o.Type.Shape[axis].Size
	}
	for k, d := range x.Dims {
		if int64(k) != axis && out.dims[k] != d {
			return nil
		}
	}
	if first < 0 || first+out.dims[axis] > x.Dims[axis] {
		return nil
	}
	return view(x, out.dims, first*strides[axis], strides)
}

// aroundAxis is how many elements the axes in front of one have, and how many bytes one place along it has.
func aroundAxis(dims []int64, axis int64, d onnx.DataType) (outer, inner int64) {
	outer, inner = 1, int64(d.Bits()/8)
	for _, n := range dims[:axis] {
		outer *= n
	}
	for _, n := range dims[axis+1:] {
		inner *= n
	}
	return outer, inner
}

func joined(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	axis := onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(out.dims))
	}
	if axis < 0 || axis >= int64(len(out.dims)) || !wide(out.dtype) {
		return nil
	}
	outer, inner := aroundAxis(out.dims, axis, out.dtype)
	y := onnx.NewTensor(out.dtype, out.dims...)
	row, at := out.dims[axis]*inner, int64(0)
	for _, x := range in {
		if x == nil || x.DType != out.dtype || len(x.Dims) != len(out.dims) || int64(len(x.Data)) != outer*x.Dims[axis]*inner {
			return nil
		}
		width := x.Dims[axis] * inner
		if at+width > row {
			return nil
		}
		for k := range outer {
			copy(y.Data[k*row+at:k*row+at+width], x.Data[k*width:])
		}
		at += width
	}
	if at != row {
		return nil
	}
	return y
}

func gathered(n *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	if len(in) != 2 || in[0] == nil || in[1] == nil {
		return nil
	}
	x := in[0]
	indices, ok := op.ConstantInts(&onnx.Value{Const: in[1]})
	axis := onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(x.Dims))
	}
	if !ok || axis < 0 || axis >= int64(len(x.Dims)) || !wide(x.DType) {
		return nil
	}
	outer, inner := aroundAxis(x.Dims, axis, x.DType)
	y := onnx.NewTensor(x.DType, out.dims...)
	size := x.Dims[axis]
	if int64(len(y.Data)) != outer*int64(len(indices))*inner {
		return nil
	}
	to := int64(0)
	for k := range outer {
		for _, i := range indices {
			if i < 0 {
				i += size
			}
			if i < 0 || i >= size {
				return nil
			}
			copy(y.Data[to:to+inner], x.Data[(k*size+i)*inner:])
			to += inner
		}
	}
	return y
}

// filled repeats a value, 0 unless given.
func filled(n *onnx.Node, _ []*onnx.Tensor, out result) *onnx.Tensor {
	value := onnx.AttrOr(n, "value", onnx.FromSlice([]float32{0}))
	if value == nil || value.Check() != nil || value.Len() != 1 || !wide(value.DType) {
		return nil
	}
	y := onnx.NewTensor(value.DType, out.dims...)
	if len(y.Data) == 0 || !slices.ContainsFunc(value.Data, func(b byte) bool { return b != 0 }) {
		return y
	}
	const near = 1 << 15 // bytes that stay in the cache
	for done := copy(y.Data, value.Data); done < len(y.Data); {
		done += copy(y.Data[done:], y.Data[:min(done, near)])
	}
	return y
}

// chosen is x where the condition holds, else y.
func chosen(_ *onnx.Node, in []*onnx.Tensor, out result) *onnx.Tensor {
	if len(in) != 3 || in[0] == nil || in[1] == nil || in[2] == nil || in[0].DType != onnx.Bool || in[1].DType != in[2].DType || !wide(in[1].DType) {
		return nil
	}
	c, x, y := broadcast(in[0], out.dims), broadcast(in[1], out.dims), broadcast(in[2], out.dims)
	if c == nil || x == nil || y == nil {
		return nil
	}
	z := onnx.NewTensor(x.DType, out.dims...)
	width := x.DType.Bits() / 8
	for i, yes := range c.Data {
		from := y
		if yes != 0 {
			from = x
		}
		copy(z.Data[i*width:(i+1)*width], from.Data[i*width:])
	}
	return z
}
