package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var spatial = []row{
	{op: "AffineGrid", expand: rewrite.AffineGrid},
	{op: "CenterCropPad", grad: of(gradCenterCropPad)},
	{op: "Col2Im", grad: of(gradCol2Im)},
	{op: "DeformConv", expand: rewrite.DeformConv},
	{op: "GridSample", expand: rewrite.GridSample},
	{op: "RoiAlign", expand: rewrite.RoiAlign},
}

// y = the middle of x, or x in the middle of zeros, along each axis: dx = the same of dy, back to the size of x.
func gradCenterCropPad(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	rank, ok := b.rank(x)
	if !ok {
		return nil
	}
	size := b.shapeOf(x)
	var attrs []onnx.Attr
	if axes, given := n.Attr("axes"); given {
		attrs = append(attrs, axes)
		list, _ := axes.Value.([]int64)
		picked := make([]int64, len(list))
		for i, a := range list {
			if picked[i] = a; a < 0 {
				picked[i] += int64(rank)
			}
		}
		size = b.Gather(size, b.Ints(picked...), 0)
	}
	return b.Node("CenterCropPad", []*onnx.Value{dy, size}, 1, attrs...)[0]
}

// y = the sum of columns [N, C block, L], each block in its place in the image: dx = the blocks of dy, gathered.
func gradCol2Im(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	image, ok1 := op.ConstantInts(n.Input(1))
	block, ok2 := op.ConstantInts(n.Input(2))
	if !ok1 || !ok2 || len(image) != len(block) {
		b.Fail("image_shape and block_shape are not constant")
		return nil
	}
	r := len(image)
	ones, none := make([]int64, r), make([]int64, 2*r)
	for i := range ones {
		ones[i] = 1
	}
	w := window{kernel: block, in: image, strides: onnx.AttrOr(n, "strides", ones), dilations: onnx.AttrOr(n, "dilations", ones), group: 1}
	pads := onnx.AttrOr(n, "pads", none)
	if len(w.strides) != r || len(w.dilations) != r || len(pads) != 2*r {
		b.Fail("strides, dilations or pads do not fit %d dimensions", r)
		return nil
	}
	w.begins, w.ends = pads[:r], pads[r:]
	index, ok := w.columns()
	if !ok {
		b.Fail("an image of %v has no blocks of %v", image, block)
		return nil
	}
	flat := b.Reshape(dy, 0, 0, -1) // [N,C,image]
	if b.Err() != nil {
		return nil
	}
	flat = b.Pad(flat, "constant", 0, 0, 0, 0, 0, 1) // the zero that columns in the padding read
	return b.reshapeLike(b.Gather(flat, b.Const(index), 2), n.Input(0))
}

// columns gives for each element of the block and each of its places the flat index of the element of the image that it
// sees, the image's size in the padding: [block, places].
func (w *window) columns() (*onnx.Tensor, bool) {
	elements, places, size := int64(1), int64(1), int64(1)
	const most = 1 << 27
	for i := range w.kernel {
		if w.kernel[i] < 1 || w.strides[i] < 1 || w.dilations[i] < 1 || w.in[i] < 1 {
			return nil, false
		}
		out := (w.in[i]+w.begins[i]+w.ends[i]-w.span(i))/w.strides[i] + 1
		if out < 1 || out > most || w.kernel[i] > most || w.in[i] > most {
			return nil, false
		}
		w.out = append(w.out, out)
		elements, places, size = elements*w.kernel[i], places*out, size*w.in[i]
		if elements > most || places > most || size > most || elements*places > most {
			return nil, false
		}
	}
	t := onnx.NewTensor(onnx.Int64, elements, places)
	for e := range elements {
		for p := range places {
			flat, inside, re, rp, stride := int64(0), true, e, p, int64(1)
			for i := len(w.kernel) - 1; i >= 0; i-- {
				at := rp%w.out[i]*w.strides[i] + re%w.kernel[i]*w.dilations[i] - w.begins[i]
				rp, re = rp/w.out[i], re/w.kernel[i]
				inside = inside && at >= 0 && at < w.in[i]
				flat += at * stride
				stride *= w.in[i]
			}
			if !inside {
				flat = size
			}
			t.Int64s()[e*places+p] = flat
		}
	}
	return t, true
}
