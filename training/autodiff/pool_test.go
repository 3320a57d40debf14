package autodiff_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

func TestPool(t *testing.T) {
	pool := func(name string, x *onnx.Tensor, a op.PoolAttrs) example {
		// The mean as a convolution of single channels; what lies outside counts or not by a quotient of two of them.
		return example{name: name, args: tensors{x}, float32: true, f: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.AveragePool(v, a) }),
			reference: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
				d := append([]int64{x.Dims[0] * x.Dims[1], 1}, x.Dims[2:]...)
				ones, k := onnx.NewTensor(onnx.Double, d...), onnx.NewTensor(onnx.Double, append([]int64{1, 1}, a.Kernel...)...)
				for _, t := range []*onnx.Tensor{ones, k} {
					for i := range onnx.View[float64](t) {
						onnx.View[float64](t)[i] = 1
					}
				}
				ca := op.ConvAttrs{Strides: a.Strides, Pads: a.Pads, Dilations: a.Dilations}
				sum := convReference(b, b.Reshape(v, d...), b.Const(k), nil, ca)
				if a.CountIncludePad {
					return b.Div(sum, b.Scalar(sum, float64(k.Len())))
				}
				return b.Div(sum, convReference(b, b.Const(ones), b.Const(k), nil, ca))
			})}
	}
	maxPool := func(name string, x *onnx.Tensor, a op.PoolAttrs) example {
		return of1(name, x, func(b *op.Builder, v *onnx.Value) *onnx.Value { y := b.MaxPool(v, a); return b.Mul(y, y) })
	}
	up := func(name string, dims []int64, a op.ResizeAttrs, scales ...float32) example {
		return example{name: name, args: tensors{integers(1, dims...)}, float32: true, reference: nil,
			f: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.Resize(v, a, scales...) })}
	}
	two := []int64{2, 2}
	squaredMax := func(a op.PoolAttrs) function {
		return unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { y := b.MaxPool(v, a); return b.Mul(y, y) })
	}
	power := func(name string, p float64, a op.PoolAttrs) example {
		x := scaled(3, 0.5, 1.5, 2, 2, 6, 4)
		return example{name: name, args: tensors{x}, float32: true, f: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			attrs := []onnx.Attr{onnx.Int("p", int64(p)), onnx.Ints("kernel_shape", a.Kernel...)}
			if a.Strides != nil {
				attrs = append(attrs, onnx.Ints("strides", a.Strides...))
			}
			if a.Pads != nil {
				attrs = append(attrs, onnx.Ints("pads", a.Pads...))
			}
			return b.Node("LpPool", values{v}, 1, attrs...)[0]
		}), reference: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			k := onnx.NewTensor(onnx.Double, append([]int64{1, 1}, a.Kernel...)...)
			for i := range onnx.View[float64](k) {
				onnx.View[float64](k)[i] = 1
			}
			sum := convReference(b, b.Pow(b.Reshape(v, 4, 1, 6, 4), b.Scalar(v, p)), b.Const(k), nil, op.ConvAttrs{Strides: a.Strides, Pads: a.Pads})
			y := b.Pow(sum, b.Scalar(v, 1/p))
			if b.Err() != nil {
				return nil
			}
			d, _ := y.Type.Shape.Sizes()
			return b.Reshape(y, 2, 2, d[2], d[3])
		})}
	}
	for _, e := range []example{
		pool("average 3x2", random(1, 1, 2, 6, 6), op.PoolAttrs{Kernel: []int64{3, 2}, Strides: []int64{3, 2}}),
		pool("average with a rest", random(1, 1, 2, 7, 5), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}),
		pool("average overlapping", random(1, 2, 2, 6, 7), op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}}),
		pool("average with the padding", random(1, 2, 2, 6, 7), op.PoolAttrs{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}, CountIncludePad: true}),
		pool("average 1-D", random(1, 2, 2, 9), op.PoolAttrs{Kernel: []int64{4}, Strides: []int64{3}}),
		maxPool("max", spaced(1, 1, 2, 4, 6), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}),
		maxPool("max overlapping", spaced(1, 2, 2, 5, 6), op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 1}, Pads: []int64{1, 1, 1, 1}}),
		{name: "max, tiles", args: tensors{spaced(1, 2, 2, 4, 6)}, float32: true, f: squaredMax(op.PoolAttrs{Kernel: two, Strides: two}),
			reference: squaredMax(op.PoolAttrs{Kernel: two, Strides: two})},
		{name: "max, a rest", args: tensors{spaced(1, 2, 2, 5, 7)}, float32: true, f: squaredMax(op.PoolAttrs{Kernel: two, Strides: []int64{2, 3}}),
			reference: squaredMax(op.PoolAttrs{Kernel: two, Strides: []int64{2, 3}})},
		power("power 2", 2, op.PoolAttrs{Kernel: []int64{3, 2}, Strides: []int64{2, 1}, Pads: []int64{1, 0, 1, 1}}),
		power("power 3", 3, op.PoolAttrs{Kernel: two, Strides: two}),
		power("power 1", 1, op.PoolAttrs{Kernel: two}),
		{name: "global max", args: tensors{spaced(1, 2, 3, 4, 5)}, float32: true, reference: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			y := b.ReduceMax(v, true, 2, 3)
			return b.Mul(y, y)
		}), f: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			y := b.Node("GlobalMaxPool", values{v}, 1)[0]
			return b.Mul(y, y)
		})},
		{name: "global power", args: tensors{scaled(1, 0.5, 1.5, 2, 3, 4, 5)}, float32: true, reference: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			return b.Pow(b.ReduceSum(b.Pow(v, b.Scalar(v, 3)), true, 2, 3), b.Scalar(v, 1.0/3))
		}), f: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
			return b.Node("GlobalLpPool", values{v}, 1, onnx.Int("p", 3))[0]
		})},
		{name: "global average", args: tensors{random(1, 2, 3, 4, 5)}, float32: true, f: unary((*op.Builder).GlobalAveragePool),
			reference: unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.ReduceMean(v, true, 2, 3) })},
	} {
		t.Run(e.name, e.run)
	}
	for i, e := range []example{
		up("linear", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "linear", Coordinates: "half_pixel"}, 1, 1, 2, 2),
		up("linear to less", []int64{1, 1, 6, 4}, op.ResizeAttrs{Mode: "linear", Coordinates: "half_pixel"}, 1, 1, 0.5, 0.75),
		up("linear corners", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "linear", Coordinates: "align_corners"}, 1, 1, 3, 2),
		up("linear asymmetric", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "linear", Coordinates: "asymmetric"}, 1, 1, 2, 1.5),
		up("nearest 3x2", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, 1, 1, 3, 2),
		up("nearest half pixel", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "nearest"}, 1, 1, 2, 2),
		up("nearest by a half", []int64{1, 2, 3, 4}, op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, 1, 1, 1.5, 2.5),
		up("nearest to less", []int64{1, 2, 6, 4}, op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, 1, 1, 0.5, 0.5),
	} {
		t.Run(fmt.Sprintf("resize %s", e.name), func(t *testing.T) { e.linear(t, uint64(i)) })
	}
}

