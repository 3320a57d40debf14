package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

const normEpsilon = 0.01

// normalized is (x-m)/sqrt(variance + epsilon) over axes, with the mean and 1/sqrt(variance + epsilon).
func (m maths) normalized(x *onnx.Value, axes ...int64) (h, mean, r *onnx.Value) {
	mean = m.ReduceMean(x, true, axes...)
	centred := m.Sub(x, mean)
	r = m.Reciprocal(m.Sqrt(m.plus(m.ReduceMean(m.Mul(centred, centred), true, axes...), normEpsilon)))
	return m.Mul(centred, r), mean, r
}

// affine is scale h + bias by channel.
func (m maths) affine(h, scale, bias *onnx.Value) *onnx.Value {
	column := []int64{-1}
	for range len(h.Type.Shape) - 2 {
		column = append(column, 1)
	}
	return m.Add(m.Mul(h, m.Reshape(scale, column...)), m.Reshape(bias, column...))
}

// joined flattens several outputs into one value, each with its own curvature.
func joined(b *op.Builder, outs ...*onnx.Value) *onnx.Value {
	var parts []*onnx.Value
	for i, o := range outs {
		parts = append(parts, b.Reshape(b.Mul(b.Exp(b.Mul(o, b.Scalar(o, 0.3))), b.Scalar(o, float64(i+1))), -1))
	}
	return b.Concat(0, parts...)
}

// all makes a function of the first outputs of an operator.
func all(name string, outs int, attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		made := outs
		if name == "BatchNormalization" && len(attrs) > 0 {
			made = 3
			// ONNX Runtime writes running statistics over the memory of the old ones, also when it was fed.
			v = append(append(values{}, v[:3]...), b.Abs(v[3]), b.Abs(v[4]))
		}
		list := b.Node(name, v, made, append(attrs, onnx.Float32("epsilon", normEpsilon))...)[:outs]
		for i, o := range list {
			list[i] = b.Cast(o, v[0].Type.DType)
		}
		return joined(b, list...)
	}
}

