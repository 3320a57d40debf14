package autodiff_test

import (
	"fmt"
	"math"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

// lossCase is a loss of scores against classes that the test writes out.
type lossCase struct {
	name      string
	op        string
	dims      []int64 // of the scores
	classes   []int64
	narrow    bool // int32 classes
	weighted  bool
	ignore    int64 // none where it is 0
	reduction string
	outputs   int
}

func (c lossCase) example() example {
	var attrs []onnx.Attr
	if c.ignore != 0 {
		attrs = append(attrs, onnx.Int("ignore_index", c.ignore))
	}
	if c.reduction != "" {
		attrs = append(attrs, onnx.Str("reduction", c.reduction))
	}
	args := tensors{random(1, c.dims...)}
	if c.weighted {
		args = append(args, scaled(2, 0.5, 1.5, c.dims[1]))
	}
	places := append([]int64{c.dims[0]}, c.dims[2:]...)
	labels := func(b *op.Builder) *onnx.Value {
		v := b.Const(onnx.FromSlice(c.classes, places...))
		if c.narrow {
			return b.Cast(v, onnx.Int32)
		}
		return v
	}
	return example{name: c.name, args: args,
		f: func(b *op.Builder, v values) *onnx.Value {
			in := values{v[0], labels(b)}
			if c.weighted {
				in = append(in, v[1])
			}
			return joined(b, b.Node(c.op, in, max(1, c.outputs), attrs...)...)
		},
		reference: func(b *op.Builder, v values) *onnx.Value { return c.reference(b, v) }}
}

// reference is the definition with a table of ones and zeros.
func (c lossCase) reference(b *op.Builder, v values) *onnx.Value {
	x := v[0]
	if c.op == "SoftmaxCrossEntropyLoss" {
		x = b.LogSoftmax(x, 1)
	}
	inner := int64(1)
	for _, d := range c.dims[2:] {
		inner *= d
	}
	hot := onnx.NewTensor(onnx.Double, c.dims...)
	for i, class := range c.classes {
		if class != c.ignore || c.ignore == 0 {
			onnx.View[float64](hot)[(int64(i)/inner*c.dims[1]+class)*inner+int64(i)%inner] = 1
		}
	}
	table := b.Const(hot)
	if c.weighted {
		column := []int64{-1}
		for range len(c.dims) - 2 {
			column = append(column, 1)
		}
		table = b.Mul(table, b.Reshape(v[1], column...))
	}
	loss := b.Neg(b.ReduceSum(b.Mul(table, x), false, 1))
	switch c.reduction {
	case "sum":
		loss = b.ReduceSum(loss, false)
	case "", "mean":
		loss = b.Div(b.ReduceSum(loss, false), b.ReduceSum(table, false))
	}
	if c.outputs == 2 {
		return joined(b, loss, x)
	}
	return joined(b, loss)
}

func TestLosses(t *testing.T) {
	four := []int64{1, 0, 2, 1}
	for _, c := range []lossCase{
		{name: "mean", dims: []int64{4, 3}, classes: four},
		{name: "int32", dims: []int64{4, 3}, classes: four, narrow: true, reduction: "sum"},
		{name: "weights", dims: []int64{4, 3}, classes: four, weighted: true},
		{name: "ignored", dims: []int64{4, 3}, classes: []int64{1, -100, 2, -100}, ignore: -100},
		{name: "ignored class", dims: []int64{4, 3}, classes: four, ignore: 2, weighted: true, reduction: "none"},
		{name: "ignored beyond", dims: []int64{2, 3, 2}, classes: []int64{1, 255, 2, 1}, ignore: 255, narrow: true},
		{name: "images", dims: []int64{2, 3, 2, 1}, classes: four, weighted: true, ignore: 1},
		{name: "images none", dims: []int64{1, 3, 2, 2}, classes: four, reduction: "none"},
	} {
		for _, name := range []string{"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"} {
			c.op = name
			t.Run(name+" "+c.name, c.example().run)
		}
		c.outputs, c.op = 2, "SoftmaxCrossEntropyLoss"
		t.Run("log_prob "+c.name, c.example().run)
	}
}

// TestImpossibleClasses: a class with a score of minus infinity has the probability 0 and no gradient.
func TestImpossibleClasses(t *testing.T) {
	inf := math.Inf(1)
	f := func(b *op.Builder, v values) *onnx.Value {
		return b.Node("SoftmaxCrossEntropyLoss", values{v[0], b.Const(onnx.FromSlice([]int64{0, 9}))}, 1, onnx.Int("ignore_index", 9))[0]
	}
	got := slopes(t, f, onnx.FromSlice([]float64{1, 1, -inf, -inf, 1, 1}, 2, 3))[0]
	for i, want := range []float64{-0.5, 0.5, 0, 0, 0, 0} {
		if !(math.Abs(got[i]-want) < 1e-6) {
			t.Fatalf("gradient %v", got)
		}
	}
}

// TestSymbolicLosses: the number of samples and places stays free.
func TestSymbolicLosses(t *testing.T) {
	sizes := map[string]int64{"N": 3, "S": 5}
	for _, name := range []string{"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"} {
		for _, shape := range [][]any{{"N", 4}, {"N", 4, "S"}, {"N", "S"}} {
			t.Run(fmt.Sprint(name, shape), func(t *testing.T) {
				compareSymbolic(t, sizes, [][]any{shape}, func(b *op.Builder, xs values) *onnx.Value {
					// Places that are made of the scores, so that they have their shape: class 1 everywhere.
					first := b.Gather(xs[0], b.Const(onnx.Scalar(int64(0))), 1)
					one := b.Cast(b.Add(b.Sub(first, first), b.Scalar(first, 1)), onnx.Int64)
					return b.Node(name, values{xs[0], one}, 1, onnx.Int("ignore_index", 0))[0]
				})
			})
		}
	}
}
