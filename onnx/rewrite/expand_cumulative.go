package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// CumProd is running products along an axis: by doubling where its size is known,
//
//	y_i = x_i, then y_i = y_i y_{i-s} for s = 1, 2, 4, ...,
//
// else y_i = prod_j (x_j if j <= i, else 1).
func CumProd(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	rank := int64(len(x.Type.Shape))
	at, ok := op.ConstantInts(n.Input(1))
	if !ok || len(at) != 1 || at[0] < -rank || at[0] >= rank {
		b.Fail("the axis is not a constant inside rank %d", rank)
		return nil
	}
	axis := (at[0] + rank) % rank
	reverse := onnx.AttrOr(n, "reverse", int64(0)) != 0
	exclusive := onnx.AttrOr(n, "exclusive", int64(0)) != 0
	if size := x.Type.Shape[axis]; size.Known() {
		return []*onnx.Value{cumProdKnown(b, x, axis, size.Size, exclusive, reverse)}
	}
	return []*onnx.Value{cumProdTriangle(b, x, axis, exclusive, reverse)}
}

func cumProdKnown(b *op.Builder, x *onnx.Value, axis, size int64, exclusive, reverse bool) *onnx.Value {
	part := func(v *onnx.Value, from, to int64) *onnx.Value {
		return b.Slice(v, op.SliceSpec{Axis: axis, Start: from, End: to})
	}
	if exclusive && size > 0 {
		pads := make([]int64, 2*len(x.Type.Shape))
		one := b.Scalar(x, 1)
		if reverse {
			pads[len(x.Type.Shape)+int(axis)] = 1
			x = b.Node("Pad", []*onnx.Value{part(x, 1, size), b.Ints(pads...), one}, 1)[0]
		} else {
			pads[axis] = 1
			x = b.Node("Pad", []*onnx.Value{part(x, 0, size-1), b.Ints(pads...), one}, 1)[0]
		}
	}
	for s := int64(1); s < size; s *= 2 {
		product := b.Mul(part(x, 0, size-s), part(x, s, size))
		if reverse {
			x = b.Concat(axis, product, part(x, size-s, size))
		} else {
			x = b.Concat(axis, part(x, 0, s), product)
		}
	}
	return x
}

func cumProdTriangle(b *op.Builder, x *onnx.Value, axis int64, exclusive, reverse bool) *onnx.Value {
	rank := int64(len(x.Type.Shape))
	size := b.Node("Shape", []*onnx.Value{x}, 1, onnx.Int("start", axis), onnx.Int("end", axis+1))[0]
	numbers := b.Range(b.Const(onnx.Scalar(int64(0))), b.Squeeze(size, 0), b.Const(onnx.Scalar(int64(1))))
	row := func(at int64) *onnx.Value { // the numbers along axis at of [n,n,1,...]
		dims := make([]int64, rank-axis+1)
		for i := range dims {
			dims[i] = 1
		}
		dims[at] = -1
		return b.Reshape(numbers, dims...)
	}
	compare := map[[2]bool]string{{false, false}: "LessOrEqual", {true, false}: "Less", {false, true}: "GreaterOrEqual",
		{true, true}: "Greater"}[[2]bool{exclusive, reverse}]
	mask := b.Node(compare, []*onnx.Value{row(1), row(0)}, 1)[0]
	factors := b.Where(mask, b.Unsqueeze(x, axis), b.Scalar(x, 1))
	return b.Node("ReduceProd", []*onnx.Value{factors, b.Ints(axis + 1)}, 1, onnx.Int("keepdims", 0))[0]
}
