package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// DeformConv is a convolution whose taps are moved: with the columns
//
//	col[c,i,t] = mask[g(c),i,t] x[c, t stride + i dilation - pad + offset[g(c),i,t]],
//
// x interpolated linearly between its elements and zero outside, y = W col + b for each group of channels. t is a place of the
// output, i a tap of the kernel, g(c) the group of offsets of channel c. The gradients with respect to the offsets follow from
// the weights of the interpolation.
func DeformConv(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, w, offset, bias, mask := n.Input(0), n.Input(1), n.Input(2), n.Input(3), n.Input(4)
	r := len(w.Type.Shape) - 2
	if r < 1 || len(x.Type.Shape) != r+2 || len(offset.Type.Shape) != r+2 {
		b.Fail("DeformConv: x is %v, the weight %v, offset %v: their ranks are wanted", x.Type, w.Type, offset.Type)
		return nil
	}
	a := op.ConvAttrsOf(n, r)
	groups := onnx.AttrOr(n, "offset_group", int64(1))
	sizes, known := w.Type.Shape[1:].Sizes()
	if !known || a.Group < 1 || groups < 1 || len(a.Strides) != r || len(a.Dilations) != r || len(a.Pads) != 2*r {
		b.Fail("DeformConv: the weight is %v: its input channels and kernel are wanted", w.Type)
		return nil
	}
	per, kernel := sizes[0], sizes[1:]
	taps, err := onnx.ElementCount(kernel)
	const most = 1 << 20
	if err != nil || taps > most || per*a.Group%groups != 0 {
		b.Fail("DeformConv: %d channels in %d groups of offsets, a kernel of %v", per*a.Group, groups, kernel)
		return nil
	}
	places := b.ShapeSlice(offset, 2, int64(r+2))
	s := sampling{Builder: b, GridSampleAttrs: op.GridSampleAttrs{Mode: "linear", Padding: "zeros"}, x: x, like: x, r: r}
	s.values = b.Reshape(x, 0, groups, per*a.Group/groups, -1) // [N,groups,channels,elements]
	moves := b.ReshapeTo(offset, b.Concat(0, b.ShapeSlice(offset, 0, 1), b.Ints(groups, taps, int64(r)), places))
	var axes [][]weighted
	for axis := range r {
		s.sizes = append(s.sizes, s.sizeOf(axis))
		move := b.Squeeze(b.Gather(moves, b.Ints(int64(axis)), 3), 3) // [N,groups,taps,places...]
		p := b.Add(b.Add(move, b.Cast(b.Const(tapsAlong(kernel, a, axis)), x.Type.DType)), s.placesAlong(offset, a, axis))
		axes = append(axes, s.around(b.Reshape(p, 0, 0, 1, -1), axis))
	}
	if b.Err() != nil {
		return nil
	}
	columns := s.combine(axes, nil, nil) // [N,groups,channels,taps places]
	if mask != nil {
		columns = b.Mul(columns, b.Reshape(mask, 0, groups, 1, -1))
	}
	columns = b.Reshape(b.Reshape(columns, 0, per*a.Group, taps, -1), 0, a.Group, per*taps, -1)
	y := b.MatMul(b.Reshape(w, a.Group, -1, per*taps), columns) // [N,group,channels,places]
	y = b.ReshapeTo(y, b.Concat(0, b.ShapeSlice(offset, 0, 1), b.ShapeSlice(w, 0, 1), places))
	if bias != nil {
		shape := make([]int64, r+1)
		for i := range shape {
			shape[i] = 1
		}
		shape[0] = -1
		y = b.Add(y, b.Reshape(bias, shape...))
	}
	return []*onnx.Value{y}
}

// tapsAlong is where each tap of a kernel lies along an axis of x, from the place of the window's first: [taps,1,...].
func tapsAlong(kernel []int64, a op.ConvAttrs, axis int) *onnx.Tensor {
	inner := int64(1)
	dims := []int64{1}
	for i, k := range kernel {
		if i > axis {
			inner *= k
		}
		dims[0] *= k
		dims = append(dims, 1)
	}
	at := onnx.NewTensor(onnx.Double, dims...)
	for i := range at.Len() {
		onnx.View[float64](at)[i] = float64(i/inner%kernel[axis]*a.Dilations[axis] - a.Pads[axis])
	}
	return at
}

// placesAlong is where the windows begin in the padded x along an axis, for each place of the output: [1,..,places,..,1].
func (s *sampling) placesAlong(offset *onnx.Value, a op.ConvAttrs, axis int) *onnx.Value {
	dims := make([]int64, s.r)
	for i := range dims {
		dims[i] = 1
	}
	dims[axis] = -1
	const most = 1 << 24
	if d := offset.Type.Shape[axis+2]; d.Known() && d.Size <= most {
		at := onnx.NewTensor(onnx.Double, d.Size)
		for i := range at.Len() {
			onnx.View[float64](at)[i] = float64(i * a.Strides[axis])
		}
		return s.Reshape(s.Cast(s.Const(at), s.like.Type.DType), dims...)
	}
	count := s.Squeeze(s.ShapeSlice(offset, int64(axis+2), int64(axis+3)), 0)
	at := s.Mul(s.Range(s.Const(onnx.Scalar(int64(0))), count, s.Const(onnx.Scalar(int64(1)))), s.Const(onnx.Scalar(a.Strides[axis])))
	return s.Reshape(s.Cast(at, s.like.Type.DType), dims...)
}
