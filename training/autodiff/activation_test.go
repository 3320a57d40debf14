package autodiff_test

import (
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// node builds an operator of one output that the builder has no method for.
func node(name string, attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value { return b.Node(name, v, 1, attrs...)[0] }
}

// formula writes f(x) in operators that have float64 kernels.
type formula func(m maths, x *onnx.Value) *onnx.Value

// maths is shorter arithmetic with constants.
type maths struct{ *op.Builder }

func (m maths) plus(x *onnx.Value, c float64) *onnx.Value  { return m.Add(x, m.Scalar(x, c)) }
func (m maths) times(x *onnx.Value, c float64) *onnx.Value { return m.Mul(x, m.Scalar(x, c)) }
func (m maths) above(x *onnx.Value, c float64) *onnx.Value { return m.Greater(x, m.Scalar(x, c)) }

// softplus is log(1+exp x).
func (m maths) softplus(x *onnx.Value) *onnx.Value { return m.Log(m.plus(m.Exp(x), 1)) }

// sigmoid is 1/(1+exp(-x)), written so that ONNX Runtime fuses nothing into kernels without float64.
func (m maths) sigmoid(x *onnx.Value) *onnx.Value { return m.Reciprocal(m.plus(m.Exp(m.Neg(x)), 1)) }

// normal is the distribution function of the normal law for |x| <= sqrt 2.
func (m maths) normal(x *onnx.Value) *onnx.Value {
	return m.plus(m.times(erfReference(m.Builder, values{m.times(x, math.Sqrt2/2)}), 0.5), 0.5)
}

// TestFloat32Functions checks functions of one argument whose kernels know float32 only.
func TestFloat32Functions(t *testing.T) {
	inside, beyond, kinks := scaled(1, -0.6, 0.6, 2, 3), scaled(2, 1.2, 3, 2, 3), spaced(1, 3, 4)
	wide := scaled(4, -1.4, 1.4, 3, 4)
	arcsin := series(1, func(n int) float64 { return float64((2*n+1)*(2*n+1)) / float64((2*n+2)*(2*n+3)) })
	arctan := series(1, func(n int) float64 { return -float64(2*n+1) / float64(2*n+3) })
	unit := func(right, left, width float64) formula {
		return func(m maths, x *onnx.Value) *onnx.Value {
			return m.Where(m.above(x, 0), m.times(x, right), m.times(m.plus(m.Exp(m.times(x, 1/width)), -1), right*left))
		}
	}
	alpha := func(v float32) onnx.Attr { return onnx.Float32("alpha", v) }
	for _, c := range []struct {
		name  string
		op    string
		attrs []onnx.Attr
		x     *onnx.Tensor
		f     formula
	}{
		{"Tan", "Tan", nil, inside, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Div(sine(m.Builder, values{x}), cosine(m.Builder, values{x}))
		}},
		{"Asin", "Asin", nil, inside, func(m maths, x *onnx.Value) *onnx.Value { return arcsin(m.Builder, values{x}) }},
		{"Acos", "Acos", nil, inside, func(m maths, x *onnx.Value) *onnx.Value {
			return m.plus(m.Neg(arcsin(m.Builder, values{x})), math.Pi/2)
		}},
		{"Atan", "Atan", nil, inside, func(m maths, x *onnx.Value) *onnx.Value { return arctan(m.Builder, values{x}) }},
		{"Sinh", "Sinh", nil, wide, func(m maths, x *onnx.Value) *onnx.Value {
			return m.times(m.Sub(m.Exp(x), m.Exp(m.Neg(x))), 0.5)
		}},
		{"Cosh", "Cosh", nil, wide, func(m maths, x *onnx.Value) *onnx.Value {
			return m.times(m.Add(m.Exp(x), m.Exp(m.Neg(x))), 0.5)
		}},
		{"Asinh", "Asinh", nil, wide, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Log(m.Add(x, m.Sqrt(m.plus(m.Mul(x, x), 1))))
		}},
		{"Acosh", "Acosh", nil, beyond, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Log(m.Add(x, m.Sqrt(m.plus(m.Mul(x, x), -1))))
		}},
		{"Atanh", "Atanh", nil, inside, func(m maths, x *onnx.Value) *onnx.Value {
			return m.times(m.Log(m.Div(m.plus(x, 1), m.plus(m.Neg(x), 1))), 0.5)
		}},
		{"Elu", "Elu", nil, kinks, unit(1, 1, 1)},
		{"Elu alpha", "Elu", []onnx.Attr{alpha(0.5)}, kinks, unit(1, 0.5, 1)},
		{"Elu negative", "Elu", []onnx.Attr{alpha(-0.5)}, kinks, unit(1, -0.5, 1)},
		{"Celu", "Celu", nil, kinks, unit(1, 1, 1)},
		{"Celu alpha", "Celu", []onnx.Attr{alpha(2)}, kinks, unit(1, 2, 2)},
		{"Selu", "Selu", nil, kinks, unit(1.0507009873554805, 1.6732632423543772, 1)},
		{"Selu gamma", "Selu", []onnx.Attr{alpha(2), onnx.Float32("gamma", 3)}, kinks, unit(3, 2, 1)},
		{"Softplus", "Softplus", nil, wide, maths.softplus},
		{"Softsign", "Softsign", nil, kinks, func(m maths, x *onnx.Value) *onnx.Value { return m.Div(x, m.plus(m.Abs(x), 1)) }},
		{"Mish", "Mish", nil, wide, func(m maths, x *onnx.Value) *onnx.Value { return m.Mul(x, m.Tanh(m.softplus(x))) }},
		{"Gelu", "Gelu", nil, wide, func(m maths, x *onnx.Value) *onnx.Value { return m.Mul(x, m.normal(x)) }},
		{"Gelu tanh", "Gelu", []onnx.Attr{onnx.Str("approximate", "tanh")}, wide, func(m maths, x *onnx.Value) *onnx.Value {
			u := m.times(m.Add(x, m.times(m.Mul(x, m.Mul(x, x)), 0.044715)), math.Sqrt(2/math.Pi))
			return m.Mul(m.times(x, 0.5), m.plus(m.Tanh(u), 1))
		}},
		{"HardSigmoid", "HardSigmoid", []onnx.Attr{alpha(0.5), onnx.Float32("beta", 0.25)}, kinks, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Clip(m.plus(m.times(x, 0.5), 0.25), m.Scalar(x, 0), m.Scalar(x, 1))
		}},
		{"HardSwish", "HardSwish", nil, spaced(1, 20), func(m maths, x *onnx.Value) *onnx.Value {
			return m.Mul(x, m.Clip(m.plus(m.times(x, 1.0/6), 0.5), m.Scalar(x, 0), m.Scalar(x, 1)))
		}},
		{"ThresholdedRelu", "ThresholdedRelu", []onnx.Attr{alpha(0.5)}, kinks, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Where(m.above(x, 0.5), x, m.Scalar(x, 0))
		}},
		{"LeakyRelu", "LeakyRelu", []onnx.Attr{alpha(0.2)}, kinks, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Where(m.above(x, 0), x, m.times(x, 0.2))
		}},
		{"LeakyRelu negative", "LeakyRelu", []onnx.Attr{alpha(-0.5)}, kinks, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Where(m.above(x, 0), x, m.times(x, -0.5))
		}},
		{"LeakyRelu steep", "LeakyRelu", []onnx.Attr{alpha(1.5)}, kinks, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Where(m.above(x, 0), x, m.times(x, 1.5))
		}},
		{"Swish", "Swish", nil, wide, func(m maths, x *onnx.Value) *onnx.Value { return m.Mul(x, m.sigmoid(x)) }},
		{"Swish alpha", "Swish", []onnx.Attr{alpha(2)}, wide, func(m maths, x *onnx.Value) *onnx.Value {
			return m.Mul(x, m.sigmoid(m.times(x, 2)))
		}},
	} {
		e := example{name: c.name, args: tensors{c.x}, float32: true, f: node(c.op, c.attrs...), reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return c.f(maths{b}, x)
		})}
		t.Run(c.name, e.run)
	}
}

