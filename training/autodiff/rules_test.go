package autodiff_test

import (
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

type tensors = []*onnx.Tensor

func binary(f func(b *op.Builder, x, y *onnx.Value) *onnx.Value) function {
	return func(b *op.Builder, v values) *onnx.Value { return f(b, v[0], v[1]) }
}

func of1(name string, x *onnx.Tensor, f func(b *op.Builder, x *onnx.Value) *onnx.Value) example {
	return example{name: name, args: tensors{x}, f: unary(f)}
}

func TestElementwise(t *testing.T) {
	a, c := random(1, 2, 3), random(2, 2, 3)
	away := scaled(3, 0.5, 2, 2, 3)
	two := func(name string, x, y *onnx.Tensor, f func(b *op.Builder, x, y *onnx.Value) *onnx.Value) example {
		return example{name: name, args: tensors{x, y}, f: binary(f)}
	}
	for _, e := range []example{
		two("Add", a, c, (*op.Builder).Add),
		two("Add broadcast", a, random(3, 3), (*op.Builder).Add),
		two("Sub broadcast", random(3, 4, 1, 3), a, (*op.Builder).Sub),
		two("Mul broadcast", random(3, 2, 1), a, (*op.Builder).Mul),
		two("Mul scalar", random(3), a, (*op.Builder).Mul),
		of1("Mul square", a, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Mul(x, x) }),
		two("Div", a, away, (*op.Builder).Div),
		two("Div broadcast", random(3, 4, 2, 1), scaled(3, 1, 2, 3), (*op.Builder).Div),
		two("Pow", away, c, (*op.Builder).Pow),
		of1("Pow 2", a, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Pow(x, b.Scalar(x, 2)) }),
		of1("Pow 3", a, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Pow(x, b.Scalar(x, 3)) }),
		of1("Pow 1", a, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Pow(x, b.Scalar(x, 1)) }),
		of1("Pow 0", a, func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Mul(x, b.Pow(x, b.Scalar(x, 0)))
		}),
		of1("Pow half", away, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Pow(x, b.Scalar(x, 0.5)) }),
		{name: "Max", args: tensors{spaced(1, 2, 3), random(2, 3), random(3, 2, 1)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Max(v...) }},
		{name: "Min", args: tensors{spaced(1, 2, 3), random(2, 3)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Min(v...) }},
		{name: "Mean", args: tensors{a, random(2, 3), random(3, 2, 1)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Node("Mean", v, 1)[0]) }, float32: true,
			reference: func(b *op.Builder, v values) *onnx.Value {
				return b.Exp(b.Mul(b.Sum(v...), b.Scalar(v[0], 1.0/3)))
			}},
		{name: "Sum", args: tensors{a, random(2, 3), random(3, 2, 1)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Sum(v...) }},
		of1("Neg", a, (*op.Builder).Neg),
		of1("Abs", spaced(1, 2, 3), (*op.Builder).Abs),
		of1("Sqrt", away, (*op.Builder).Sqrt),
		of1("Exp", a, (*op.Builder).Exp),
		of1("Log", away, (*op.Builder).Log),
		of1("Reciprocal", away, (*op.Builder).Reciprocal),
		{name: "Sin", args: tensors{a}, float32: true, f: unary((*op.Builder).Sin), reference: sine},
		{name: "Cos", args: tensors{a}, float32: true, f: unary((*op.Builder).Cos), reference: cosine},
		of1("Identity", a, (*op.Builder).Identity),
		of1("Tanh", a, (*op.Builder).Tanh),
		of1("Relu", spaced(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value { y := b.Relu(x); return b.Mul(y, y) }),
		of1("Softmax", random(1, 2, 3, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Softmax(x, 1) }),
		of1("LogSoftmax", random(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.LogSoftmax(x, -1) }),
		of1("Clip", spaced(1, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			y := b.Clip(x, b.Scalar(x, -1), b.Scalar(x, 1))
			return b.Mul(y, y)
		}),
		of1("Clip below", spaced(1, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Clip(x, b.Scalar(x, -1), nil) }),
		{name: "Clip bounds", args: tensors{spaced(1, 3, 4), onnx.FromSlice([]float64{-1}, []int64{}...), onnx.FromSlice([]float64{1.03}, []int64{}...)},
			f: func(b *op.Builder, v values) *onnx.Value {
				return b.Clip(v[0], b.ReduceSum(v[1], false), b.ReduceSum(v[2], false))
			}},
		{name: "Where", args: tensors{spaced(1, 2, 3), random(2, 3), random(3, 2, 1)}, f: func(b *op.Builder, v values) *onnx.Value {
			return b.Where(b.Greater(v[0], b.Scalar(v[0], 0)), b.Mul(v[0], v[1]), v[2])
		}},
		of1("Cast", a, func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Mul(x, b.Cast(b.Cast(x, x.Type.DType), x.Type.DType))
		}),
		of1("zero gradients", spaced(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Mul(x, b.Sum(b.Floor(x), b.Ceil(x), b.Round(x), b.Sign(x)))
		}),
		{name: "Erf", args: tensors{a}, float32: true, f: unary((*op.Builder).Erf), reference: erfReference},
		{name: "Softplus", args: tensors{a}, float32: true, f: unary((*op.Builder).Softplus), reference: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Log(b.Add(b.Exp(x), b.Scalar(x, 1)))
		})},
		{name: "one value, many uses", args: tensors{a}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Sum(b.Mul(x, b.Exp(x)), b.Tanh(x), b.Mul(b.Tanh(x), x), x)
		})},
	} {
		t.Run(e.name, e.run)
	}
}

