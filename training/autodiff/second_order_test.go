package autodiff_test

import (
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// kernelMatrix is the matrix of a linear function of a tensor, as the runtime's float32 kernel has it: what comes out for each
// element of the tensor alone.
func kernelMatrix(t *testing.T, f function, dims ...int64) (m *onnx.Tensor, out []int64) {
	t.Helper()
	x := onnx.NewTensor(onnx.Double, dims...)
	p := compile(t, onnx.Float, tensors{x}, func(b *op.Builder, v []*onnx.Value) ([]*onnx.Value, error) {
		return []*onnx.Value{f(b, v)}, b.Err()
	})
	var rows []float64
	for i := range x.Len() {
		onnx.View[float64](x)[i] = 1
		y := p.run(t, tensors{x})[0]
		onnx.View[float64](x)[i] = 0
		out, rows = y.Dims, append(rows, onnx.View[float64](y)...)
	}
	return onnx.FromSlice(rows, x.Len(), int64(len(rows))/x.Len()), out
}

// squared is the square of a linear function whose kernel knows only float32. Differences are taken of the same in float64, by
// the kernel's matrix.
func squared(t *testing.T, name string, x *onnx.Tensor, f func(b *op.Builder, x *onnx.Value) *onnx.Value) example {
	m, dims := kernelMatrix(t, unary(f), x.Dims...)
	square := func(b *op.Builder, y *onnx.Value) *onnx.Value { return b.Mul(y, y) }
	return example{name: name, args: tensors{x}, float32: true,
		f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value { return square(b, f(b, x)) }),
		reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return square(b, b.Reshape(b.MatMul(b.Reshape(x, 1, -1), b.Const(m)), dims...))
		})}
}

// First and second order of operators whose kernels know only float32 and that are linear.
func TestLinearKernels(t *testing.T) {
	resize := func(name string, dims []int64, scales []float32, attrs ...onnx.Attr) example {
		return squared(t, name, integers(1, dims...), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Node("Resize", values{x, nil, b.Const(onnx.FromSlice(scales))}, 1, attrs...)[0]
		})
	}
	columns := func(name string, dims []int64, image, block []int64, attrs ...onnx.Attr) example {
		return squared(t, name, integers(1, dims...), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Node("Col2Im", values{x, b.Ints(image...), b.Ints(block...)}, 1, attrs...)[0]
		})
	}
	cubic, linear := onnx.Str("mode", "cubic"), onnx.Str("mode", "linear")
	for _, e := range []example{
		resize("Resize cubic", []int64{1, 2, 3, 4}, []float32{1, 1, 2, 1.5}, cubic),
		resize("Resize cubic to less", []int64{1, 1, 6, 5}, []float32{1, 1, 0.5, 0.8}, cubic, onnx.Int("exclude_outside", 1), onnx.Float32("cubic_coeff_a", -0.5)),
		resize("Resize linear, antialias", []int64{1, 2, 6, 5}, []float32{1, 1, 0.5, 0.6}, linear, onnx.Int("antialias", 1)),
		resize("Resize cubic, antialias", []int64{1, 1, 8, 6}, []float32{1, 1, 0.5, 0.67}, cubic, onnx.Int("antialias", 1)),
		columns("Col2Im", []int64{2, 8, 6}, []int64{3, 4}, []int64{2, 2}),
		columns("Col2Im strides, dilations", []int64{1, 6, 8}, []int64{5, 4}, []int64{3, 1}, onnx.Ints("strides", 2, 1), onnx.Ints("dilations", 1, 2)),
		columns("Col2Im padding", []int64{1, 4, 9}, []int64{2, 3}, []int64{2, 2}, onnx.Ints("pads", 1, 1, 1, 0)),
		columns("Col2Im in one dimension", []int64{2, 3, 4}, []int64{6}, []int64{3}),
	} {
		t.Run(e.name, e.run)
	}
}