func TestNormalization(t *testing.T) {
	x, c := random(1, 2, 3, 4, 5), func(seed uint64) *onnx.Tensor { return scaled(seed, 0.5, 1.5, 3) }
	for _, e := range []example{
		{name: "batch", args: tensors{x, c(2), c(3), c(4), c(5)}, f: func(b *op.Builder, v values) *onnx.Value {
			return b.BatchNormalization(v[0], v[1], v[2], v[3], v[4], 1e-5)
		}, float32: true, reference: func(b *op.Builder, v values) *onnx.Value {
			col := func(v *onnx.Value) *onnx.Value { return b.Reshape(v, 1, -1, 1, 1) }
			std := b.Sqrt(b.Add(col(v[4]), b.Scalar(v[0], 1e-5)))
			return b.Add(b.Mul(b.Div(b.Sub(v[0], col(v[3])), std), col(v[1])), col(v[2]))
		}},
	} {
		t.Run(e.name, e.run)
	}
}

// linear checks the gradient of a linear function: <f(x), r> = <x, gradient> for every x.
func (e example) linear(t *testing.T, seed uint64) {
	d := onnx.Float
	p := compile(t, d, e.args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		y := projected(b, e.f(b, x), seed)
		if b.Err() != nil {
			return nil, b.Err()
		}
		dx, err := autodiff.Gradients(b.Graph(), y, x)
		return append(dx, y), err
	})
	for trial := range uint64(3) {
		x := random(50+trial, e.args[0].Dims...)
		out := p.run(t, tensors{x})
		sum, y := 0.0, onnx.View[float64](out[1])[0]
		for i, v := range onnx.View[float64](x) {
			sum += v * onnx.View[float64](out[0])[i]
		}
		if diff := sum - y; diff > 1e-5 || diff < -1e-5 {
			t.Errorf("<x, gradient> is %v, f(x) is %v", sum, y)
		}
	}
}

