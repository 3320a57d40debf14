package op

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
)

// shown is an array as text: "[N 3 ?]", a scalar without brackets.
func shown(a *array) string {
	if a == nil {
		return "nothing"
	}
	parts := make([]string, len(a.elems))
	for i, e := range a.elems {
		switch {
		case e.known && a.dtype.IsFloat():
			parts[i] = fmt.Sprint(e.f)
		case e.known:
			parts[i] = fmt.Sprint(e.i)
		case e.symbol != "":
			parts[i] = e.symbol
		default:
			parts[i] = "?"
		}
	}
	s := strings.Join(parts, " ")
	if len(a.dims) == 0 {
		return s
	}
	return fmt.Sprint(a.dims, " ", s)
}

func TestEvaluate(t *testing.T) {
	g := onnx.NewGraph("")
	x := g.AddInput("x", parseType("float [N 3 8 W]"))
	unknown := g.AddInput("u", parseType("int64 [2]"))
	b := NewBuilder(g)
	dims := b.Shape(x)
	at := func(i int64) *onnx.Value { return b.Gather(dims, b.Const(onnx.Scalar(i)), 0) }
	two := b.Const(onnx.Scalar(int64(2)))
	pads := b.Concat(0, b.Ints(1, 2, 3, 4), b.ConstantOfShape(b.Ints(4), onnx.FromSlice([]int64{0})))
	pairs := b.Slice(b.Reshape(pads, -1, 2), SliceSpec{Axis: 0, Start: -1, End: -9, Step: -1})
	split := b.Split(dims, 0, 1, 3)
	for _, c := range []struct {
		name string
		v    *onnx.Value
		want string
	}{
		{"shape", dims, "[4] N 3 8 W"},
		{"gather", at(0), "N"},
		{"gather from the end", at(-2), "8"},
		{"slice", b.Slice(dims, SliceSpec{Start: 1, End: 3}), "[2] 3 8"},
		{"arithmetic", b.Sub(b.Div(b.Mul(at(2), two), b.Const(onnx.Scalar(int64(3)))), two), "3"},
		{"neutral elements", b.Add(b.Mul(at(0), b.Const(onnx.Scalar(int64(1)))), b.Const(onnx.Scalar(int64(0)))), "N"},
		{"half a symbol", b.Div(at(0), two), "floor(N/2)"},
		{"symbol times two", b.Mul(at(0), two), "2*N"},
		{"symbol minus itself", b.Sub(at(3), at(3)), "0"},
		{"concat", b.Concat(0, b.Unsqueeze(at(0), 0), b.Ints(-1)), "[2] N -1"},
		{"split", split[1], "[3] 3 8 W"},
		{"cast", b.Cast(b.Floor(b.Mul(b.Cast(at(2), onnx.Float), b.Const(onnx.Scalar(float32(1.3))))), onnx.Int64), "10"},
		{"symbol through float", b.Cast(b.Cast(at(0), onnx.Float), onnx.Int64), "N"},
		{"where", b.Where(b.Equal(dims, b.Ints(-1)), b.Ints(1, 1, 1, 1), dims), "[4] N 3 8 W"},
		{"pads as exporters write them", b.Cast(b.Reshape(b.Transpose(pairs), -1), onnx.Int32), "[8] 0 0 3 1 0 0 4 2"},
		{"partly unknown", b.Concat(0, unknown, b.Ints(5)), "[3] ? ? 5"},
		{"range", b.Range(two, b.Const(onnx.Scalar(int64(9))), b.Const(onnx.Scalar(int64(3)))), "[3] 2 5 8"},
		{"remainder", b.Mod(b.Ints(-7, 7), b.Ints(3, -3)), "[2] 2 -2"},
		{"division by zero", b.Div(two, b.Const(onnx.Scalar(int64(0)))), "?"},
		{"product", b.ReduceProd(dims), "[1] 24*N*W"},
		{"product of numbers", b.ReduceProd(b.Ints(2, 3, 4)), "[1] 24"},
		{"expand", b.Expand(two, b.Ints(2, 2)), "[2 2] 2 2 2 2"},
		{"too large", b.Expand(two, b.Ints(2000)), "nothing"},
		{"an input", x, "nothing"},
	} {
		if err := b.Err(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := shown(evaluate(c.v)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func (b *Builder) ReduceProd(x *onnx.Value) *onnx.Value { return b.unary("ReduceProd", x) }

// TestEvaluateBounds: values that double again and again, and chains that never end, cost little and give nothing.
func TestEvaluateBounds(t *testing.T) {
	g := onnx.NewGraph("")
	v := g.AddInitializer("", onnx.FromSlice([]int64{1, 2}))
	for range 100 {
		v = g.Add("Concat", []*onnx.Value{v, v}, 1, onnx.Int("axis", 0)).Output(0)
	}
	if got := shown(evaluate(v)); got != "nothing" {
		t.Errorf("doubling: %s", got)
	}
	v = g.AddInitializer("", onnx.FromSlice([]int64{1, 2}))
	for range 100_000 {
		v = g.Add("Add", []*onnx.Value{v, v}, 1).Output(0)
	}
	if got := shown(evaluate(v)); got != "nothing" {
		t.Errorf("chain: %s", got)
	}
	n := g.Add("Add", []*onnx.Value{nil, v}, 1)
	n.SetInput(0, n.Output(0))
	if got := shown(evaluate(n.Output(0))); got != "nothing" {
		t.Errorf("cycle: %s", got)
	}
}

// TestComputedOperands: rules read operands that are computed from shapes.
func TestComputedOperands(t *testing.T) {
	g := onnx.NewGraph("")
	x := g.AddInput("x", parseType("float [N 3 8 8]"))
	b := NewBuilder(g)
	dims := b.Shape(x)
	batch := b.Slice(dims, SliceSpec{End: 1})
	flat := b.ReshapeTo(x, b.Concat(0, batch, b.Ints(-1)))
	wide := b.Expand(b.Const(onnx.Scalar(float32(1))), dims)
	sizes := b.Concat(0, b.Slice(dims, SliceSpec{End: 2}), b.Mul(b.Slice(dims, SliceSpec{Start: 2, End: 4}), b.Ints(2, 2)))
	up := b.Node("Resize", []*onnx.Value{x, nil, nil, sizes}, 1)[0]
	count := b.Range(b.Const(onnx.Scalar(int64(0))), b.Gather(dims, b.Const(onnx.Scalar(int64(0))), 0), b.Const(onnx.Scalar(int64(1))))
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    *onnx.Value
		want string
	}{{flat, "float [N 192]"}, {wide, "float [N 3 8 8]"}, {up, "float [N 3 16 16]"}, {count, "int64 [N]"}} {
		if got := c.v.Type.String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.v.Producer(), got, c.want)
		}
	}
}

// TestInferGraphCost: many nodes that ask for the same costly arithmetic do not take long.
func TestInferGraphCost(t *testing.T) {
	g := onnx.NewGraph("")
	x := g.AddInput("x", parseType("float [1]"))
	ones := onnx.NewTensor(onnx.Int64, maxElements)
	for i := range ones.Int64s() {
		ones.Int64s()[i] = 1
	}
	big := g.AddInitializer("", ones)
	for range 100 {
		big = g.Add("Mul", []*onnx.Value{big, big}, 1).Output(0)
	}
	for range 3000 {
		g.Add("Reshape", []*onnx.Value{x, big}, 1)
	}
	d := limitstest.CPU(t, func() {
		if err := InferGraph(g); err != nil {
			t.Fatal(err)
		}
	})
	if d > 5*time.Second {
		t.Errorf("%v", d)
	}
}