// First and second order of regions and of short-time spectra, in float64: differences are taken of the runtime's kernels.
func TestRegionsAndFrames(t *testing.T) {
	square := func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.Mul(v, v) }
	rois := onnx.FromSlice([]float64{0.3, 0.4, 3.7, 4.1, 1.1, 0.2, 4.6, 2.9, -0.7, -0.3, 1.2, 3.3}, 3, 4)
	align := func(name string, attrs ...onnx.Attr) example {
		return example{name: "RoiAlign " + name, args: tensors{random(1, 2, 2, 5, 6), rois}, f: func(b *op.Builder, v values) *onnx.Value {
			size := []onnx.Attr{onnx.Int("output_height", 2), onnx.Int("output_width", 3)}
			return square(b, b.Node("RoiAlign", values{v[0], v[1], b.Ints(1, 0, 1)}, 1, append(size, attrs...)...)[0])
		}}
	}
	spectra := func(name string, x *onnx.Tensor, window []*onnx.Tensor, attrs ...onnx.Attr) example {
		return example{name: "STFT " + name, args: append(tensors{x}, window...), f: func(b *op.Builder, v values) *onnx.Value {
			in := values{v[0], b.Const(onnx.Scalar(int64(3))), nil, b.Const(onnx.Scalar(int64(5)))}
			if len(v) > 1 {
				in[2] = v[1]
			}
			return square(b, b.Node("STFT", in, 1, attrs...)[0])
		}}
	}
	complex := spectra("complex", random(1, 1, 11, 2), tensors{scaled(2, 0.5, 1.5, 5)}, onnx.Int("onesided", 0))
	complex.reference = func(b *op.Builder, v values) *onnx.Value { // ONNX Runtime 1.28 gives numbers from nowhere for complex signals
		var frames values
		for i := range int64(3) {
			frame := b.Slice(v[0], op.SliceSpec{Axis: 1, Start: 3 * i, End: 3*i + 5})
			frames = append(frames, b.Unsqueeze(b.DFT(b.Mul(frame, b.Reshape(v[1], 5, 1)), 1, nil, false, false), 1))
		}
		return square(b, b.Concat(1, frames...))
	}
	two, half := onnx.Int("sampling_ratio", 2), onnx.Str("coordinate_transformation_mode", "output_half_pixel")
	for _, e := range []example{
		align("mean", two),
		align("mean, half of the size", two, half, onnx.Float32("spatial_scale", 0.5)),
		align("mean, as many samples as the region is large"),
		align("mean, as many samples, a smaller size", half, onnx.Float32("spatial_scale", 0.59375)),
		align("maximum, as many samples", onnx.Str("mode", "max")),
		align("maximum", onnx.Int("sampling_ratio", 3), onnx.Str("mode", "max")),
		spectra("half", random(1, 2, 12, 1), tensors{scaled(2, 0.5, 1.5, 5)}),
		spectra("whole", random(1, 1, 11, 1), nil, onnx.Int("onesided", 0)),
		complex,
	} {
		t.Run(e.name, e.run)
	}
}

// TestMaxRoiPool: the expression gives what the runtime's float32 kernel gives, and its gradients are those of differences.
func TestMaxRoiPool(t *testing.T) {
	rois := onnx.FromSlice([]float64{1, 0.3, 0.4, 3.7, 4.1, 0, 1.1, 0.2, 4.6, 2.9, 1, -1.7, -0.3, 2.2, 7.3, 0, 9, 9, 12, 12, 1, 3, 4, 3, 4}, 5, 5)
	for _, scale := range []float32{1, 0.5} {
		attrs := []onnx.Attr{onnx.Ints("pooled_shape", 2, 3), onnx.Float32("spatial_scale", scale)}
		x := spaced(1, 2, 2, 5, 6)
		kernel := func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Node("MaxRoiPool", values{x, b.Const(convert(rois, onnx.Float))}, 1, attrs...)[0]
		}
		written := func(b *op.Builder, x *onnx.Value) *onnx.Value {
			n := b.Graph().Add("MaxRoiPool", values{x, b.Const(convert(rois, x.Type.DType))}, 1, attrs...)
			y := rewrite.MaxRoiPool(b, n)
			if err := b.Graph().Remove(n); err != nil || b.Err() != nil {
				t.Fatal(err, b.Err())
			}
			return b.Reshape(y[0], 5, 2, 2, 3)
		}
		out := compile(t, onnx.Float, tensors{x}, func(b *op.Builder, v []*onnx.Value) ([]*onnx.Value, error) {
			return values{kernel(b, v[0]), written(b, v[0])}, b.Err()
		}).run(t, tensors{x})
		if !slices.Equal(onnx.View[float64](out[0]), onnx.View[float64](out[1])) {
			t.Errorf("scale %g: %v by the kernel, %v by the expression", scale, onnx.View[float64](out[0]), onnx.View[float64](out[1]))
		}
		square := func(f func(b *op.Builder, x *onnx.Value) *onnx.Value) function {
			return unary(func(b *op.Builder, x *onnx.Value) *onnx.Value { y := f(b, x); return b.Mul(y, y) })
		}
		t.Run("", example{args: tensors{x}, float32: true, f: square(kernel), reference: square(written)}.run)
	}
}
