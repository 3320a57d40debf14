package autodiff_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// convCases are geometries of Conv: sizes of x [N,C,...], w [O,C/g,...] and attributes.
var convCases = []struct {
	name string
	x, w []int64
	a    op.ConvAttrs
}{
	{"5x5", []int64{1, 3, 9, 8}, []int64{4, 3, 5, 5}, op.ConvAttrs{}},
	{"3x3 batch", []int64{3, 2, 5, 6}, []int64{4, 2, 3, 3}, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}}},
	{"1x1", []int64{1, 5, 3, 4}, []int64{2, 5, 1, 1}, op.ConvAttrs{}},
	{"1x1 batch", []int64{2, 5, 3, 4}, []int64{2, 5, 1, 1}, op.ConvAttrs{}},
	{"1x1 stride", []int64{1, 2, 5, 4}, []int64{3, 2, 1, 1}, op.ConvAttrs{Strides: []int64{2, 2}}},
	{"1x3", []int64{1, 2, 4, 6}, []int64{3, 2, 1, 3}, op.ConvAttrs{Pads: []int64{0, 2, 0, 0}}},
	{"3x1", []int64{1, 2, 4, 6}, []int64{3, 2, 3, 1}, op.ConvAttrs{}},
	{"dilated", []int64{1, 2, 8, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Dilations: []int64{2, 3}, Pads: []int64{1, 0, 2, 3}}},
	{"stride", []int64{1, 2, 8, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 3}, Pads: []int64{1, 1, 1, 1}}},
	{"stride with a rest", []int64{2, 2, 8, 10}, []int64{3, 2, 3, 2}, op.ConvAttrs{Strides: []int64{3, 3}}},
	{"stride and dilation", []int64{1, 2, 9, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 2}, Dilations: []int64{2, 2}}},
	{"groups", []int64{2, 4, 5, 5}, []int64{6, 2, 3, 3}, op.ConvAttrs{Group: 2, Pads: []int64{1, 1, 1, 1}}},
	{"depthwise stride", []int64{1, 3, 7, 7}, []int64{3, 1, 3, 3}, op.ConvAttrs{Group: 3, Strides: []int64{2, 2}}},
	{"pads beyond the kernel", []int64{1, 2, 3, 3}, []int64{2, 2, 2, 2}, op.ConvAttrs{Pads: []int64{3, 3, 2, 3}}},
	{"same upper", []int64{1, 2, 5, 6}, []int64{3, 2, 4, 3}, op.ConvAttrs{AutoPad: "SAME_UPPER", Strides: []int64{2, 2}}},
	{"same lower", []int64{1, 2, 5, 6}, []int64{3, 2, 4, 3}, op.ConvAttrs{AutoPad: "SAME_LOWER"}},
	{"blocks", []int64{2, 3, 9, 8}, []int64{4, 3, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{1, 2, 3, 1}}},
	{"blocks with a rest", []int64{1, 2, 10, 12}, []int64{3, 2, 3, 6}, op.ConvAttrs{Strides: []int64{3, 3}, Pads: []int64{0, 1, 1, 0}}},
	{"1-D", []int64{2, 3, 9}, []int64{4, 3, 3}, op.ConvAttrs{Dilations: []int64{2}, Pads: []int64{1, 2}}},
	{"1-D stride", []int64{2, 3, 9}, []int64{4, 3, 3}, op.ConvAttrs{Strides: []int64{2}}},
	{"large", []int64{1, 32, 60, 60}, []int64{1, 32, 5, 5}, op.ConvAttrs{Pads: []int64{1, 2, 3, 4}}}, // the flipped weight
	{"3-D", []int64{1, 2, 4, 5, 3}, []int64{3, 2, 3, 2, 2}, op.ConvAttrs{Pads: []int64{1, 0, 1, 0, 1, 0}}},
}

// TestConvExact compares the gradients of Conv with sums in float64, on whole numbers: exactly.
func TestConvExact(t *testing.T) {
	for i, c := range convCases {
		t.Run(c.name, func(t *testing.T) {
			var y *onnx.Value
			args := tensors{integers(uint64(3*i), c.x...), integers(uint64(3*i+1), c.w...), integers(uint64(3*i+2), c.w[0])}
			var dy *onnx.Tensor
			p := compile(t, onnx.Float, args, func(b *op.Builder, v []*onnx.Value) ([]*onnx.Value, error) {
				y = b.Conv(v[0], v[1], v[2], c.a)
				if b.Err() != nil {
					return nil, b.Err()
				}
				sizes, _ := y.Type.Shape.Sizes()
				dy = integers(77, sizes...)
				return autodiff.GradientsFrom(b.Graph(), values{y}, values{b.Const(convert(dy, onnx.Float))}, v)
			})
			dx, dw, db := convLoop(args[0], args[1], dy, c.a)
			for j, want := range []*onnx.Tensor{dx, dw, db} {
				got := p.run(t, args)[j]
				for k, v := range onnx.View[float64](want) {
					if g := onnx.View[float64](got)[k]; g != v {
						t.Fatalf("gradient %d, element %d: %v, want %v", j, k, g, v)
					}
				}
			}
		})
	}
}