// TestActivationsOfTwo checks activations with a parameter or a gate, and those whose kernels know float64.
func TestActivationsOfTwo(t *testing.T) {
	prelu := func(name string, x, slope *onnx.Tensor) example {
		return example{name: name, args: tensors{x, slope}, float32: true, f: node("PRelu"), reference: func(b *op.Builder, v values) *onnx.Value {
			return b.Where(maths{b}.above(v[0], 0), v[0], b.Mul(v[0], v[1]))
		}}
	}
	shrink := func(name string, lambd, bias float64) example { // the kernel rounds float64 to float32
		f := node("Shrink", onnx.Float32("lambd", float32(lambd)), onnx.Float32("bias", float32(bias)))
		return example{name: name, args: tensors{spaced(1, 3, 2)}, float32: true,
			f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(f(b, v)) },
			reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
				m := maths{b}
				right := m.Where(m.above(x, lambd), m.plus(x, -bias), m.Scalar(x, 0))
				return b.Exp(m.Where(m.above(m.Neg(x), lambd), m.plus(x, bias), right))
			})}
	}
	for _, e := range []example{
		prelu("PRelu", spaced(1, 3, 4), random(2, 3, 4)),
		prelu("PRelu one slope", spaced(1, 3, 4), random(2, 1)),
		prelu("PRelu scalar", spaced(1, 3, 4), random(2)),
		prelu("PRelu by channel", spaced(1, 2, 3, 2, 2), random(2, 3, 1, 1)),
		shrink("Shrink", 0.7, 0.3),
		shrink("Shrink negative", -0.7, 0),
		{name: "SwiGLU", args: tensors{random(1, 2, 3), random(2, 2, 3)}, float32: true, f: node("SwiGLU", onnx.Float32("alpha", 1.5)), reference: func(b *op.Builder, v values) *onnx.Value {
			return b.Mul(b.Mul(v[0], maths{b}.sigmoid(maths{b}.times(v[0], 1.5))), v[1])
		}},
		of1("Dropout in inference", random(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(node("Dropout")(b, values{x}))
		}),
		of1("Softmax first axis", random(1, 3, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Softmax(x, 0) }),
		of1("Softmax -2", random(1, 2, 3, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Softmax(x, -2) }),
		of1("LogSoftmax first axis", random(1, 3, 2, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.LogSoftmax(x, 0) }),
		of1("Hardmax", spaced(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Mul(x, b.Cast(b.Cast(node("Hardmax")(b, values{b.Cast(x, onnx.Float)}), onnx.Int64), x.Type.DType))
		}),
	} {
		t.Run(e.name, e.run)
	}
}

