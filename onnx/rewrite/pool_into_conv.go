package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// PoolIntoConv makes one convolution of a convolution and the 2x2 average pool behind it. Averaging the outputs of a k x k
// kernel over a window is a (k+1) x (k+1) kernel with stride 2, and that is, with the pixels of every 2x2 block as channels
// of their own (SpaceToDepth), a kernel of half the side with stride 1:
//
//	AveragePool(Conv(x, w)) = Conv(SpaceToDepth(x), w'), w' [O,4C,(k+1)/2,(k+1)/2]
//
// For k = 5 it takes 36/100 of the multiplications. w' is linear in w, one product with a constant matrix, so that w stays
// the parameter and gradients flow to it. Sums are associated differently: results agree to rounding. The stored model
// would grow by 36/25, so it is for training.
var PoolIntoConv = Rule{Name: "PoolIntoConv", Op: "AveragePool", Build: poolIntoConv}

func poolIntoConv(b *op.Builder, n *onnx.Node) []*onnx.Value {
	pool := op.PoolAttrsOf(n)
	isTwo := func(v []int64) bool { return slices.Equal(v, []int64{2, 2}) }
	if !isTwo(pool.Kernel) || !isTwo(pool.Strides) || any(pool.Pads) || pool.CeilMode || (pool.AutoPad != "NOTSET" && pool.AutoPad != "VALID") {
		return nil
	}
	conv := n.Input(0).Producer()
	if conv == nil || !conv.Is("Conv") || !alone(b.Graph(), n.Input(0)) {
		return nil
	}
	x, w := conv.Input(0), conv.Input(1)
	size, ok := x.Type.Shape.Sizes()
	kernel, ok2 := w.Type.Shape.Sizes()
	if !ok || !ok2 || len(kernel) != 4 || w.Type.DType != onnx.Float {
		return nil
	}
	a := op.ConvAttrsOf(conv, 2)
	one := []int64{1, 1}
	if a.Group != 1 || !slices.Equal(a.Strides, one) || !slices.Equal(a.Dilations, one) || any(a.Pads) || (a.AutoPad != "NOTSET" && a.AutoPad != "VALID") {
		return nil
	}
	k := kernel[2]
	if kernel[3] != k || k%2 == 0 || k < 3 || size[2]%2 != 0 || size[3]%2 != 0 {
		return nil
	}
	outputs, inputs, half := kernel[0], kernel[1], (k+1)/2
	flat := b.MatMul(b.Reshape(w, outputs*inputs, k*k), b.Const(spread(k)))
	blocks := b.Transpose(b.Reshape(flat, outputs, inputs, 4, half*half), 0, 2, 1, 3)
	folded := b.Reshape(blocks, outputs, 4*inputs, half, half)
	return []*onnx.Value{b.Conv(b.SpaceToDepth(x, 2), folded, conv.Input(2), op.ConvAttrs{Kernel: []int64{half, half}})}
}

// spread is the matrix from a kernel's k*k taps to the (k+1)^2 of the averaged one, these ordered by their place in a 2x2
// block, then by block.
func spread(k int64) *onnx.Tensor {
	half := (k + 1) / 2
	t := onnx.NewTensor(onnx.Float, k*k, (k+1)*(k+1))
	m := t.Float32s()
	for i := range k {
		for j := range k {
			for _, d := range [][2]int64{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
				u, v := i+d[0], j+d[1]
				column := ((u%2)*2+v%2)*half*half + (u/2)*half + v/2
				m[(i*k+j)*(k+1)*(k+1)+column] = 0.25
			}
		}
	}
	return t
}

func any(v []int64) bool { return slices.ContainsFunc(v, func(x int64) bool { return x != 0 }) }
