package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

var resize = []row{
	{op: "Resize", grad: gradResize},
	{op: "Upsample", none: "no rule: upgrade the model, Resize has one"},
}

// y = x interpolated, along each axis by a matrix: dx = dy by the transposed matrices. Whole factors of nearest
// interpolation are sums over blocks. Scales, sizes and the region have no gradient.
func gradResize(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, d := n.Input(0), dy[0]
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	maps := make([]interpolation, rank) // nil along an axis that stays as it is
	blocks, whole := make([]int64, rank), true
	for axis := range rank {
		if axisStays(n, axis) {
			blocks[axis] = 1
			continue
		}
		in, out := x.Type.Shape[axis], n.Output(0).Type.Shape[axis]
		if !in.Known() || !out.Known() {
			b.Fail("the rule wants the sizes of axis %d, they are %v and %v", axis, in, out)
			return nil
		}
		m, what := interpolationOf(n, axis, in.Size, out.Size)
		if what != "" {
			b.Fail("no rule for Resize with %s", what)
			return nil
		}
		maps[axis] = m
		k, is := m.blocks(in.Size)
		blocks[axis] = k
		whole = whole && is
	}
	if whole {
		return []*onnx.Value{b.sumBlocks(d, x, blocks)}
	}
	for axis, m := range maps {
		if m != nil {
			d = b.alongAxis(d, axis, b.castLike(b.Const(m.matrix(x.Type.Shape[axis].Size)), d))
		}
	}
	return []*onnx.Value{d}
}

// axisStays reports whether an axis is handed through: of the same size, or the same unknown, on both sides with a scale of
// one.
func axisStays(n *onnx.Node, axis int) bool {
	in, out := n.Input(0).Type.Shape[axis], n.Output(0).Type.Shape[axis]
	if in != out || in == onnx.UnknownDim || onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" {
		return false
	}
	scale, ok := resizeScale(n, axis, 1, 1)
	return ok && scale == 1
}

// sumBlocks sums blocks of elements of dy, to the shape of x.
func (b *Builder) sumBlocks(dy, x *onnx.Value, blocks []int64) *onnx.Value {
	if len(blocks) > 2 && blocks[0] == 1 && blocks[1] == 1 && !all(blocks[2:], 1) {
		count := int64(1)
		for _, k := range blocks {
			count *= k
		}
		mean := b.AveragePool(dy, op.PoolAttrs{Kernel: blocks[2:], Strides: blocks[2:]})
		return b.Mul(mean, b.Scalar(dy, float64(count)))
	}
	var dims, axes []int64
	for i, k := range blocks {
		size := int64(0) // as it is, in its place, as long as nothing was put before it
		if d := x.Type.Shape[i]; d.Known() {
			size = d.Size
		} else if len(axes) > 0 {
			b.Fail("the rule wants the size of axis %d of %s, which is %v", i, label(x), x.Type.Shape)
			return nil
		}
		dims = append(dims, size)
		if k > 1 {
			axes = append(axes, int64(len(dims)))
			dims = append(dims, k)
		}
	}
	if len(axes) == 0 {
		return dy
	}
	return b.ReduceSum(b.Reshape(dy, dims...), false, axes...)
}

// alongAxis multiplies v along an axis of size rows by a matrix [rows, columns].
func (b *Builder) alongAxis(v *onnx.Value, axis int, matrix *onnx.Value) *onnx.Value {
	rank, ok := b.rank(v)
	switch {
	case !ok:
		return nil
	case axis == rank-1:
		return b.MatMul(v, matrix)
	case axis == rank-2:
		return b.MatMul(b.Transpose(matrix, 1, 0), v)
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[axis], perm[rank-1] = perm[rank-1], perm[axis]
	return b.Transpose(b.MatMul(b.Transpose(v, perm...), matrix), perm...)
}
