package autodiff_test

import (
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// nodeWith builds an operator of one output that takes constants behind the arguments.
func nodeWith(name string, consts []*onnx.Tensor, attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		in := append(values(nil), v...)
		for _, c := range consts {
			if c == nil {
				in = append(in, nil)
			} else {
				in = append(in, b.Const(convert(c, v[0].Type.DType)))
			}
		}
		return b.Node(name, in, 1, attrs...)[0]
	}
}

// bent makes a function's second derivative other than zero.
func bent(f function) function {
	return func(b *op.Builder, v values) *onnx.Value { return b.Tanh(f(b, v)) }
}

func ints(v ...int64) *onnx.Tensor { return onnx.FromSlice(v) }

func grid(dims []int64, v ...int64) *onnx.Tensor { return onnx.FromSlice(v, dims...) }

func TestIndex(t *testing.T) {
	x := random(1, 4, 3, 5)
	gather := func(name string, at *onnx.Tensor, axis int64) example {
		return example{name: "Gather " + name, args: tensors{x}, f: bent(nodeWith("Gather", tensors{at}, onnx.Int("axis", axis)))}
	}
	for _, e := range []example{
		gather("rank 0", onnx.Scalar(int64(-1)), 1),
		gather("rank 0 first", onnx.Scalar(int64(2)), 0),
		gather("rank 1", ints(1, 0, 1, -1), 1),
		gather("rank 2 middle", grid([]int64{2, 2}, 1, -3, 2, 2), 1),
		gather("rank 2 last", grid([]int64{2, 3}, 4, -5, 2, 2, 1, 0), -1),
		gather("consecutive", ints(1, 2), 0),
		gather("consecutive from the end", ints(-3, -2), 2),
		gather("across the end", ints(-1, 0), 0),
		gather("nothing", ints(), 1),
		gather("int32", onnx.FromSlice([]int32{2, 0, 2}), 0),
		{name: "Gather of a vector", args: tensors{random(1, 5)}, f: bent(nodeWith("Gather", tensors{grid([]int64{2, 2}, 1, 1, -1, 0)}))},
		{name: "GatherElements negative", args: tensors{x}, f: bent(nodeWith("GatherElements", tensors{grid([]int64{2, 1, 3}, 1, -1, 1, 2, 2, 0)}, onnx.Int("axis", -2)))},
		{name: "GatherND slices", args: tensors{x}, f: bent(nodeWith("GatherND", tensors{grid([]int64{3, 1}, 1, -1, 1)}))},
		{name: "GatherND elements", args: tensors{x}, f: bent(nodeWith("GatherND", tensors{grid([]int64{2, 2, 3}, 1, 2, 3, 0, 0, 0, 1, 2, 3, 3, -1, 4)}))},
		{name: "GatherND batch 1", args: tensors{random(1, 2, 3, 2)}, f: bent(nodeWith("GatherND", tensors{grid([]int64{2, 3, 1}, 1, -1, 1, 0, 0, 2)}, onnx.Int("batch_dims", 1)))},
		{name: "GatherND batch 2", args: tensors{random(1, 2, 2, 4)}, f: bent(nodeWith("GatherND", tensors{grid([]int64{2, 2, 1}, 1, -1, 3, 0)}, onnx.Int("batch_dims", 2)))},
		{name: "Scatter", args: tensors{random(1, 3, 2), random(2, 2, 2)}, f: put("Scatter"), reference: put("ScatterElements")},
		{name: "TensorScatter", args: tensors{random(1, 2, 1, 5, 2), random(2, 2, 1, 2, 2)}, f: scatterCache(onnx.Str("mode", "circular")), reference: cached(true)},
		{name: "TensorScatter linear", args: tensors{random(1, 2, 5), random(2, 2, 2)}, f: scatterCache(onnx.Int("axis", 1)), reference: cached(false)},
		{name: "TensorScatter from 0", args: tensors{random(1, 2, 4, 3), random(2, 2, 2, 3)}, f: bent(node("TensorScatter")), reference: bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Concat(1, v[1], b.Slice(v[0], op.SliceSpec{Axis: 1, Start: 2, End: 4}))
		})},
		{name: "Compress", args: tensors{x}, f: bent(nodeWith("Compress", tensors{onnx.FromSlice([]bool{true, false, true, true})}, onnx.Int("axis", 0)))},
		{name: "Compress short", args: tensors{x}, f: bent(nodeWith("Compress", tensors{onnx.FromSlice([]bool{false, true})}, onnx.Int("axis", -1)))},
		{name: "ReverseSequence", args: tensors{x}, f: bent(nodeWith("ReverseSequence", tensors{ints(4, 1, 2)}))},
		{name: "ReverseSequence batch first", args: tensors{x}, f: bent(nodeWith("ReverseSequence", tensors{ints(3, 1, 2, 0)}, onnx.Int("batch_axis", 0), onnx.Int("time_axis", 1)))},
		{name: "TopK", args: tensors{spaced(1, 3, 4)}, f: topK(2, onnx.Int("axis", 0))},
		{name: "TopK smallest", args: tensors{spaced(1, 3, 4)}, f: topK(3, onnx.Int("largest", 0), onnx.Int("sorted", 0))},
		{name: "OneHot", args: tensors{random(1, 2)}, float32: true, f: bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Node("OneHot", values{b.Const(ints(1, -1, 7, 1)), b.Const(onnx.Scalar(int64(3))), v[0]}, 1, onnx.Int("axis", 0))[0]
		}), reference: bent(func(b *op.Builder, v values) *onnx.Value {
			hot := onnx.FromSlice([]float64{0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0}, 3, 4)
			off, on := b.Gather(v[0], b.Ints(0), 0), b.Gather(v[0], b.Ints(1), 0)
			return b.Add(b.Mul(b.Const(hot), b.Sub(on, off)), off)
		})},
	} {
		t.Run(e.name, e.run)
	}
}