func TestNorms(t *testing.T) {
	axis := func(a int64) onnx.Attr { return onnx.Int("axis", a) }
	layer := func(name string, outs int, first int64, x, scale, bias *onnx.Tensor) example {
		args := tensors{x, scale}
		if bias != nil {
			args = append(args, bias)
		}
		var axes []int64
		for a := first; a < int64(len(x.Dims)); a++ {
			axes = append(axes, a)
		}
		return example{name: "LayerNormalization " + name, args: args, f: all("LayerNormalization", outs, axis(first)), tolerance: tolerance(outs),
			reference: func(b *op.Builder, v values) *onnx.Value {
				h, mean, r := maths{b}.normalized(v[0], axes...)
				y := b.Mul(h, v[1])
				if bias != nil {
					y = b.Add(y, v[2])
				}
				return joined(b, values{y, mean, r}[:outs]...)
			}}
	}
	rms := func(name string, first int64, x, scale *onnx.Tensor, axes ...int64) example {
		return example{name: "RMSNormalization " + name, args: tensors{x, scale}, f: all("RMSNormalization", 1, axis(first)),
			reference: func(b *op.Builder, v values) *onnx.Value {
				m := maths{b}
				r := m.Reciprocal(m.Sqrt(m.plus(m.ReduceMean(m.Mul(v[0], v[0]), true, axes...), normEpsilon)))
				return joined(b, m.Mul(m.Mul(v[0], r), v[1]))
			}}
	}
	group := func(name string, groups int64, float32 bool, dims ...int64) example {
		return example{name: "GroupNormalization " + name, args: tensors{random(1, dims...), random(2, dims[1]), random(3, dims[1])}, float32: float32,
			f: all("GroupNormalization", 1, onnx.Int("num_groups", groups)),
			reference: func(b *op.Builder, v values) *onnx.Value {
				h, _, _ := maths{b}.normalized(b.Reshape(v[0], 0, groups, -1), 2)
				return joined(b, maths{b}.affine(b.ReshapeTo(h, b.Shape(v[0])), v[1], v[2]))
			}}
	}
	batch := func(name string, outs int, dims ...int64) example {
		channels := func(seed uint64) *onnx.Tensor { return scaled(seed, 0.5, 1.5, dims[1]) }
		axes := []int64{0}
		for a := 2; a < len(dims); a++ {
			axes = append(axes, int64(a))
		}
		return example{name: "BatchNormalization " + name, args: tensors{random(1, dims...), channels(2), channels(3), channels(4), channels(5)},
			f: all("BatchNormalization", outs, onnx.Int("training_mode", 1), onnx.Float32("momentum", 0.75)),
			reference: func(b *op.Builder, v values) *onnx.Value {
				m := maths{b}
				h, mean, r := m.normalized(v[0], axes...)
				variance := m.plus(m.Reciprocal(m.Mul(r, r)), -normEpsilon)
				moved := func(old, seen *onnx.Value) *onnx.Value {
					return m.Add(m.times(old, 0.75), m.times(m.Reshape(seen, -1), 0.25))
				}
				return joined(b, values{m.affine(h, v[1], v[2]), moved(v[3], mean), moved(v[4], variance)}[:outs]...)
			}}
	}
	for _, e := range []example{
		layer("last", 1, 2, random(1, 2, 3, 4), random(2, 4), random(3, 4)),
		layer("without bias", 1, 1, random(1, 3, 4), random(2, 4), nil),
		layer("two axes", 1, 1, random(1, 2, 3, 4), random(2, 3, 4), random(3, 4)),
		layer("all axes", 1, 0, random(1, 3, 4), random(2, 1, 4), random(3, 3, 1)),
		layer("statistics", 3, 1, random(1, 3, 4), random(2, 4), random(3, 4)),
		rms("last", -1, random(1, 2, 3, 4), random(2, 4), 2),
		rms("two axes", 1, random(1, 2, 3, 4), random(2, 4), 1, 2),
		group("images", 2, false, 2, 4, 3, 2),
		group("one group", 1, false, 2, 3, 4),
		group("vectors", 3, false, 2, 6),
		group("kernel", 2, true, 2, 4, 3, 2),
		batch("training", 1, 3, 2, 2, 2),
		batch("training vectors", 1, 5, 3),
		batch("training statistics", 3, 3, 2, 4),
		{name: "BatchNormalization", args: tensors{random(1, 2, 3, 4), random(2, 3), random(3, 3), random(4, 3), scaled(5, 0.5, 1.5, 3)},
			f: all("BatchNormalization", 1)},
		{name: "InstanceNormalization", args: tensors{random(1, 2, 3, 4, 2), random(2, 3), random(3, 3)}, float32: true, f: all("InstanceNormalization", 1),
			reference: func(b *op.Builder, v values) *onnx.Value {
				h, _, _ := maths{b}.normalized(v[0], 2, 3)
				return joined(b, maths{b}.affine(h, v[1], v[2]))
			}},
		of1("LpNormalization", random(1, 2, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(node("LpNormalization")(b, values{x}))
		}),
		of1("LpNormalization 1", spaced(1, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(node("LpNormalization", onnx.Int("p", 1), axis(0))(b, values{x}))
		}),
		lrn("odd", 3, 2, 5, 2, 3), lrn("even", 4, 1, 6, 2), lrn("one", 1, 2, 3, 2, 2), lrn("wider than the channels", 7, 2, 3, 2, 2),
		{name: "MeanVarianceNormalization", args: tensors{random(1, 2, 3, 2, 2)}, float32: true, f: meanVariance(), reference: unary(meanVarianceReference(0, 2, 3))},
		{name: "MeanVarianceNormalization axes", args: tensors{random(1, 2, 3, 4)}, float32: true, f: meanVariance(onnx.Ints("axes", 1, 2)), reference: unary(meanVarianceReference(1, 2))},
	} {
		t.Run(e.name, e.run)
	}
}

// tolerance: statistics are float32 whatever the input is.
func tolerance(outs int) float64 {
	if outs > 1 {
		return 2e-5
	}
	return 0
}

