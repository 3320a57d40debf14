package autodiff_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// branch is a graph for If that gives the values that f makes.
func branch(b *op.Builder, f func(c *op.Builder) []*onnx.Value) *onnx.Graph {
	c := b.Inside(onnx.NewGraph("branch"))
	for _, v := range f(c) {
		if c.Err() == nil {
			c.Graph().AddOutput(v, "")
		}
	}
	return c.Graph()
}

// body is a graph for Scan or Loop: inputs of the types of the values in like, and what f makes of them.
func body(b *op.Builder, like []onnx.TensorType, f func(c *op.Builder, x []*onnx.Value) []*onnx.Value) *onnx.Graph {
	g := onnx.NewGraph("body")
	c := b.Inside(g)
	var xs []*onnx.Value
	for _, t := range like {
		xs = append(xs, g.AddInput("", t))
	}
	for _, v := range f(c, xs) {
		if c.Err() == nil {
			g.AddOutput(c.Identity(v), "")
		}
	}
	return g
}

func like(d onnx.DataType, dims ...int64) onnx.TensorType { return onnx.TypeOf(d, dims...) }

func TestIf(t *testing.T) {
	choose := func(b *op.Builder, v values, yes bool) *onnx.Value {
		x, w, u := v[0], v[1], v[2]
		c := b.Greater(b.ReduceSum(x, false), b.Scalar(x, map[bool]float64{true: -1000, false: 1000}[yes]))
		h := b.Exp(x)
		ys := b.If(c, branch(b, func(c *op.Builder) []*onnx.Value {
			return []*onnx.Value{c.Tanh(c.MatMul(h, w)), c.Mul(u, u)}
		}), branch(b, func(c *op.Builder) []*onnx.Value {
			return []*onnx.Value{c.MatMul(c.Mul(x, h), c.Mul(w, w)), c.Identity(c.Const(convert(random(9, 2), u.Type.DType)))}
		}))
		return b.Mul(ys[0], b.ReduceSum(ys[1], false))
	}
	args := tensors{random(1, 2, 3), random(2, 3, 4), random(3, 2)}
	for _, e := range []example{
		{name: "then", args: args, f: func(b *op.Builder, v values) *onnx.Value { return choose(b, v, true) }},
		{name: "else", args: args, f: func(b *op.Builder, v values) *onnx.Value { return choose(b, v, false) }},
		{name: "nested", args: args, f: func(b *op.Builder, v values) *onnx.Value {
			c := b.Greater(b.ReduceSum(v[0], false), b.Scalar(v[0], -1000))
			return b.If(c, branch(b, func(c *op.Builder) []*onnx.Value {
				h := c.Tanh(c.MatMul(v[0], v[1]))
				return c.If(c.Less(c.ReduceSum(v[0], false), c.Scalar(v[0], 1000)),
					branch(c, func(d *op.Builder) []*onnx.Value { return []*onnx.Value{d.Mul(h, d.ReduceSum(v[2], false))} }),
					branch(c, func(d *op.Builder) []*onnx.Value { return []*onnx.Value{d.Identity(h)} }))
			}), branch(b, func(c *op.Builder) []*onnx.Value { return []*onnx.Value{c.MatMul(v[0], v[1])} }))[0]
		}},
		{name: "passes on", args: args[:1], f: func(b *op.Builder, v values) *onnx.Value {
			c := b.Greater(b.ReduceSum(v[0], false), b.Scalar(v[0], -1000))
			y := b.If(c, branch(b, func(c *op.Builder) []*onnx.Value { return []*onnx.Value{c.Identity(v[0])} }),
				branch(b, func(c *op.Builder) []*onnx.Value { return []*onnx.Value{c.Neg(v[0])} }))[0]
			return b.Mul(y, v[0])
		}},
	} {
		t.Run(e.name, e.run)
	}
}

