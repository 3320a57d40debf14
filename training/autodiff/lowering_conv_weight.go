package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// weightLowering is one way to write the cotangent of a convolution's weight in standard operators.
type weightLowering struct {
	name string
	fits func(w window) bool
	emit func(b *Builder, x, dy *onnx.Value, channels int64, w window) *onnx.Value
}

// weightLowerings lists them, the one to prefer first. Milliseconds on ONNX Runtime 1.28, one thread, batch 1, the input
// padded beforehand (BenchmarkWeightLowerings measures them anew):
//
//	channels  kernel  side   product  rows  stack  taps
//	32 to 16  5x5     128             5.8   8.8    10.7
//	16 to 16  5x5     64              0.68  0.73   1.12
//	16 to 32  5x5     64              1.28  1.31   1.77
//	64 to 64  5x5     32              2.37  2.40   2.83
//	64 to 64  5x5     16              0.73  0.70   0.74
//	32 to 16  3x3     128             2.15  2.66   2.88
//	64 to 64  3x3     32              0.84  0.87   0.96
//	16 to 3   1x1     128    0.07                  0.10
//
// Gathering all taps of X into one matrix takes twice as long as taps at side 128, and the convolution with batch and
// channels exchanged several times as long; neither is kept.
var weightLowerings = []weightLowering{
	{"product", fitsProduct, (*Builder).weightByProduct},
	{"rows", fitsRows, (*Builder).weightByRows},
	{"stack", fitsRows, (*Builder).weightByStack},
	{"blocks", fitsBlocks, (*Builder).weightByBlocks},
	{"taps", func(window) bool { return true }, (*Builder).weightByTaps},
}

// convWeight is the cotangent of the weight w [O,C/group,...] of the convolution from x [N,C,...] to dy [N,O,...].
func (b *Builder) convWeight(x, dy, w *onnx.Value, win window) *onnx.Value {
	dims, ok := b.sizes(w)
	if !ok {
		return nil
	}
	x = b.padded(x, win)
	for _, l := range weightLowerings {
		if l.fits(win) {
			return b.Reshape(l.emit(b, x, dy, dims[0], win), dims...)
		}
	}
	return nil
}

// padded is x with the window's padding made explicit.
func (b *Builder) padded(x *onnx.Value, win window) *onnx.Value {
	if all(win.begins, 0) && all(win.ends, 0) {
		return x
	}
	none := []int64{0, 0}
	return b.Pad(x, "constant", slices.Concat(none, win.begins, none, win.ends)...)
}

func fitsProduct(w window) bool {
	return w.group <= 1 && all(w.kernel, 1) && all(w.strides, 1)
}

// weightByProduct: a kernel of one tap is a matrix, dW = dY X'.
func (b *Builder) weightByProduct(x, dy *onnx.Value, _ int64, _ window) *onnx.Value {
	return b.outer(dy, x)
}

// outer is sum_n U_n V_n' for u [N,I,...] and v [N,J,...], whose further dimensions are one: [I,J].
func (b *Builder) outer(u, v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if s := u.Type.Shape; s[0].Known() && s[0].Size == 1 && s[1].Known() && v.Type.Shape[1].Known() {
		return b.Gemm(b.Reshape(u, s[1].Size, -1), b.Reshape(v, v.Type.Shape[1].Size, -1), nil, op.GemmAttrs{TransB: true})
	}
	return b.ReduceSum(b.MatMul(b.Reshape(u, 0, 0, -1), b.swapLast(b.Reshape(v, 0, 0, -1))), false, 0)
}

func fitsRows(w window) bool {
	return len(w.kernel) <= 2 && w.group <= 1 && all(w.strides, 1)
}

