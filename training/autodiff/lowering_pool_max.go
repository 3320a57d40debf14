package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Forms of the adjoint of a maximum over windows. Milliseconds of processor time on ONNX Runtime 1.28, one thread, the pool
// that finds the indices included (BenchmarkPoolLowerings measures them anew):
//
//	batch  channels  kernel  stride  places  MaxUnpool  ScatterElements  ScatterND  comparison of x with y
//	64     8         2x2     2       14x14   1.70       1.95             2.33       1.17
//	64     16        3x3     3       4x4     0.46       0.60             0.69       0.58
//	8      64        2x2     2       56x56   26.1       35.5             38.7       38.5
//	8      64        3x3     2       56x56              52.7
//	8      64        3x3     1       28x28              8.8
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1:
//
//	batch  channels  kernel  stride  places  MaxUnpool  ScatterElements
//	64     8         2x2     2       14x14   528        72
//	64     16        3x3     3       4x4     148        50
//	8      64        2x2     2       56x56   5340       127
//	8      64        3x3     2       56x56              154
//	8      64        3x3     1       28x28              62
//
// CUDA has no kernel of MaxUnpool, so that it runs on the CPU, with copies there and back.
//
// The comparison gives dY to every element that equals the maximum, and would have to count them: constant regions of a
// picture have many. The indices name the first, as PyTorch does. A mask for each tap takes two to ten times as long as
// ScatterElements.

// y = the maximum of each window: dy goes to where it stood.
func gradMaxPool(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	win, ok := b.poolWindow(n)
	if !ok || dy[0] == nil {
		return nil
	}
	x := n.Input(0)
	indices := n.Output(1)
	if indices == nil || onnx.AttrOr(n, "storage_order", int64(0)) != 0 {
		_, indices = b.MaxPoolIndices(x, op.PoolAttrsOf(n))
	}
	reduction := "add"
	if win.apart() {
		if b.options.Device == CPU && x.Type.DType == onnx.Float && win.inside(op.PoolAttrsOf(n).CeilMode) {
			var dims *onnx.Value
			if !win.tiles() {
				dims = b.shapeOf(x)
			}
			return []*onnx.Value{b.MaxUnpool(dy[0], indices, dims, op.PoolAttrs{Kernel: win.kernel, Strides: win.strides,
				Pads: slices.Concat(win.begins, win.ends)})}
		}
		reduction = "none"
	}
	flat := b.ScatterElements(b.Reshape(b.zerosLike(x), -1), b.Reshape(indices, -1), b.Reshape(dy[0], -1), 0, reduction)
	return []*onnx.Value{b.reshapeLike(flat, x)}
}

// apart reports whether no element lies in two windows.
func (w window) apart() bool {
	for i := range w.kernel {
		if w.strides[i] < w.span(i) {
			return false
		}
	}
	return true
}

// inside reports whether no window hangs over the end of the padded x.
func (w window) inside(ceil bool) bool {
	return !slices.ContainsFunc(w.rests, func(r int64) bool { return r < 0 && (r != unsized || ceil) })
}

// Y = X put where the indices say, zeros elsewhere: dX = dY there.
func gradMaxUnpool(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	at := n.Input(1)
	flat := b.Gather(b.Reshape(dy[0], -1), b.Reshape(at, -1), 0)
	return []*onnx.Value{b.reshapeLike(flat, at)}
}