// recurrence is a Scan with two states, a fed sequence, and captured weights.
func recurrence(a op.ScanAttrs, axis int64) function {
	return func(b *op.Builder, v values) *onnx.Value {
		h, s, x, w, r := v[0], v[1], v[2], v[3], v[4]
		d := x.Type.DType
		q := b.Mul(r, r)
		got := b.Scan(body(b, []onnx.TensorType{like(d, 2, 3), like(d, 3), like(d, 2, 4)}, func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
			next := c.Tanh(c.Sum(c.MatMul(in[2], w), c.MatMul(in[0], q), in[1]))
			return []*onnx.Value{next, c.Mul(in[1], c.Scalar(in[1], 0.5)), c.Mul(next, in[1]), c.ReduceSum(in[2], false)}
		}), []*onnx.Value{h, s}, []*onnx.Value{x}, a)
		return b.Sum(b.ReduceSum(b.Mul(got[0], got[0]), false), b.ReduceSum(got[1], false),
			projected(b, b.Exp(got[2]), 77), projected(b, b.Tanh(got[3]), 78))
	}
}

func TestScan(t *testing.T) {
	args := func(x *onnx.Tensor) tensors {
		return tensors{random(1, 2, 3), random(2, 3), x, random(4, 4, 3), random(5, 3, 3)}
	}
	for _, e := range []example{
		{name: "forwards", args: args(random(3, 5, 2, 4)), f: recurrence(op.ScanAttrs{}, 0)},
		{name: "backwards", args: args(random(3, 5, 2, 4)), f: recurrence(op.ScanAttrs{InputDirections: []int64{1}, OutputDirections: []int64{1, 0}}, 0)},
		{name: "axes", args: args(random(3, 2, 5, 4)), f: recurrence(op.ScanAttrs{InputAxes: []int64{1}, OutputAxes: []int64{2, 0}}, 1)},
		{name: "axes from the end", args: args(random(3, 2, 4, 3)), f: recurrence(op.ScanAttrs{InputAxes: []int64{-1}, OutputAxes: []int64{-1, 0}, InputDirections: []int64{1}}, 2)},
		{name: "no states", args: tensors{random(1, 4, 3), random(2, 3)}, f: func(b *op.Builder, v values) *onnx.Value {
			d := v[0].Type.DType
			return b.Scan(body(b, []onnx.TensorType{like(d, 3)}, func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
				return []*onnx.Value{c.Mul(c.Exp(in[0]), v[1])}
			}), nil, v[:1], op.ScanAttrs{})[0]
		}},
		{name: "one sequence twice", args: tensors{random(1, 4, 3)}, f: func(b *op.Builder, v values) *onnx.Value {
			d := v[0].Type.DType
			return b.Scan(body(b, []onnx.TensorType{like(d, 3), like(d, 3)}, func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
				return []*onnx.Value{c.Mul(c.Exp(in[0]), in[1])}
			}), nil, []*onnx.Value{v[0], v[0]}, op.ScanAttrs{InputDirections: []int64{0, 1}})[0]
		}},
		{name: "nested", args: tensors{random(1, 3), random(2, 3, 2, 3), random(3, 3, 3)}, f: func(b *op.Builder, v values) *onnx.Value {
			d := v[0].Type.DType
			got := b.Scan(body(b, []onnx.TensorType{like(d, 3), like(d, 2, 3)}, func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
				inner := c.Scan(body(c, []onnx.TensorType{like(d, 3), like(d, 3)}, func(e *op.Builder, on []*onnx.Value) []*onnx.Value {
					h := e.Tanh(e.Add(e.MatMul(on[0], v[2]), e.Mul(on[1], in[0])))
					return []*onnx.Value{h, h}
				}), in[:1], in[1:], op.ScanAttrs{})
				return []*onnx.Value{inner[0], c.ReduceSum(inner[1], false)}
			}), v[:1], v[1:2], op.ScanAttrs{})
			return b.Mul(got[0], b.ReduceSum(got[1], false))
		}},
	} {
		t.Run(e.name, e.run)
	}
}