// convLoop is the definition, written out.
func convLoop(x, w, dy *onnx.Tensor, a op.ConvAttrs) (dx, dw, db *onnx.Tensor) {
	spatial := len(x.Dims) - 2
	or := func(v []int64, i int, def int64) int64 {
		if len(v) == 0 {
			return def
		}
		return v[i]
	}
	begin := func(i int) int64 {
		if a.AutoPad == "" {
			return or(a.Pads, i, 0)
		}
		total := max(0, (dy.Dims[i+2]-1)*or(a.Strides, i, 1)+w.Dims[i+2]-x.Dims[i+2])
		if a.AutoPad == "SAME_UPPER" {
			return total / 2
		}
		return total - total/2
	}
	dx, dw, db = onnx.NewTensor(onnx.Double, x.Dims...), onnx.NewTensor(onnx.Double, w.Dims...), onnx.NewTensor(onnx.Double, w.Dims[0])
	group := max(a.Group, 1)
	size := func(d []int64) (n int64) {
		n = 1
		for _, s := range d {
			n *= s
		}
		return n
	}
	per := w.Dims[1]
	for n := range x.Dims[0] {
		for o := range w.Dims[0] {
			for p := range size(dy.Dims[2:]) {
				d := onnx.View[float64](dy)[(n*w.Dims[0]+o)*size(dy.Dims[2:])+p]
				onnx.View[float64](db)[o] += d
				for c := range per {
					for k := range size(w.Dims[2:]) {
						at, stride, inside := int64(0), int64(1), true
						pp, kk := p, k
						for i := spatial - 1; i >= 0; i-- {
							e := pp%dy.Dims[i+2]*or(a.Strides, i, 1) + kk%w.Dims[i+2]*or(a.Dilations, i, 1) - begin(i)
							inside = inside && e >= 0 && e < x.Dims[i+2]
							at += e * stride
							stride *= x.Dims[i+2]
							pp, kk = pp/dy.Dims[i+2], kk/w.Dims[i+2]
						}
						if !inside {
							continue
						}
						xi := (n*x.Dims[1]+o/(w.Dims[0]/group)*per+c)*size(x.Dims[2:]) + at
						wi := (o*per+c)*size(w.Dims[2:]) + k
						onnx.View[float64](dx)[xi] += d * onnx.View[float64](w)[wi]
						onnx.View[float64](dw)[wi] += d * onnx.View[float64](x)[xi]
					}
				}
			}
		}
	}
	return dx, dw, db
}

func TestConvOrders(t *testing.T) {
	for _, c := range convCases {
		if c.a.AutoPad != "" || c.name == "large" {
			continue // the reference knows no automatic padding, and takes long
		}
		e := convExample(c.name, random(1, c.x...), random(2, c.w...), c.a)
		t.Run(c.name, e.run)
	}
}

// ConvTranspose is the adjoint of Conv: <Conv(x, w), v> = <x, ConvTranspose(v, w)>, which gives a reference in operators
// with float64 kernels through the gradient of the convolution's reference.
func TestConvTranspose(t *testing.T) {
	for _, c := range []struct {
		name string
		x, w []int64
		a    op.ConvAttrs
		out  []int64
	}{
		{"stride 2", []int64{1, 3, 3, 4}, []int64{3, 2, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}}, nil},
		{"output padding", []int64{2, 3, 3, 4}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 3}, OutputPadding: []int64{1, 2}}, nil},
		{"blocks", []int64{2, 2, 3, 4}, []int64{2, 3, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{3, 1, 2, 3}}, nil},
		{"blocks with a rest", []int64{1, 2, 3, 2}, []int64{2, 3, 2, 4}, op.ConvAttrs{Strides: []int64{2, 2}, OutputPadding: []int64{1, 1}}, nil},
		{"dilated", []int64{1, 2, 3, 3}, []int64{2, 3, 2, 2}, op.ConvAttrs{Dilations: []int64{2, 2}}, nil},
		{"groups", []int64{1, 4, 3, 3}, []int64{4, 2, 3, 3}, op.ConvAttrs{Group: 2}, nil},
		{"1-D", []int64{2, 3, 5}, []int64{3, 2, 3}, op.ConvAttrs{Strides: []int64{2}}, nil},
	} {
		channels := c.w[1] * max(c.a.Group, 1)
		e := example{name: c.name, float32: true, args: tensors{random(1, c.x...), random(2, c.w...), random(3, channels)},
			f: func(b *op.Builder, v values) *onnx.Value { return b.ConvTranspose(v[0], v[1], v[2], c.a) },
			reference: func(b *op.Builder, v values) *onnx.Value {
				probe := b.ConvTranspose(b.Cast(v[0], onnx.Float), b.Cast(v[1], onnx.Float), nil, c.a)
				if b.Err() != nil {
					return nil
				}
				sizes, _ := probe.Type.Shape.Sizes()
				zeros := b.Const(onnx.NewTensor(onnx.Double, sizes...))
				a := c.a
				a.OutputPadding = nil
				d, err := autodiff.GradientsFrom(b.Graph(), values{convReference(b, zeros, v[1], nil, a)}, values{v[0]}, values{zeros})
				if err != nil {
					b.Fail("%w", err)
					return nil
				}
				col := []int64{1, -1}
				for range len(c.x) - 2 {
					col = append(col, 1)
				}
				return b.Add(d[0], b.Reshape(v[2], col...))
			}}
		t.Run(c.name, e.run)
	}
}

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
	for _, e := range []example{
		pool("average 3x2", random(1, 1, 2, 6, 6), op.PoolAttrs{Kernel: []int64{3, 2}, Strides: []int64{3, 2}}),
		pool("average with a rest", random(1, 1, 2, 7, 5), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}),
		pool("average overlapping", random(1, 2, 2, 6, 7), op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}}),
		pool("average with the padding", random(1, 2, 2, 6, 7), op.PoolAttrs{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}, CountIncludePad: true}),
		pool("average 1-D", random(1, 2, 2, 9), op.PoolAttrs{Kernel: []int64{4}, Strides: []int64{3}}),
		maxPool("max", spaced(1, 1, 2, 4, 6), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}),
		maxPool("max overlapping", spaced(1, 2, 2, 5, 6), op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 1}, Pads: []int64{1, 1, 1, 1}}),
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
