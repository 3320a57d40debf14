package autodiff

import (
	"bytes"

	"graft/onnx"
	"graft/onnx/op"
)

var quantize = []row{
	{op: "QuantizeLinear", grad: gradQuantizeLinear},
	{op: "DequantizeLinear", grad: gradDequantizeLinear},
	{op: "DynamicQuantizeLinear", grad: gradDynamicQuantizeLinear},
	{op: "QLinearConv", none: integer},
	{op: "QLinearMatMul", none: integer},
}

// quantizes reports whether the integers that n gives stand for floats.
func quantizes(n *onnx.Node) bool {
	return n.Is("QuantizeLinear") || n.Is("DynamicQuantizeLinear") || rules[n.Op].none == integer && n.Is(n.Op)
}

// straight fails b unless gradients are to pass where numbers are rounded.
func (b *Builder) straight() bool {
	if !b.options.StraightThrough {
		b.Fail("rounds: its derivative is zero wherever it exists; ask for straight-through gradients to pass it")
	}
	return b.options.StraightThrough
}

// y = s (q - z) with integers q and z: ds = the sum of dy (q - z) over the elements of a scale. Straight through, what flows back
// into q is kept in units of what was quantized to q: dy, times the ratio of the scales where they are not the same.
func gradDequantizeLinear(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	q, scale, d := n.Input(0), n.Input(1), b.castLike(dy[0], n.Input(1))
	out := make([]*onnx.Value, 2)
	if b.Wants(0) {
		out[0] = d
		if p := q.Producer(); p.Is("QuantizeLinear") && !sameConstant(p.Input(1), scale) {
			ratio := b.Div(b.perElement(n, scale), b.castLike(b.perElement(p, p.Input(1)), scale))
			out[0] = b.Mul(d, ratio)
		}
	}
	if b.Wants(1) {
		ones := b.expandLike(b.Scalar(scale, 1), scale)
		var attrs []onnx.Attr
		for _, name := range []string{"axis", "block_size"} {
			if a, ok := n.Attr(name); ok {
				attrs = append(attrs, a)
			}
		}
		steps := b.Node("DequantizeLinear", []*onnx.Value{q, ones, n.Input(2)}, 1, attrs...)[0]
		out[1] = b.sumElements(n, b.Mul(d, steps))
	}
	return out
}

// sameConstant reports whether two values are one, or constants of the same content.
func sameConstant(v, w *onnx.Value) bool {
	if v == w {
		return true
	}
	a, c := op.ConstantOf(v), op.ConstantOf(w)
	return a != nil && c != nil && a.DType == c.DType && onnx.TypeOf(a.DType, a.Dims...).Shape.Equal(onnx.TypeOf(c.DType, c.Dims...).Shape) &&
		len(a.Data) > 0 && bytes.Equal(a.Data, c.Data)
}

// q = round(x/s) + z, kept inside the range of its type. Straight through, with dq in units of x: dx = dq inside the range and
// 0 outside; ds = the sum of -dq x/s inside (Esser and others 2020, equation 3, together with what DequantizeLinear gives).
func gradQuantizeLinear(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	if dy[0] == nil || !b.straight() {
		return nil
	}
	x, out := n.Input(0), make([]*onnx.Value, 2)
	lo, hi, whole, ok := quantizedRange(n.Output(0).Type.DType)
	if !ok {
		b.Fail("no range of %v is known", n.Output(0).Type.DType)
		return nil
	}
	steps := b.Div(x, b.castLike(b.perElement(n, n.Input(1)), x))
	level := steps
	if whole {
		level = b.Round(steps)
		if zero := n.Input(2); zero != nil {
			level = b.Add(level, b.castLike(b.perElement(n, zero), x))
		}
	}
	inside := b.And(b.GreaterOrEqual(level, b.Scalar(x, lo)), b.LessOrEqual(level, b.Scalar(x, hi)))
	d := b.Where(inside, b.castLike(dy[0], x), b.Scalar(x, 0))
	if b.Wants(0) {
		out[0] = d
	}
	if b.Wants(1) {
		out[1] = b.castLike(b.sumElements(n, b.Neg(b.Mul(d, steps))), n.Input(1))
	}
	return out
}

// q = round(x/s) + z with s = (max(x,0) - min(x,0))/255: straight through, dx = dq, the range taken as it is. Where nothing flows
// back from q, dx = ds/255 at the largest element if it is above 0, -ds/255 at the least if it is below 0, in equal parts.
func gradDynamicQuantizeLinear(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	if dy[0] != nil {
		if !b.straight() {
			return nil
		}
		return dy[:1]
	}
	x := n.Input(0)
	step := b.Mul(dy[1], b.Scalar(x, 1.0/255))
	extreme := func(v, counts *onnx.Value) *onnx.Value {
		hits := b.castLike(b.And(b.Equal(x, v), counts), x)
		return b.Div(hits, b.Max(b.ReduceSum(hits, false), b.Scalar(x, 1)))
	}
	most, least := b.ReduceMax(x, false), b.Node("ReduceMin", []*onnx.Value{x}, 1, onnx.Int("keepdims", 0))[0]
	zero := b.Scalar(x, 0)
	return []*onnx.Value{b.Mul(step, b.Sub(extreme(most, b.Greater(most, zero)), extreme(least, b.Less(least, zero))))}
}

