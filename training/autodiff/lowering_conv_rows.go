package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// With stride 1 the shift by the tap (i,j) can be split between the operands, so that kw+kh copies take the place of kw kh:
// with A_j[o,y,t] = dY[o,y,t-j], zero outside, and B_i[c,y,t] = X[c,y+i,t], over the width of X,
//
//	dW[o,c,i,j] = sum_y,t A_j[o,y,t] B_i[c,y,t].

func fitsRows(l layer) bool {
	return len(l.kernel) <= 2 && l.group == 1 && l.sized() && all(l.strides, 1)
}

func fitsTiles(l layer) bool { return fitsRows(l) && l.single }

// paysRows: of a batch it is the smaller copies of dY that pay, where rows are long against the kernel.
func paysRows(l layer) bool {
	if l.single {
		return rowBytes(l) <= tilesFrom
	}
	return l.c >= 2*l.o && l.out[len(l.out)-1] >= 16
}

const (
	// tilesFrom is how many bytes weightByRows may hold for one image.
	tilesFrom = 32 << 20
	// tileRows is how many rows a tile has at least, maxTiles how many tiles there are at most.
	tileRows, maxTiles = 8, 32
)

// rowBytes estimates what weightByRows holds at once: the A_j, their concatenation, a B_i, in float32.
func rowBytes(l layer) int64 {
	l = l.twoDimensional()
	return 4 * l.out[0] * (l.out[1] + l.span(1) - 1) * (2*l.kernel[1]*l.o + l.c)
}

func paysTiles(l layer) bool {
	return rowBytes(l) > tilesFrom && l.twoDimensional().out[0] >= 2*tileRows
}

// weightByRows stacks the A_j; the B_i are slices of whole rows: kh products of [kw O, P] and [P, C].
func (b *Builder) weightByRows(x, dy *onnx.Value, l layer) *onnx.Value {
	x, dy, l = b.twoDimensional(x, dy, l)
	a := b.shiftedColumns(dy, l)
	rows := l.out[0] * (l.out[1] + l.span(1) - 1) // one B_i
	x = b.Reshape(x, 0, 0, -1)
	kh, kw := l.kernel[0], l.kernel[1]
	products := make([]*onnx.Value, kh)
	for i := range kh {
		part := x
		if kh > 1 {
			start := i * l.dilations[0] * rows / l.out[0]
			part = b.Slice(x, op.SliceSpec{Axis: 2, Start: start, End: start + rows})
		}
		products[i] = b.outer(a, part, l) // [kw O, C]
	}
	product := products[0]
	if kh > 1 {
		product = b.Concat(0, products...)
	}
	// [kh,kw,O,C] as a matrix: runtimes move blocks, where a permutation of four dimensions goes element by element.
	return b.Transpose(b.Reshape(product, kh*kw, -1), 1, 0)
}

// weightByTiles goes through the picture in tiles of rows, with both the A_j and the B_i of a tile stacked: one product of
// [kw O, P] and [P, kh C] a tile, added to the one before.
//
// ONNX Runtime computes, of what a node reads, the one that stands last in the file first. The operands of all tiles stand
// in front of the products, so that a tile is made when the product before it is done; in any other order all tiles would
// be held at once.
func (b *Builder) weightByTiles(x, dy *onnx.Value, l layer) *onnx.Value {
	x, dy, l = b.twoDimensional(x, dy, l)
	kh, kw := l.kernel[0], l.kernel[1]
	height := max(tileRows, (l.out[0]+maxTiles-1)/maxTiles)
	var left, right []*onnx.Value
	for from := int64(0); from < l.out[0]; from += height {
		to := min(from+height, l.out[0])
		part := b.Slice(dy, op.SliceSpec{Axis: 2, Start: from, End: to})
		left = append(left, b.Reshape(b.shiftedColumns(part, l), kw*l.o, -1))
		rows := make([]*onnx.Value, kh)
		for i := range kh {
			rows[i] = b.Slice(x, op.SliceSpec{Axis: 2, Start: from + i*l.dilations[0], End: to + i*l.dilations[0]})
		}
		stack := rows[0]
		if kh > 1 {
			stack = b.Concat(1, rows...)
		}
		right = append(right, b.Reshape(stack, kh*l.c, -1))
	}
	var sum *onnx.Value
	for t := range left {
		sum = b.Gemm(left[t], right[t], sum, op.GemmAttrs{TransB: true})
	}
	return b.Transpose(b.Reshape(sum, kw, l.o, kh, l.c), 1, 3, 2, 0)
}

// twoDimensional makes a one-dimensional convolution one of a single row.
func (l layer) twoDimensional() layer {
	if len(l.kernel) == 1 {
		l.kernel, l.dilations, l.out = []int64{1, l.kernel[0]}, []int64{1, l.dilations[0]}, []int64{1, l.out[0]}
	}
	return l
}

func (b *Builder) twoDimensional(x, dy *onnx.Value, l layer) (*onnx.Value, *onnx.Value, layer) {
	if len(l.kernel) == 2 {
		return x, dy, l
	}
	return b.Unsqueeze(x, 2), b.Unsqueeze(dy, 2), l.twoDimensional()
}

// shiftedColumns stacks the A_j: [N, kw O, H, width of X].
func (b *Builder) shiftedColumns(dy *onnx.Value, l layer) *onnx.Value {
	kw := l.kernel[1]
	if kw == 1 {
		return dy
	}
	shifted := make([]*onnx.Value, kw)
	for j := range kw {
		left := j * l.dilations[1]
		shifted[j] = b.Pad(dy, "constant", 0, 0, 0, left, 0, 0, 0, l.span(1)-1-left)
	}
	return b.Concat(1, shifted...)
}