// weightByRows splits the shift by the tap (i,j) between the operands, so that kw+kh copies take the place of kw*kh: with
// A_j[o,y,t] = dY[o,y,t-j], zero outside, and B_i[c,y,t] = X[c,y+i,t], over the width of X,
//
//	dW[o,c,i,j] = sum_y,t A_j[o,y,t] B_i[c,y,t].
//
// The A_j are stacked and the B_i are slices of whole rows: kh products of [kw O, P] and [P, C].
func (b *Builder) weightByRows(x, dy *onnx.Value, _ int64, w window) *onnx.Value {
	x, dy, w = b.twoDimensional(x, dy, w)
	a := b.shiftedColumns(dy, w)
	rows := w.out[0] * (w.out[1] + w.span(1) - 1) // one B_i
	x = b.Reshape(x, 0, 0, -1)
	kh, kw := w.kernel[0], w.kernel[1]
	products := make([]*onnx.Value, kh)
	for i := range kh {
		part := x
		if kh > 1 {
			start := i * w.dilations[0] * rows / w.out[0]
			part = b.Slice(x, op.SliceSpec{Axis: 2, Start: start, End: start + rows})
		}
		products[i] = b.outer(a, part) // [kw O, C]
	}
	product := products[0]
	if kh > 1 {
		product = b.Concat(0, products...)
	}
	// [kh,kw,O,C] as a matrix: runtimes move blocks, where a permutation of four dimensions goes element by element.
	return b.Transpose(b.Reshape(product, kh*kw, -1), 1, 0)
}

// weightByStack is weightByRows with the B_i stacked too: one product of [kw O, P] and [P, C kh]. It copies X kh times more,
// and has fewer nodes.
func (b *Builder) weightByStack(x, dy *onnx.Value, channels int64, w window) *onnx.Value {
	x, dy, w = b.twoDimensional(x, dy, w)
	a := b.shiftedColumns(dy, w)
	kh, kw := w.kernel[0], w.kernel[1]
	rows := onnx.NewTensor(onnx.Int64, kh, w.out[0])
	for i := range kh {
		for y := range w.out[0] {
			rows.Int64s()[i*w.out[0]+y] = y + i*w.dilations[0]
		}
	}
	x = b.Gather(x, b.Const(rows), 2) // [N,C,kh,H,width]
	if b.Err() != nil {
		return nil
	}
	x = b.Reshape(x, 0, x.Type.Shape[1].Size*kh, -1)
	return b.Transpose(b.Reshape(b.outer(a, x), kw, channels, -1, kh), 1, 2, 3, 0)
}

// twoDimensional makes a one-dimensional convolution one of a single row.
func (b *Builder) twoDimensional(x, dy *onnx.Value, w window) (*onnx.Value, *onnx.Value, window) {
	if len(w.kernel) == 2 {
		return x, dy, w
	}
	w.kernel, w.dilations, w.out = []int64{1, w.kernel[0]}, []int64{1, w.dilations[0]}, []int64{1, w.out[0]}
	return b.Unsqueeze(x, 2), b.Unsqueeze(dy, 2), w
}

// shiftedColumns stacks the A_j: [N, kw O, H, width of X].
func (b *Builder) shiftedColumns(dy *onnx.Value, w window) *onnx.Value {
	kw := w.kernel[1]
	if kw == 1 {
		return dy
	}
	shifted := make([]*onnx.Value, kw)
	for j := range kw {
		left := j * w.dilations[1]
		shifted[j] = b.Pad(dy, "constant", 0, 0, 0, left, 0, 0, 0, w.span(1)-1-left)
	}
	return b.Concat(1, shifted...)
}

// weightByTaps makes one product a tap: dW[:,:,i] = dY X_i', X_i the elements of X that the tap sees.
func (b *Builder) weightByTaps(x, dy *onnx.Value, channels int64, w window) *onnx.Value {
	taps := int64(1)
	for _, k := range w.kernel {
		taps *= k
	}
	d := b.Reshape(dy, 0, w.group, channels/w.group, -1)
	products := make([]*onnx.Value, 0, taps)
	for t := range taps {
		specs := make([]op.SliceSpec, len(w.kernel))
		rest := t
		for i := len(w.kernel) - 1; i >= 0; i-- {
			start := rest % w.kernel[i] * w.dilations[i]
			rest /= w.kernel[i]
			specs[i] = op.SliceSpec{Axis: int64(i + 2), Start: start, End: start + (w.out[i]-1)*w.strides[i] + 1, Step: w.strides[i]}
		}
		seen := b.Slice(x, specs...)
		if b.Err() != nil {
			return nil
		}
		seen = b.Reshape(seen, 0, w.group, seen.Type.Shape[1].Size/w.group, -1) // [N,G,C/G,P]
		p := b.MatMul(d, b.swapLast(seen))
		products = append(products, b.Unsqueeze(b.ReduceSum(p, false, 0), -1)) // [G,O/G,C/G,1]
	}
	if taps == 1 {
		return products[0]
	}
	return b.Concat(-1, products...)
}