// slopes gives the gradients of the sum of f in float32.
func slopes(t *testing.T, f function, args ...*onnx.Tensor) [][]float64 {
	t.Helper()
	p := compile(t, onnx.Float, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		y := b.ReduceSum(f(b, x), false)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return autodiff.Gradients(b.Graph(), y, x)
	})
	var out [][]float64
	for _, g := range p.run(t, args) {
		out = append(out, onnx.View[float64](g))
	}
	return out
}

// TestKinks holds the gradients where there is no derivative to those of PyTorch 2.15.
func TestKinks(t *testing.T) {
	at := func(v ...float64) *onnx.Tensor { return onnx.FromSlice(v) }
	inf := math.Inf(1)
	fmod := node("Mod", onnx.Int("fmod", 1))
	clip := func(b *op.Builder, v values) *onnx.Value { return b.Clip(v[0], b.Squeeze(v[1]), b.Squeeze(v[2])) }
	for _, c := range []struct {
		name string
		f    function
		args tensors
		want [][]float64
	}{
		{"Relu", node("Relu"), tensors{at(0)}, [][]float64{{0}}},
		{"LeakyRelu", node("LeakyRelu", onnx.Float32("alpha", 0.25)), tensors{at(0, 1, -1)}, [][]float64{{0.25, 1, 0.25}}},
		{"LeakyRelu negative", node("LeakyRelu", onnx.Float32("alpha", -0.5)), tensors{at(0, 1, -1)}, [][]float64{{-0.5, 1, -0.5}}},
		{"PRelu", node("PRelu"), tensors{at(0, 1, -1), at(0.25)}, [][]float64{{0.25, 1, 0.25}, {-1}}},
		{"Elu", node("Elu", onnx.Float32("alpha", 0.5)), tensors{at(0, 1)}, [][]float64{{0.5, 1}}},
		{"Celu", node("Celu", onnx.Float32("alpha", 0.5)), tensors{at(0, 1)}, [][]float64{{1, 1}}},
		{"Selu", node("Selu"), tensors{at(0)}, [][]float64{{1.7580993408473766}}},
		{"ThresholdedRelu", node("ThresholdedRelu"), tensors{at(1, 2, 0)}, [][]float64{{0, 1, 0}}},
		{"Shrink", node("Shrink"), tensors{at(0.5, -0.5, 1)}, [][]float64{{0, 0, 1}}},
		{"HardSwish", node("HardSwish"), tensors{at(-3, 3, -4, 4, 0)}, [][]float64{{0, 1, 0, 1, 0.5}}},
		{"HardSigmoid", node("HardSigmoid", onnx.Float32("alpha", 0.25), onnx.Float32("beta", 0.5)), tensors{at(-2, 2, 0)}, [][]float64{{0, 0, 0.25}}},
		{"Softsign", node("Softsign"), tensors{at(0)}, [][]float64{{1}}},
		{"Abs", node("Abs"), tensors{at(0)}, [][]float64{{0}}},
		{"Sqrt", node("Sqrt"), tensors{at(0)}, [][]float64{{inf}}},
		{"Max", node("Max"), tensors{at(1, 1), at(1, 2)}, [][]float64{{0.5, 0}, {0.5, 1}}},
		{"Min of three", node("Min"), tensors{at(1, 1), at(1, 2), at(1)}, [][]float64{{1.0 / 3, 0.5}, {1.0 / 3, 0}, {1.0/3 + 0.5}}},
		{"Max of one", node("Max"), tensors{at(1, 1)}, [][]float64{{1, 1}}},
		{"Clip", unary(func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Clip(x, b.Scalar(x, -1), b.Scalar(x, 1)) }),
			tensors{at(-1, 1, 0, 2)}, [][]float64{{0, 0, 1, 0}}},
		{"Clip by inputs", clip, tensors{at(-2, -1, 0, 1, 2), at(-1), at(1)}, [][]float64{{0, 0.5, 1, 0.5, 0}, {1.5}, {1.5}}},
		{"Clip crossed", clip, tensors{at(-2, -1, 0, 1, 2), at(1), at(-1)}, [][]float64{{0, 0, 0, 0, 0}, {0}, {5}}},
		{"Mod", fmod, tensors{at(5, -5, 5, -5, 6), at(3, 3, -3, -3, 3)}, [][]float64{{1, 1, 1, 1, 1}, {-1, 1, 1, -1, -2}}},
		{"Pow base", unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pow(x, b.Cast(b.Const(onnx.FromSlice([]float32{2, 0, -1, 1, 2, 0, 0})), onnx.Float))
		}), tensors{at(0, 0, 0, 0, -2, -2, 2)}, [][]float64{{0, 0, -inf, 1, -4, 0, 0}}},
		{"Pow", node("Pow"), tensors{at(0, 0, 0, 2), at(2, 0, 1, 0)}, [][]float64{{0, 0, 1, 0}, {0, 0, 0, math.Ln2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, got := range slopes(t, c.f, c.args...) {
				for j, want := range c.want[i] {
					if !(got[j] == want || math.Abs(got[j]-want) < 1e-6) {
						t.Errorf("gradient %d is %v, want %v", i, got, c.want[i])
						break
					}
				}
			}
		})
	}
}