func lrn(name string, size int64, dims ...int64) example {
	attrs := []onnx.Attr{onnx.Int("size", size), onnx.Float32("alpha", 0.5), onnx.Float32("beta", 0.75), onnx.Float32("bias", 1.5)}
	return example{name: "LRN " + name, args: tensors{random(1, dims...)}, float32: true, f: node("LRN", attrs...),
		reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			channels := dims[1]
			band := onnx.NewTensor(onnx.Double, channels, channels)
			for c := range channels {
				for i := max(0, c-(size-1)/2); i <= min(channels-1, c+size/2); i++ {
					onnx.View[float64](band)[c*channels+i] = 1
				}
			}
			flat := b.Reshape(b.Mul(x, x), 0, 0, -1)
			sum := b.ReshapeTo(b.MatMul(b.Const(band), flat), b.Shape(x))
			return b.Div(x, b.Pow(maths{b}.plus(maths{b}.times(sum, 0.5/float64(size)), 1.5), b.Scalar(x, 0.75)))
		})}
}

func meanVariance(attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		return b.Exp(node("MeanVarianceNormalization", attrs...)(b, v))
	}
}

func meanVarianceReference(axes ...int64) func(b *op.Builder, x *onnx.Value) *onnx.Value {
	return func(b *op.Builder, x *onnx.Value) *onnx.Value {
		centred := b.Sub(x, b.ReduceMean(x, true, axes...))
		return b.Exp(b.Div(centred, maths{b}.plus(b.Sqrt(b.ReduceMean(b.Mul(centred, centred), true, axes...)), 1e-9)))
	}
}

// TestZeroRows: LpNormalization gives zeros for zeros, and so does its gradient.
func TestZeroRows(t *testing.T) {
	for p := range int64(2) {
		got := slopes(t, node("LpNormalization", onnx.Int("p", p+1)), onnx.FromSlice([]float64{0, 0, 3, -4}, 2, 2))[0]
		for i, v := range got {
			if math.IsNaN(v) || i < 2 && v != 0 {
				t.Errorf("p = %d: gradient %v", p+1, got)
				break
			}
		}
	}
}

// TestSymbolicNorms builds gradients with sizes that are not known, runs them, and holds them to those of the same sizes known.
func TestSymbolicNorms(t *testing.T) {
	attr := func(a ...onnx.Attr) []onnx.Attr { return a }
	sizes := map[string]int64{"N": 3, "S": 5, "H": 2, "W": 4}
	for _, c := range []struct {
		op    string
		attrs []onnx.Attr
		in    [][]any
	}{
		{"BatchNormalization", attr(onnx.Int("training_mode", 1)), [][]any{{"N", 4, "H", "W"}, {4}, {4}, {4}, {4}}},
		{"BatchNormalization", nil, [][]any{{"N", 4, "H", "W"}, {4}, {4}, {4}, {4}}},
		{"InstanceNormalization", nil, [][]any{{"N", 4, "H", "W"}, {4}, {4}}},
		{"GroupNormalization", attr(onnx.Int("num_groups", 2)), [][]any{{"N", 4, "H", "W"}, {4}, {4}}},
		{"GroupNormalization", attr(onnx.Int("num_groups", 2)), [][]any{{"N", 4, 2, 3}, {4}, {4}}},
		{"LayerNormalization", nil, [][]any{{"N", "S", 4}, {4}, {4}}},
		{"LayerNormalization", attr(onnx.Int("axis", 1)), [][]any{{"N", "S", 4}, {4}}},
		{"RMSNormalization", nil, [][]any{{"N", "S", 4}, {4}}},
		{"LpNormalization", attr(onnx.Int("axis", 1)), [][]any{{"N", "S", 4}}},
		{"LRN", attr(onnx.Int("size", 3)), [][]any{{"N", 4, "H", "W"}}},
		{"LRN", attr(onnx.Int("size", 3)), [][]any{{"N", "S", "H", "W"}}},
		{"MeanVarianceNormalization", nil, [][]any{{"N", "S", "H", "W"}}},
		{"PRelu", nil, [][]any{{"N", 4, "H", "W"}, {4, 1, 1}}},
		{"Max", nil, [][]any{{"N", 4, "H"}, {4, 1}}},
		{"Pow", nil, [][]any{{"N", 4}, {4}}},
	} {
		t.Run(fmt.Sprint(c.op, c.in), func(t *testing.T) {
			compareSymbolic(t, sizes, c.in, func(b *op.Builder, xs values) *onnx.Value {
				outs := 1
				if c.op == "BatchNormalization" && c.attrs != nil {
					outs = 3
				}
				return b.Node(c.op, xs, outs, c.attrs...)[0]
			})
		})
	}
}