// series is x^first times a power series in x^2 that starts with 1, each coefficient the last times ratio: exact to 1e-12 for
// |x| <= 1. It stands for functions whose kernels know float32 only.
func series(first int, ratio func(n int) float64) function {
	return unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
		sum, c := b.Scalar(x, 0), 1.0
		for n := range 16 {
			if e := first + 2*n; e == 0 {
				sum = b.Add(sum, b.Scalar(x, c))
			} else {
				sum = b.Add(sum, b.Mul(b.Pow(x, b.Scalar(x, float64(e))), b.Scalar(x, c)))
			}
			c *= ratio(n)
		}
		return sum
	})
}

var (
	sine   = series(1, func(n int) float64 { return -1 / float64((2*n+2)*(2*n+3)) })
	cosine = series(0, func(n int) float64 { return -1 / float64((2*n+1)*(2*n+2)) })
)

func erfReference(b *op.Builder, v values) *onnx.Value {
	odd := series(1, func(n int) float64 { return -float64(2*n+1) / float64((n+1)*(2*n+3)) })
	return b.Mul(odd(b, v), b.Scalar(v[0], 2/math.SqrtPi))
}

func TestMatrix(t *testing.T) {
	mm := func(name string, x, y *onnx.Tensor) example {
		return example{name: name, args: tensors{x, y}, f: binary((*op.Builder).MatMul)}
	}
	gemm := func(name string, x, y, c *onnx.Tensor, a op.GemmAttrs) example {
		return example{name: name, args: tensors{x, y, c}, f: func(b *op.Builder, v values) *onnx.Value { return b.Gemm(v[0], v[1], v[2], a) }}
	}
	for _, e := range []example{
		mm("MatMul", random(1, 2, 3), random(2, 3, 4)),
		mm("MatMul batch", random(1, 5, 2, 3), random(2, 5, 3, 4)),
		mm("MatMul batch by matrix", random(1, 5, 2, 3), random(2, 3, 4)),
		mm("MatMul matrix by batch", random(1, 2, 3), random(2, 5, 3, 4)),
		mm("MatMul broadcast batch", random(1, 1, 2, 2, 3), random(2, 3, 1, 3, 4)),
		mm("MatMul vector vector", random(1, 3), random(2, 3)),
		mm("MatMul vector matrix", random(1, 3), random(2, 3, 4)),
		mm("MatMul matrix vector", random(1, 2, 3), random(2, 3)),
		mm("MatMul vector batch", random(1, 3), random(2, 5, 3, 4)),
		mm("MatMul batch vector", random(1, 5, 2, 3), random(2, 3)),
		gemm("Gemm", random(1, 2, 3), random(2, 3, 4), random(3, 4), op.GemmAttrs{}),
		gemm("Gemm A'", random(1, 3, 2), random(2, 3, 4), random(3, 2, 1), op.GemmAttrs{TransA: true, Alpha: 0.5, Beta: 2}),
		gemm("Gemm B'", random(1, 2, 3), random(2, 4, 3), random(3, 1), op.GemmAttrs{TransB: true, Alpha: 2}),
		gemm("Gemm A'B'", random(1, 3, 2), random(2, 4, 3), random(3, 2, 4), op.GemmAttrs{TransA: true, TransB: true, Beta: -1}),
		of1("Transpose", random(1, 2, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Transpose(x, 2, 0, 1) }),
		of1("Transpose reverse", random(1, 2, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Exp(b.Transpose(x)) }),
	} {
		t.Run(e.name, e.run)
	}
}

