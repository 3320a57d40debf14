package autodiff

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Three forms of the adjoint of a sum or mean over windows. Milliseconds of processor time on ONNX Runtime 1.28, one thread
// (BenchmarkPoolLowerings measures them anew):
//
//	batch  channels  kernel  stride  places   matrices  pool  transposed convolution
//	64     8         3x3     2       14x14    1.28            2.56
//	8      64        3x3     1       28x28    1.81      1.97  3.18
//	8      64        3x3     2       56x56    26.9            24.9 to 41
//	1      32        5x5     1       128x128  8.05      2.27  6.9
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1, TF32 off; the least
// that any small graph takes is 40. There the matrices are the slowest:
//
//	batch  channels  kernel  stride  places   matrices  pool  transposed convolution
//	64     8         3x3     2       14x14    125             55
//	8      64        3x3     1       28x28    104       53    50
//	8      64        3x3     2       56x56    166             128
//	1      32        5x5     1       128x128  93        48    62
//
// Spreading dY by zeros, so that any stride is a pool of stride 1, takes two to four times as long as the matrices. Windows
// that tile x are an interpolation.

// poolFrom is the size of x along an axis from which the pool is faster than a matrix.
const poolFrom = 48

var nearest = op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}

// sumWindows adds, for each element of x, the elements of dy [N,C,...] whose windows see it; for a mean, each divided by how
// many elements its window has: those of the padding count when asked to, those beyond it never.
func (b *Builder) sumWindows(dy *onnx.Value, win window, countPadding, mean bool) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	count := float64(win.taps())
	scaled := func(v *onnx.Value, by float64) *onnx.Value {
		if by == 1 {
			return v
		}
		return b.Mul(v, b.Scalar(dy, by))
	}
	if win.tiles() && dy.Type.DType == onnx.Float {
		scales := []float32{1, 1}
		for _, k := range win.kernel {
			scales = append(scales, float32(k))
		}
		if mean {
			dy = scaled(dy, 1/count)
		}
		return b.Resize(dy, nearest, scales...)
	}
	small := b.options.Device == CPU && win.sized() && win.in[len(win.in)-1] < poolFrom
	if win.pools(countPadding || !mean) && !small {
		d := b.poolBack(dy, win)
		if mean { // both divide by the count
			return d
		}
		return scaled(d, count)
	}
	for i := range win.kernel {
		if win.in[i] == unsized || win.out[i] == unsized {
			b.Fail("the rule wants the spatial sizes of the pool's input, axis %d is not known: fix that dimension", i+2)
			return nil
		}
	}
	if channels := dy.Type.Shape[1]; b.options.Device == CUDA && channels.Known() && slices.Min(win.rests) >= 0 {
		return b.sumTransposed(dy, win, channels.Size, countPadding, mean)
	}
	for i := range win.kernel {
		dy = b.alongAxis(dy, i+2, b.castLike(b.Const(win.matrix(i, countPadding, mean)), dy))
	}
	return dy
}

// poolBack is the mean of the windows over dy that an element of x lies in, zeros around dy.
func (b *Builder) poolBack(dy *onnx.Value, win window) *onnx.Value {
	k := len(win.kernel)
	a := op.PoolAttrs{Kernel: win.kernel, Pads: make([]int64, 2*k), CountIncludePad: true}
	for i := range k {
		a.Pads[i], a.Pads[k+i] = win.kernel[i]-1-win.begins[i], win.kernel[i]-1-win.ends[i]
	}
	return b.AveragePool(dy, a)
}

// sumTransposed is the transposed convolution of dy, each element divided by its window's count for a mean, by kernels of ones,
// one a channel. The spatial sizes are known.
func (b *Builder) sumTransposed(dy *onnx.Value, win window, channels int64, countPadding, mean bool) *onnx.Value {
	ones := onnx.NewTensor(onnx.Float, append([]int64{channels, 1}, win.kernel...)...)
	for i := range ones.Float32s() {
		ones.Float32s()[i] = 1
	}
	if mean {
		for i := range win.kernel {
			along := slices.Repeat([]int64{1}, len(win.kernel)-i)
			along[0] = win.out[i]
			per := onnx.NewTensor(onnx.Float, along...)
			for o, count := range win.counts(i, countPadding) {
				per.Float32s()[o] = float32(1 / math.Max(1, float64(count)))
			}
			dy = b.Mul(dy, b.castLike(b.Const(per), dy))
		}
	}
	x := b.ConstantOfShape(b.join(b.extent(dy, 0, 2), b.Ints(win.in...)), onnx.NewTensor(onnx.Float, 1))
	win.group = channels
	return b.convTransposed(x, dy, b.castLike(b.Const(ones), dy), win)
}

// pools reports whether the adjoint is a pool of stride 1 over dy, every window having the same count.
func (w window) pools(countPadding bool) bool {
	for i, k := range w.kernel {
		if w.strides[i] != 1 || w.dilations[i] != 1 || w.rests[i] != 0 || w.begins[i] < 0 || w.ends[i] < 0 || w.begins[i] >= k || w.ends[i] >= k {
			return false
		}
		if !countPadding && (w.begins[i] > 0 || w.ends[i] > 0) {
			return false
		}
	}
	return true
}

// counts is how many elements each window has along an axis: those of the padding when asked to, those beyond it never.
func (w window) counts(axis int, countPadding bool) []int {
	lo, hi := int64(0), w.in[axis]
	if countPadding {
		lo, hi = -w.begins[axis], w.in[axis]+w.ends[axis]
	}
	counts := make([]int, w.out[axis])
	for o := range counts {
		for k := range w.kernel[axis] {
			if e := int64(o)*w.strides[axis] - w.begins[axis] + k*w.dilations[axis]; e >= lo && e < hi {
				counts[o]++
			}
		}
	}
	return counts
}

// matrix is the sum over windows along one axis, [out, in]: 1, or for a mean 1/count, where a window sees an element.
func (w window) matrix(axis int, countPadding, mean bool) *onnx.Tensor {
	in, out := w.in[axis], w.out[axis]
	t := onnx.NewTensor(onnx.Float, out, in)
	for o, count := range w.counts(axis, countPadding) {
		o := int64(o)
		start := o*w.strides[axis] - w.begins[axis]
		for k := range w.kernel[axis] {
			if e := start + k*w.dilations[axis]; e >= 0 && e < in {
				t.Float32s()[o*in+e] = 1
				if mean {
					t.Float32s()[o*in+e] = float32(1 / math.Max(1, float64(count)))
				}
			}
		}
	}
	return t
}