// put scatters two rows of two into x.
func put(name string) function {
	return bent(func(b *op.Builder, v values) *onnx.Value {
		return b.Node(name, values{v[0], b.Const(grid([]int64{2, 2}, 0, 2, 1, 0)), v[1]}, 1)[0]
	})
}

// writes are where the two samples of a batch are written to.
var writes = []int64{1, 4}

func scatterCache(attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		at := writes
		if len(v[0].Type.Shape) == 2 { // linear: inside
			at = []int64{1, 3}
		}
		return b.Tanh(b.Node("TensorScatter", values{v[0], v[1], b.Ints(at...)}, 1, attrs...)[0])
	}
}

// cached is TensorScatter of two entries into a cache of five, entry by entry.
func cached(circular bool) function {
	return func(b *op.Builder, v values) *onnx.Value {
		axis := int64(len(v[0].Type.Shape) - 2)
		at := writes
		if !circular {
			axis, at = 1, []int64{1, 3}
		}
		entry := func(v *onnx.Value, sample int, i int64) *onnx.Value {
			return b.Slice(v, op.SliceSpec{Start: int64(sample), End: int64(sample + 1)}, op.SliceSpec{Axis: axis, Start: i, End: i + 1})
		}
		var samples values
		for n := range 2 {
			var entries values
			for i := range int64(5) {
				e := entry(v[0], n, i)
				for u := range int64(2) {
					if (at[n]+u)%5 == i {
						e = entry(v[1], n, u)
					}
				}
				entries = append(entries, e)
			}
			samples = append(samples, b.Concat(axis, entries...))
		}
		return b.Tanh(b.Concat(0, samples...))
	}
}

func topK(k int64, attrs ...onnx.Attr) function {
	return func(b *op.Builder, v values) *onnx.Value {
		return b.Tanh(b.Node("TopK", values{v[0], b.Ints(k)}, 2, attrs...)[0])
	}
}