func TestShape(t *testing.T) {
	slice := func(name string, x *onnx.Tensor, specs ...op.SliceSpec) example {
		return of1("Slice "+name, x, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Slice(x, specs...) })
	}
	pad := func(mode string, pads ...int64) example {
		return of1("Pad "+mode, random(1, 4, 5), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Exp(b.Pad(x, mode, pads...)) })
	}
	reduce := func(name string, keep bool, f func(b *op.Builder, x *onnx.Value, keep bool, axes ...int64) *onnx.Value, axes ...int64) example {
		return of1(name, spaced(1, 2, 3, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Tanh(b.Mul(f(b, x, keep, axes...), b.Scalar(x, 0.1)))
		})
	}
	x := random(1, 2, 3, 4)
	for _, e := range []example{
		of1("Reshape", x, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Reshape(x, 6, -1) }),
		of1("Flatten", x, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Flatten(x, 1) }),
		of1("Squeeze", random(1, 1, 3, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Squeeze(x, 0, 2) }),
		of1("Unsqueeze", x, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Unsqueeze(x, 1, -1) }),
		of1("Expand", random(1, 3, 1), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Expand(x, b.Ints(2, 3, 4)) }),
		of1("Tile", x, func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Tile(x, 2, 1, 3) }),
		{name: "Concat", args: tensors{random(1, 2, 3), random(2, 2, 1), random(3, 2, 2)}, f: func(b *op.Builder, v values) *onnx.Value { return b.Exp(b.Concat(-1, v...)) }},
		of1("Concat one wanted", random(1, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(b.Concat(0, b.Const(convert(random(9, 1, 3), x.Type.DType)), x))
		}),
		of1("Split", random(1, 2, 6), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			p := b.Split(x, 1, 2, 1, 3)
			return b.Add(b.Mul(p[0], p[1]), p[0])
		}),
		slice("step 1", x, op.SliceSpec{Axis: 1, Start: 1, End: 3}, op.SliceSpec{Axis: -1, Start: -3, End: math.MaxInt64}),
		slice("step 2", random(1, 7), op.SliceSpec{Start: 1, End: 6, Step: 2}),
		slice("step 3 to the end", random(1, 2, 8), op.SliceSpec{Axis: 1, Start: 0, End: 8, Step: 3}),
		slice("step -1", random(1, 5, 2), op.SliceSpec{Axis: 0, Start: -1, End: math.MinInt64, Step: -1}),
		slice("step -2", random(1, 7, 2), op.SliceSpec{Axis: 0, Start: 5, End: 0, Step: -2}),
		slice("nothing", random(1, 7, 2), op.SliceSpec{Axis: 0, Start: 0, End: 7}),
		pad("constant", 1, 0, 2, 3),
		pad("constant", -1, 2, 0, -2),
		pad("reflect", 1, 2, 1, 0),
		pad("reflect", 0, 4, 3, 4),
		pad("edge", 3, 0, 1, 2),
		of1("Pad edge one", random(1, 1, 5), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Exp(b.Pad(x, "edge", 2, 1, 1, 0)) }),
		of1("Gather", random(1, 4, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(b.Gather(x, b.Const(onnx.FromSlice([]int64{2, 0, 2, -1}, 2, 2)), 0))
		}),
		of1("Gather last", random(1, 2, 4), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(b.Gather(x, b.Ints(3, 3, 1), -1))
		}),
		of1("GatherElements", random(1, 3, 2), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(b.GatherElements(x, b.Const(onnx.FromSlice([]int64{2, 0, 2, 1}, 2, 2)), 0))
		}),
		{name: "ScatterElements add", args: tensors{random(1, 3, 2), random(2, 2, 2)}, f: func(b *op.Builder, v values) *onnx.Value {
			return b.Exp(b.ScatterElements(v[0], b.Const(onnx.FromSlice([]int64{2, 0, 2, 1}, 2, 2)), v[1], 0, "add"))
		}},
		{name: "ScatterElements", args: tensors{random(1, 3, 2), random(2, 2, 2)}, f: func(b *op.Builder, v values) *onnx.Value {
			return b.Exp(b.ScatterElements(v[0], b.Const(onnx.FromSlice([]int64{2, 0, 1, 1}, 2, 2)), v[1], 0, ""))
		}},
		of1("SpaceToDepth", random(1, 2, 3, 4, 6), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Exp(b.SpaceToDepth(x, 2)) }),
		of1("DepthToSpace", random(1, 2, 12, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Exp(b.DepthToSpace(x, 2)) }),
		of1("DepthToSpace CRD", random(1, 2, 12, 2, 3), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.Exp(b.Node("DepthToSpace", values{x}, 1, onnx.Int("blocksize", 2), onnx.Str("mode", "CRD"))[0])
		}),
		reduce("ReduceSum", false, (*op.Builder).ReduceSum, 1, -1),
		reduce("ReduceSum keep", true, (*op.Builder).ReduceSum, 0),
		reduce("ReduceSum all", false, (*op.Builder).ReduceSum),
		reduce("ReduceMean", false, (*op.Builder).ReduceMean, 0, 2),
		reduce("ReduceMean all", true, (*op.Builder).ReduceMean),
		reduce("ReduceSumSquare", false, (*op.Builder).ReduceSumSquare, 1),
		reduce("ReduceMax", false, (*op.Builder).ReduceMax, 1),
		reduce("ReduceMin", false, byNode("ReduceMin"), 1),
		reduce("ReduceL1", true, byNode("ReduceL1"), 0, 1),
		reduce("ReduceL2", false, byNode("ReduceL2"), -1),
		reduce("ReduceLogSumExp", false, byNode("ReduceLogSumExp"), 2),
		reduce("ReduceMax all", true, (*op.Builder).ReduceMax),
	} {
		t.Run(e.name, e.run)
	}
}

// byNode builds a reduction that the builder has no method for.
func byNode(name string) func(b *op.Builder, x *onnx.Value, keep bool, axes ...int64) *onnx.Value {
	return func(b *op.Builder, x *onnx.Value, keep bool, axes ...int64) *onnx.Value {
		k := int64(0)
		if keep {
			k = 1
		}
		return b.Node(name, values{x, b.Ints(axes...)}, 1, onnx.Int("keepdims", k))[0]
	}
}