// quantizedRange is the range of a quantized type; whole tells integers from small floats.
func quantizedRange(d onnx.DataType) (lo, hi float64, whole, ok bool) {
	switch d {
	case onnx.Int8:
		return -128, 127, true, true
	case onnx.Uint8:
		return 0, 255, true, true
	case onnx.Int16:
		return -32768, 32767, true, true
	case onnx.Uint16:
		return 0, 65535, true, true
	case onnx.Int4:
		return -8, 7, true, true
	case onnx.Uint4:
		return 0, 15, true, true
	case onnx.Int2:
		return -2, 1, true, true
	case onnx.Uint2:
		return 0, 3, true, true
	case onnx.Float8E4M3FN:
		return -448, 448, false, true
	case onnx.Float8E4M3FNUZ:
		return -240, 240, false, true
	case onnx.Float8E5M2, onnx.Float8E5M2FNUZ:
		return -57344, 57344, false, true
	case onnx.Float4E2M1:
		return -6, 6, false, true
	}
	return 0, 0, false, false
}

// grain says how the scale of a quantizing node lies over its data: one for all; one for each index of an axis; or one for
// each block of an axis.
func (b *Builder) grain(n *onnx.Node) (axis, block int64, rank int, ok bool) {
	scale := n.Input(1)
	if rank, ok = b.rank(n.Input(0)); !ok {
		return 0, 0, 0, false
	}
	scaleRank, ok := b.rank(scale)
	if !ok || scaleRank == 0 || scaleRank == 1 && scale.Type.Shape[0].Known() && scale.Type.Shape[0].Size == 1 {
		return -1, 0, rank, ok
	}
	if axis = onnx.AttrOr(n, "axis", int64(1)); axis < 0 {
		axis += int64(rank)
	}
	if axis < 0 || axis >= int64(rank) {
		b.Fail("axis %d is outside rank %d", axis, rank)
		return 0, 0, 0, false
	}
	return axis, onnx.AttrOr(n, "block_size", int64(0)), rank, true
}

// perElement brings v, a scale or zero point of a quantizing node, to a shape that broadcasts against its data, as floats.
func (b *Builder) perElement(n *onnx.Node, v *onnx.Value) *onnx.Value {
	axis, block, rank, ok := b.grain(n)
	if !ok {
		return nil
	}
	if !v.Type.DType.IsFloat() {
		v = b.castLike(v, n.Input(1))
	}
	switch {
	case axis < 0 && rank == 0:
		return b.Reshape(v)
	case axis < 0:
		return v
	case block == 0:
		dims := make([]int64, rank)
		for i := range dims {
			dims[i] = 1
		}
		dims[axis] = -1
		return b.Reshape(v, dims...)
	}
	size := n.Input(0).Type.Shape[axis]
	if !size.Known() {
		b.Fail("blocks along an axis of unknown size %v", size)
		return nil
	}
	at := make([]int64, size.Size)
	for i := range at {
		at[i] = int64(i) / block
	}
	return b.Gather(v, b.Ints(at...), axis)
}

// sumElements adds d, of the shape of a quantizing node's data, up over the elements of each scale.
func (b *Builder) sumElements(n *onnx.Node, d *onnx.Value) *onnx.Value {
	axis, block, rank, ok := b.grain(n)
	if !ok {
		return nil
	}
	if axis < 0 {
		return b.reshapeLike(b.ReduceSum(d, false), n.Input(1))
	}
	if block == 0 {
		var axes []int64
		for i := range int64(rank) {
			if i != axis {
				axes = append(axes, i)
			}
		}
		if axes == nil {
			return d
		}
		return b.ReduceSum(d, false, axes...)
	}
	sizes, ok := b.sizes(n.Input(0))
	if !ok {
		return nil
	}
	blocks := (sizes[axis] + block - 1) / block
	if rest := blocks*block - sizes[axis]; rest > 0 {
		pads := make([]int64, 2*rank)
		pads[int64(rank)+axis] = rest
		d = b.Pad(d, "constant", pads...)
	}
	dims := append(append([]int64{}, sizes[:axis]...), blocks, block)
	return b.ReduceSum(b.Reshape(d, append(dims, sizes[axis+1:]...)...), false, axis+1)
}