// Every reduction of the two, with elements that are hit twice or not at all, and zeros among the factors.
func TestScatter(t *testing.T) {
	zeros := func(v *onnx.Tensor, at ...int) *onnx.Tensor {
		for _, i := range at {
			onnx.View[float64](v)[i] = 0
		}
		return v
	}
	u := func(seed uint64) *onnx.Tensor { return zeros(random(seed, 3, 2), 1, 2, 4) }
	elements := grid([]int64{3, 2}, 2, 0, 2, -4, 0, 0)
	slices := grid([]int64{3, 1}, 2, -2, 0)
	distinct := grid([]int64{3, 2}, 2, 0, 1, -1, 0, 1)
	for _, reduction := range []string{"none", "add", "mul", "max", "min"} {
		at, x := elements, random(1, 4, 2)
		if reduction == "none" {
			at = distinct
		}
		updates, more := u(2), random(5, 3, 2)
		if reduction == "max" || reduction == "min" {
			all := spaced(4, 14) // no ties
			x, updates, more = onnx.FromSlice(onnx.View[float64](all)[:8], 4, 2), onnx.FromSlice(onnx.View[float64](all)[8:], 3, 2), onnx.FromSlice(onnx.View[float64](all)[8:], 3, 2)
		}
		put := func(name string, at *onnx.Tensor) function {
			return bent(func(b *op.Builder, v values) *onnx.Value {
				return b.Node(name, values{v[0], b.Const(at), v[1]}, 1, onnx.Str("reduction", reduction))[0]
			})
		}
		nd := slices
		if reduction == "none" {
			nd = grid([]int64{3, 1}, 2, 1, 0)
		}
		for _, e := range []example{
			{name: "ScatterElements " + reduction, args: tensors{x, updates}, f: put("ScatterElements", at)},
			{name: "ScatterND " + reduction, args: tensors{x, more}, f: put("ScatterND", nd)},
		} {
			t.Run(e.name, e.run)
		}
	}
}

func TestReductions(t *testing.T) {
	positive := scaled(5, 0.5, 2, 2, 3, 4)
	holes := random(6, 2, 3, 4)
	for _, i := range []int{0, 5, 6, 12, 13, 14} { // rows with one, two and no zeros
		onnx.View[float64](holes)[i] = 0
	}
	data := map[string]*onnx.Tensor{"ReduceProd": holes, "ReduceLogSum": positive}
	for _, name := range []string{"ReduceSum", "ReduceMean", "ReduceProd", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"} {
		x := data[name]
		if x == nil {
			x = spaced(7, 2, 3, 4)
		}
		// All forms in one graph: sums of bent results.
		e := example{name: name, args: tensors{x}, f: func(b *op.Builder, v values) *onnx.Value {
			var parts values
			for keep := range int64(2) {
				for _, axes := range [][]int64{{0}, {-1}, {1, -1}, {-3, 1}, {0, 1, 2}} {
					y := b.Node(name, values{v[0], b.Ints(axes...)}, 1, onnx.Int("keepdims", keep))[0]
					parts = append(parts, projected(b, b.Tanh(b.Mul(y, b.Scalar(y, 0.3))), uint64(len(parts))))
				}
				for _, y := range (values{
					b.Node(name, values{v[0]}, 1, onnx.Int("keepdims", keep))[0],
					b.Node(name, values{v[0], b.Ints()}, 1, onnx.Int("keepdims", keep))[0],
					b.Node(name, values{v[0], b.Ints()}, 1, onnx.Int("keepdims", keep), onnx.Int("noop_with_empty_axes", 1))[0],
					b.Node(name, values{v[0]}, 1, onnx.Int("keepdims", keep), onnx.Int("noop_with_empty_axes", 1))[0],
					b.Node(name, values{b.Reshape(b.Slice(v[0], op.SliceSpec{End: 1}, op.SliceSpec{Axis: 1, End: 1}, op.SliceSpec{Axis: 2, End: 1}))}, 1, onnx.Int("keepdims", keep))[0],
				}) {
					parts = append(parts, projected(b, b.Tanh(b.Mul(y, b.Scalar(y, 0.3))), uint64(len(parts))))
				}
			}
			return b.Sum(parts...)
		}}
		t.Run(e.name, e.run)
	}
	for _, e := range []example{
		of1("ReduceMax ties", onnx.FromSlice([]float64{1, 1, 1}), func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return b.ReduceMax(b.Mul(x, b.Const(convert(onnx.FromSlice([]float64{1, 1.5, 2}), x.Type.DType))), false)
		}),
	} {
		t.Run(e.name, e.run)
	}
	for _, reverse := range []int64{0, 1} {
		for _, exclusive := range []int64{0, 1} {
			for _, name := range []string{"CumSum", "CumProd"} {
				e := example{name: name, args: tensors{random(8, 2, 5)}, f: bent(func(b *op.Builder, v values) *onnx.Value {
					return b.Node(name, values{v[0], b.Const(onnx.Scalar(int64(-1)))}, 1, onnx.Int("reverse", reverse), onnx.Int("exclusive", exclusive))[0]
				})}
				onnx.View[float64](e.args[0])[2] = 0
				if name == "CumProd" {
					e.reference = bent(cumProd(reverse == 1, exclusive == 1))
				}
				t.Run(e.name, e.run)
			}
		}
	}
}

