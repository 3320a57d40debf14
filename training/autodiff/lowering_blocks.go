package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// With the pixels of every s x s block as channels of their own, a convolution of stride s by a k x k kernel is one of
// stride 1 by a k/s x k/s kernel. Runtimes are slow at gathering every s-th pixel, and quick at moving blocks once.

// fitsBlocks reports whether a convolution of two dimensions is one of blocks: a single stride, which divides the kernel.
func fitsBlocks(w window) bool {
	if len(w.kernel) != 2 || w.group > 1 || !w.sized() || !all(w.dilations, 1) || w.strides[0] != w.strides[1] || w.strides[0] < 2 {
		return false
	}
	s := w.strides[0]
	return w.kernel[0]%s == 0 && w.kernel[1]%s == 0
}

// blocks is the padded x [N,C,...], as far as windows see it, with blocks as channels: [N,s*s*C,...].
func (b *Builder) blocks(x *onnx.Value, w window) *onnx.Value {
	var cut []op.SliceSpec
	for i, k := range w.kernel {
		if w.rests[i] != 0 {
			cut = append(cut, op.SliceSpec{Axis: int64(i + 2), Start: 0, End: (w.out[i]-1)*w.strides[i] + k})
		}
	}
	if len(cut) > 0 {
		x = b.Slice(x, cut...)
	}
	return b.SpaceToDepth(x, w.strides[0])
}

// blockWeight is the weight of the convolution of blocks: w [O,C,k,k] as [O,s*s*C,k/s,k/s].
func (b *Builder) blockWeight(w *onnx.Value, win window) *onnx.Value {
	dims, ok := b.sizes(w)
	if !ok {
		return nil
	}
	s := win.strides[0]
	parts := b.Reshape(w, dims[0], dims[1], dims[2]/s, s, dims[3]/s, s)
	return b.Reshape(b.Transpose(parts, 0, 3, 5, 1, 2, 4), dims[0], s*s*dims[1], dims[2]/s, dims[3]/s)
}

// weightByBlocks is the convolution of blocks' weightByRows or weightByTiles, its taps put back into their order.
func (b *Builder) weightByBlocks(x, dy *onnx.Value, l layer) *onnx.Value {
	s := l.strides[0]
	kh, kw := l.kernel[0]/s, l.kernel[1]/s
	x = b.blocks(x, l.window)
	none, one := []int64{0, 0}, []int64{1, 1}
	small := layer{single: l.single, c: s * s * l.c, o: l.o, window: window{kernel: []int64{kh, kw}, strides: one, dilations: one,
		begins: none, ends: none, rests: none, in: []int64{l.out[0] + kh - 1, l.out[1] + kw - 1}, out: l.out, group: 1}}
	form := (*Builder).weightByRows
	if b.options.Device == CPU && small.single && paysTiles(small) {
		form = (*Builder).weightByTiles
	}
	parts := b.Reshape(form(b, x, dy, small), l.o, s, s, l.c, kh, kw)
	return b.Transpose(parts, 0, 3, 4, 1, 5, 2)
}