func TestLoop(t *testing.T) {
	rounds := func(b *op.Builder, n int64) *onnx.Value { return b.Const(onnx.Scalar(n)) }
	types := func(d onnx.DataType, carried ...onnx.TensorType) []onnx.TensorType {
		return append([]onnx.TensorType{like(onnx.Int64), like(onnx.Bool)}, carried...)
	}
	args := tensors{random(1, 2, 3), random(2, 3, 3)}
	step := func(w *onnx.Value) func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
		return func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
			i := c.Cast(in[0], w.Type.DType)
			h := c.Tanh(c.Mul(c.MatMul(in[2], w), c.Add(i, c.Scalar(i, 0.5))))
			return []*onnx.Value{in[1], h, c.Mul(h, i)}
		}
	}
	for _, e := range []example{
		{name: "counted", args: args, f: func(b *op.Builder, v values) *onnx.Value {
			got := b.Loop(rounds(b, 4), nil, v[:1], body(b, types(0, v[0].Type), step(v[1])))
			return b.Add(got[0], b.ReduceSum(b.Exp(got[1]), false, 0))
		}},
		{name: "condition", args: args, f: func(b *op.Builder, v values) *onnx.Value {
			got := b.Loop(nil, b.Const(onnx.Scalar(true)), v[:1], body(b, types(0, v[0].Type), func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
				out := step(v[1])(c, in)
				out[0] = c.Less(in[0], c.Const(onnx.Scalar(int64(2))))
				return out
			}))
			return b.Add(got[0], b.ReduceSum(b.Exp(got[1]), false, 0))
		}},
		{name: "no rounds", args: args, f: func(b *op.Builder, v values) *onnx.Value {
			got := b.Loop(rounds(b, 0), nil, v[:1], body(b, types(0, v[0].Type), step(v[1])))
			return b.Mul(got[0], got[0])
		}},
		{name: "nothing carried", args: args, f: func(b *op.Builder, v values) *onnx.Value {
			got := b.Loop(rounds(b, 3), nil, nil, body(b, types(0), func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
				return []*onnx.Value{in[1], c.MatMul(v[0], v[1])}
			}))
			return b.ReduceSum(b.Tanh(got[0]), false, 0)
		}},
		{name: "integers carried", args: args[:1], f: func(b *op.Builder, v values) *onnx.Value {
			got := b.Loop(rounds(b, 3), nil, []*onnx.Value{v[0], rounds(b, 1)}, body(b, types(0, v[0].Type, like(onnx.Int64)),
				func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
					f := c.Cast(in[3], in[2].Type.DType)
					return []*onnx.Value{in[1], c.Tanh(c.Mul(in[2], f)), c.Add(in[3], in[3])}
				}))
			return got[0]
		}},
	} {
		t.Run(e.name, e.run)
	}
}

// A node without a rule inside a subgraph is named, and nothing is left behind.
func TestMissingInside(t *testing.T) {
	g := onnx.NewGraph("missing")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	c := g.AddInput("c", onnx.TypeOf(onnx.Bool))
	b := op.NewBuilder(g)
	odd := func(c *op.Builder) []*onnx.Value {
		n := c.Graph().Add("Strange", []*onnx.Value{x}, 1)
		n.Domain, n.Name = "com.example", "odd"
		n.Output(0).Type = x.Type
		return n.Outputs()
	}
	choice := b.If(c, branch(b, odd), branch(b, func(c *op.Builder) []*onnx.Value { return []*onnx.Value{c.Exp(x)} }))[0]
	choice.Producer().Name = "choice"
	growing := b.Loop(b.Const(onnx.Scalar(int64(3))), nil, []*onnx.Value{choice}, body(b, []onnx.TensorType{like(onnx.Int64), like(onnx.Bool),
		{DType: onnx.Float, Shape: onnx.Shape{onnx.UnknownDim}}}, func(c *op.Builder, in []*onnx.Value) []*onnx.Value {
		return []*onnx.Value{in[1], c.Concat(0, in[2], in[2])}
	}))[0]
	growing.Producer().Name = "growing"
	y := b.ReduceSum(growing, false)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	before, uses := len(g.Nodes()), x.NumUses()
	_, err := autodiff.Gradients(g, y, []*onnx.Value{x})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"choice (If)", "com.example.Strange at odd", "growing (Loop)", "carried value 0 changes its shape"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if n := len(g.Nodes()); n > before+1 || x.NumUses() != uses {
		t.Errorf("%d nodes and %d uses were left behind", n-before, x.NumUses()-uses)
	}
}