// TestPoolSymbolic: the batch may stay unknown, and spatial sizes where windows do not depend on them.
func TestPoolSymbolic(t *testing.T) {
	two, three := []int64{2, 2}, []int64{3, 3}
	sizes := map[string]int64{"batch": 2, "height": 6, "width": 4}
	batch, all := []any{"batch", 3, 6, 4}, []any{"batch", 3, "height", "width"}
	node := func(name string, attrs ...onnx.Attr) function {
		return unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.Node(name, values{v}, 1, attrs...)[0] })
	}
	average := func(a op.PoolAttrs) function {
		return unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.AveragePool(v, a) })
	}
	maximum := func(a op.PoolAttrs) function {
		return unary(func(b *op.Builder, v *onnx.Value) *onnx.Value { return b.MaxPool(v, a) })
	}
	for _, c := range []struct {
		name string
		x    []any
		f    function
	}{
		{"average, tiles", batch, average(op.PoolAttrs{Kernel: two, Strides: two})},
		{"average, overlapping", batch, average(op.PoolAttrs{Kernel: three, Strides: two, Pads: []int64{1, 1, 1, 1}})},
		{"average, sizes unknown", all, average(op.PoolAttrs{Kernel: three, Pads: []int64{1, 1, 1, 1}, CountIncludePad: true})},
		{"max, tiles", batch, maximum(op.PoolAttrs{Kernel: two, Strides: two})},
		{"max, a rest", batch, maximum(op.PoolAttrs{Kernel: three, Strides: three})},
		{"max, overlapping", batch, maximum(op.PoolAttrs{Kernel: three, Strides: two})},
		{"max, sizes unknown", all, maximum(op.PoolAttrs{Kernel: three, Strides: three})},
		{"max, overlapping, sizes unknown", all, maximum(op.PoolAttrs{Kernel: three, Strides: two})},
		{"global max", all, node("GlobalMaxPool")},
		{"global average", all, node("GlobalAveragePool")},
		{"global power", all, node("GlobalLpPool")},
		{"power", batch, node("LpPool", onnx.Ints("kernel_shape", 2, 3))},
	} {
		t.Run(c.name, func(t *testing.T) { compareSymbolic(t, sizes, [][]any{c.x}, c.f) })
	}
}

// TestMaxUnpool: the gradient picks what the indices name.
func TestMaxUnpool(t *testing.T) {
	e := example{name: "unpool", args: tensors{random(1, 2, 2, 2, 3)}, float32: true}
	at := onnx.NewTensor(onnx.Int64, 2, 2, 2, 3)
	for i := range at.Int64s() {
		at.Int64s()[i] = int64(4*i + i%3)
	}
	e.f = unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
		y := b.MaxUnpool(v, b.Const(at), nil, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
		return b.Mul(y, y)
	})
	e.reference = unary(func(b *op.Builder, v *onnx.Value) *onnx.Value {
		flat := b.ScatterElements(b.Const(onnx.NewTensor(onnx.Double, 96)), b.Reshape(b.Const(at), -1), b.Reshape(v, -1), 0, "none")
		y := b.Reshape(flat, 2, 2, 4, 6)
		return b.Mul(y, y)
	})
	e.run(t)
}