// cumProd is running products along the last of two axes of size 5, term by term.
func cumProd(reverse, exclusive bool) function {
	return func(b *op.Builder, v values) *onnx.Value {
		at := func(i int64) *onnx.Value { return b.Slice(v[0], op.SliceSpec{Axis: 1, Start: i, End: i + 1}) }
		out := make(values, 5)
		run := b.Expand(b.Scalar(v[0], 1), b.Ints(2, 1))
		for i := range int64(5) {
			j := i
			if reverse {
				j = 4 - i
			}
			if exclusive {
				out[j] = run
			}
			run = b.Mul(run, at(j))
			if !exclusive {
				out[j] = run
			}
		}
		return b.Concat(1, out...)
	}
}

// Sizes of 0 and ranks from 0 to 5.
func TestSizesAndRanks(t *testing.T) {
	shapes := [][]int64{{0, 3}, {2, 0, 3}, {2}, {2, 1}, {1, 2, 3}, {2, 1, 2, 2}, {1, 2, 1, 3, 2}}
	for _, dims := range shapes {
		x := random(1, dims...)
		axis := int64(len(dims) - 1)
		all := make([]int64, 2*len(dims))
		for i := range all {
			all[i] = int64(i % 3)
		}
		e := example{name: onnx.NewShape(dims...).String(), args: tensors{x, random(2, dims...)}, f: func(b *op.Builder, v values) *onnx.Value {
			zero := b.Const(onnx.Scalar(int64(0)))
			y := b.Tanh(b.Concat(axis, v[0], v[1], v[0]))
			parts := values{
				y, b.Pad(y, "", all...), b.ReduceSum(y, false, 0), b.ReduceMean(y, true, axis), b.Transpose(y), b.Reshape(y, -1),
				b.Slice(y, op.SliceSpec{Axis: axis, Start: -1, End: -9, Step: -2}), b.Gather(y, b.Ints(2, -1, 2), axis), b.Gather(y, zero, axis),
				b.Tile(y, repeated(2, len(dims))...), b.CumSum(y, axis, true, false), b.Expand(y, b.Ints(append([]int64{2}, repeated(1, len(dims))...)...)),
				b.Squeeze(b.Unsqueeze(y, 0, -1), 0), b.Node("ReduceProd", values{y}, 1)[0], b.Split(y, axis, 3*dims[axis]-1, 1)[1],
				b.ScatterElements(y, b.Const(onnx.NewTensor(onnx.Int64, dims...)), v[1], axis, "add"),
			}
			for i, p := range parts {
				parts[i] = projected(b, b.Mul(p, p), uint64(i))
			}
			return b.Sum(parts...)
		}}
		t.Run(e.name, e.run)
	}
	scalar := example{name: "[]", args: tensors{onnx.Scalar(0.3)}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
		y := b.Tanh(x)
		return b.Sum(b.Mul(y, b.ReduceSum(y, false)), b.ReduceMean(b.Expand(y, b.Ints(2, 3)), false), b.Squeeze(b.Mul(b.Unsqueeze(y, 0), b.Reshape(y, 1)), 0),
			b.Node("ReduceLogSumExp", values{y}, 1)[0], b.Node("Einsum", values{y, y}, 1, onnx.Str("equation", ",->"))[0])
	})}
	t.Run(scalar.name, scalar.run)
}