// TestArithmetic checks bases below zero, exponents and divisors of other kinds, and inputs by ones and manies.
func TestArithmetic(t *testing.T) {
	constant := func(v ...int64) *onnx.Tensor { return onnx.FromSlice(v) }
	four := tensors{random(1, 2, 3), random(2, 3), random(3, 2, 1), random(4)}
	for _, e := range []example{
		of1("Pow of negatives", scaled(1, -2, -0.5, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pow(x, b.Scalar(x, 3))
		}),
		of1("Pow integers", scaled(1, -2, -0.5, 2, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pow(x, b.Const(constant(3, -2, 0, 1)))
		}),
		of1("Pow int32", scaled(1, 0.5, 2, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pow(x, b.Cast(b.Const(constant(3, -1, 2)), onnx.Int32))
		}),
		of1("Pow scalar int64", scaled(1, -2, -0.5, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Pow(x, b.Const(onnx.Scalar(int64(4))))
		}),
		{name: "Pow broadcast", args: tensors{scaled(1, 0.5, 2, 2, 1), scaled(2, -1, 2, 3)}, f: binary((*op.Builder).Pow)},
		{name: "Mod", args: tensors{scaled(1, 5, 7, 2, 3), scaled(2, -4, -3.6, 3)}, f: binary(func(b *op.Builder, x, y *onnx.Value) *onnx.Value {
			return b.Exp(node("Mod", onnx.Int("fmod", 1))(b, values{x, y}))
		})},
		{name: "Sum of four", args: four, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Sum(v...)) }},
		{name: "Sum of one", args: four[:1], f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Sum(v...)) }},
		{name: "Mean of one", args: four[:1], float32: true, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(node("Mean")(b, v)) },
			reference: func(b *op.Builder, v values) *onnx.Value { return b.Exp(v[0]) }},
		{name: "Max of four", args: tensors{spaced(1, 2, 3), random(2, 3), random(3, 2, 1), random(4)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Max(v...)) }},
		{name: "Min broadcast", args: tensors{spaced(1, 2, 1, 3), random(2, 4, 1)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Min(v...)) }},
		{name: "Where broadcast", args: tensors{random(1, 3, 1), random(2, 1, 4)}, f: func(b *op.Builder, v values) *onnx.Value {
			c := b.Const(onnx.FromSlice([]bool{true, false, false, true}, 2, 1, 1, 2))
			return b.Exp(b.Where(b.Tile(c, 1, 1, 1, 2), v[0], v[1]))
		}},
		of1("CastLike", random(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(node("CastLike")(b, values{x, b.Const(onnx.Scalar(1.5))}))
		}),
		{name: "Clip one bound", args: tensors{spaced(1, 3, 4), onnx.FromSlice([]float64{0.01})}, f: func(b *op.Builder, v values) *onnx.Value {
			return b.Exp(b.Clip(v[0], nil, b.Squeeze(v[1])))
		}},
	} {
		t.Run(e.name, e.run)
	}
}

// TestDropoutWithoutMask: the gradient asks the node for the mask that the graph does not. y = x mask/(1-ratio), and dx is what
// x is multiplied with, in the same run.
func TestDropoutWithoutMask(t *testing.T) {
	x := scaled(1, 0.5, 1.5, 40, 50)
	p := compile(t, onnx.Float, tensors{x}, func(b *op.Builder, v []*onnx.Value) ([]*onnx.Value, error) {
		y := b.Node("Dropout", values{v[0], b.Scalar(v[0], 0.25), b.Const(onnx.Scalar(true))}, 1)[0]
		dx, err := autodiff.Gradients(b.Graph(), b.ReduceSum(y, false), v)
		return append(dx, y), err
	})
	out := p.run(t, tensors{x})
	kept := 0
	for i, d := range onnx.View[float64](out[0]) {
		y, want := onnx.View[float64](out[1])[i], d*onnx.View[float64](x)[i]
		if math.Abs(y-want) > 1e-6 {
			t.Fatalf("y is %g, x times the gradient %g", y, want)
		}
		if d != 0 {
			kept++
		}
	}
	if kept < 1400 || kept > 1600 {
		t.Errorf("%d of 2000 elements are kept, a quarter is dropped", kept)
	}
}
