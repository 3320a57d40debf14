package autodiff

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

var resize = []row{
	{op: "Resize", grad: of(gradResize)},
	{op: "Upsample", none: "no rule: upgrade the model, Resize has one"},
}

// y = x interpolated, along each axis by a matrix: dx = dy by the transposed matrices. Whole factors of nearest
// interpolation are sums over blocks.
func gradResize(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	in, ok := b.sizes(n.Input(0))
	out, ok2 := b.sizes(n.Output(0))
	if !ok || !ok2 {
		return nil
	}
	maps := make([]interpolation, len(in))
	blocks := make([]int64, len(in))
	whole := true
	for axis := range in {
		m, err := interpolationOf(n, axis, in[axis], out[axis])
		if err != "" {
			b.Fail("no rule for Resize with %s", err)
			return nil
		}
		maps[axis] = m
		k, is := m.blocks(in[axis])
		blocks[axis] = k
		whole = whole && is
	}
	if whole {
		return b.sumBlocks(dy, in, blocks)
	}
	for axis, m := range maps {
		if k, is := m.blocks(in[axis]); is && k == 1 {
			continue
		}
		dy = b.alongAxis(dy, axis, b.castLike(b.Const(m.matrix(in[axis])), dy))
	}
	return dy
}

// sumBlocks sums blocks of elements; sizes are those of the result.
func (b *Builder) sumBlocks(dy *onnx.Value, sizes, blocks []int64) *onnx.Value {
	if len(sizes) > 2 && blocks[0] == 1 && blocks[1] == 1 && !all(blocks[2:], 1) {
		count := int64(1)
		for _, k := range blocks {
			count *= k
		}
		mean := b.AveragePool(dy, op.PoolAttrs{Kernel: blocks[2:], Strides: blocks[2:]})
		return b.Mul(mean, b.Scalar(dy, float64(count)))
	}
	var dims, axes []int64
	for i, k := range blocks {
		dims = append(dims, sizes[i])
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

// interpolation gives, for each element along an axis of the output, two elements of the input and the weight of the second.
type interpolation struct {
	lo, hi []int64
	weight []float64
}

// interpolationOf reads one axis of a Resize node; what says what it cannot do.
func interpolationOf(n *onnx.Node, axis int, in, out int64) (m interpolation, what string) {
	mode := onnx.AttrOr(n, "mode", "nearest")
	scale, ok := resizeScale(n, axis, in, out)
	switch {
	case mode != "nearest" && mode != "linear":
		return m, "mode " + mode
	case onnx.AttrOr(n, "antialias", int64(0)) != 0:
		return m, "antialias"
	case !ok:
		return m, "scales that are not constant"
	}
	for i := range out {
		x, ok := sourceCoordinate(onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel"), float64(i), scale, in, out)
		if !ok {
			return m, "coordinates " + onnx.AttrOr(n, "coordinate_transformation_mode", "")
		}
		var lo, hi, w float64
		if mode == "linear" {
			lo = math.Floor(x)
			hi, w = lo+1, x-lo
		} else {
			switch onnx.AttrOr(n, "nearest_mode", "round_prefer_floor") {
			case "floor":
				lo = math.Floor(x)
			case "ceil":
				lo = math.Ceil(x)
			case "round_prefer_ceil":
				lo = math.Floor(x + 0.5)
			default:
				lo = math.Ceil(x - 0.5)
			}
			hi = lo
		}
		clamp := func(v float64) int64 { return int64(min(max(v, 0), float64(in-1))) }
		m.lo, m.hi, m.weight = append(m.lo, clamp(lo)), append(m.hi, clamp(hi)), append(m.weight, w)
	}
	return m, ""
}

// resizeScale is the factor of an axis: as given, or the ratio of the sizes.
func resizeScale(n *onnx.Node, axis int, in, out int64) (float64, bool) {
	place := axis
	if axes, ok := n.Attr("axes"); ok {
		list, _ := axes.Value.([]int64)
		place = -1
		for i, a := range list {
			if a == int64(axis) || a+int64(len(n.Output(0).Type.Shape)) == int64(axis) {
				place = i
			}
		}
		if place < 0 {
			return 1, true
		}
	}
	if n.Input(2) != nil {
		if t := op.ConstantOf(n.Input(2)); t != nil && t.Len() > 0 {
			v := t.Float32s()
			if place >= len(v) {
				return 0, false
			}
			return float64(v[place]), v[place] > 0
		} else if t == nil && n.Input(3) == nil {
			return 0, false
		}
	}
	return float64(out) / float64(in), in > 0
}

// sourceCoordinate is where element i of the output lies in the input.
func sourceCoordinate(mode string, i, scale float64, in, out int64) (float64, bool) {
	switch mode {
	case "half_pixel":
		return (i+0.5)/scale - 0.5, true
	case "pytorch_half_pixel":
		if out <= 1 {
			return 0, true
		}
		return (i+0.5)/scale - 0.5, true
	case "asymmetric":
		return i / scale, true
	case "align_corners":
		if out <= 1 {
			return 0, true
		}
		return i * float64(in-1) / float64(out-1), true
	}
	return 0, false
}

// blocks reports whether each of in elements is repeated k times.
func (m interpolation) blocks(in int64) (k int64, ok bool) {
	if in == 0 || int64(len(m.lo))%in != 0 {
		return 0, false
	}
	k = int64(len(m.lo)) / in
	for i := range m.lo {
		at := int64(i) / k
		if (m.lo[i] != at && m.weight[i] != 1) || (m.hi[i] != at && m.weight[i] != 0) {
			return 0, false
		}
	}
	return k, true
}

// matrix is the interpolation as a matrix [out, in].
func (m interpolation) matrix(in int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, int64(len(m.lo)), in)
	v := t.Float32s()
	for i := range m.lo {
		v[int64(i)*in+m.lo[i]] += float32(1 - m.weight[i])
		v[int64(i)*in+m.hi[i]] += float32(m.weight[i])
	}
	return t
}