func repeated(v int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestPad(t *testing.T) {
	for _, mode := range []string{"constant", "edge", "reflect", "wrap"} {
		for _, pads := range [][]int64{{1, 2, 1, 0}, {0, 4, 3, 4}, {3, 0, 0, 3}, {-1, 2, 0, 1}, {0, 1, 2, -2}, {0, 0, 0, 0}, {2, 5, 1, 9}} {
			if mode == "reflect" && pads[3] == 9 || mode == "wrap" && pads[1] == 5 { // beyond what it reflects; and what the runtime does not wrap
				continue
			}
			e := of1("Pad "+mode, random(1, 4, 5), func(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Tanh(b.Pad(x, mode, pads...)) })
			t.Run(e.name, e.run)
		}
	}
	for _, dims := range [][]int64{{}, {1}} {
		e := example{name: "value", args: tensors{random(1, 2, 3), random(2, dims...)}, f: bent(func(b *op.Builder, v values) *onnx.Value {
			return b.Node("Pad", values{v[0], b.Ints(2, -1, 1, 0), v[1], b.Ints(-1, 0)}, 1)[0]
		})}
		t.Run(e.name, e.run)
	}
}

// TestRangeAndUnique: sizes that depend on values are fixed by what the outputs are multiplied with.
func TestRangeAndUnique(t *testing.T) {
	scalar := func(v float64) *onnx.Tensor { return onnx.Scalar(v) }
	sized := func(b *op.Builder, y *onnx.Value, dims ...int64) *onnx.Value {
		return b.Mul(b.Tanh(y), b.Const(random(9, dims...)))
	}
	unique := func(name string, x *onnx.Tensor, dims []int64, attrs ...onnx.Attr) example {
		return example{name: "Unique " + name, args: tensors{x}, f: unary(func(b *op.Builder, x *onnx.Value) *onnx.Value {
			return sized(b, b.Node("Unique", values{x}, 1, attrs...)[0], dims...)
		})}
	}
	for _, e := range []example{
		{name: "Range", args: tensors{scalar(0.3), scalar(2), scalar(0.45)}, f: func(b *op.Builder, v values) *onnx.Value {
			return sized(b, b.Range(v[0], v[1], v[2]), 4)
		}},
		{name: "Range downwards", args: tensors{scalar(1), scalar(-0.3)}, f: func(b *op.Builder, v values) *onnx.Value {
			return sized(b, b.Range(v[0], b.Scalar(v[0], -0.4), v[1]), 5)
		}},
		unique("flat", spaced(1, 2, 3), []int64{6}),
		unique("flat, not sorted", spaced(1, 2, 3), []int64{6}, onnx.Int("sorted", 0)),
		unique("along an axis", spaced(1, 2, 4, 2), []int64{2, 4, 2}, onnx.Int("axis", -2)),
	} {
		t.Run(e.name, e.run)
	}
	x := onnx.FromSlice([]float64{2, 1, 2, 3, 1, 2})
	p := compile(t, onnx.Double, tensors{x}, func(b *op.Builder, v []*onnx.Value) ([]*onnx.Value, error) {
		y := b.Mul(b.Node("Unique", v, 1)[0], b.Const(onnx.FromSlice([]float64{10, 20, 30})))
		return autodiff.Gradients(b.Graph(), b.ReduceSum(y, false), v)
	})
	if got, want := onnx.View[float64](p.run(t, tensors{x})[0]), []float64{20, 10, 0, 30, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("the gradient of equal elements is %v, want %v: the first of each", got, want)
	}
}
