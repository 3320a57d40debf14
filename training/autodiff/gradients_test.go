package autodiff_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

func TestNoPathGivesZeros(t *testing.T) {
	args := tensors{random(1, 2, 3), random(2, 4)}
	p := compile(t, onnx.Double, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		return autodiff.Gradients(b.Graph(), b.ReduceSum(b.Sign(x[0]), false), x)
	})
	for i, g := range p.run(t, args) {
		for _, v := range onnx.View[float64](g) {
			if v != 0 {
				t.Errorf("gradient %d is %v, want zeros", i, v)
			}
		}
	}
}

func TestGradientOfItself(t *testing.T) {
	g := onnx.NewGraph("self")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float))
	dx, err := autodiff.Gradients(g, x, []*onnx.Value{x})
	if err != nil || op.ConstantOf(dx[0]) == nil || op.ConstantOf(dx[0]).Float32s()[0] != 1 {
		t.Errorf("dx/dx = %v, %v; want the constant 1", dx, err)
	}
}

// One error names every operator without a rule, each with its node and the path to it.
func TestMissingRules(t *testing.T) {
	g := onnx.NewGraph("missing")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	b := op.NewBuilder(g)
	y := b.Exp(x)
	y.Producer().Name = "first"
	other := g.Add("Strange", []*onnx.Value{y}, 1)
	other.Domain, other.Name = "com.example", "odd"
	other.Output(0).Type = x.Type
	z := b.Node("Bernoulli", []*onnx.Value{b.Add(other.Output(0), y)}, 1)[0]
	unrelated := b.Node("Acosh", []*onnx.Value{b.Sign(x)}, 1)[0]
	loss := b.ReduceSum(b.Add(z, unrelated), false)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	before := len(g.Nodes())
	_, err := autodiff.Gradients(g, loss, []*onnx.Value{x})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"com.example.Strange at odd", "Bernoulli at Bernoulli", "path x -> first (Exp) -> odd (Strange)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "Acosh") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q names what is not on the way, or has more than a line", err)
	}
	if n := len(g.Nodes()); n > before+1 {
		t.Errorf("%d nodes were left behind", n-before)
	}
}

// Only what leads to a gradient that is asked for stays in the graph.
func TestSweep(t *testing.T) {
	g := onnx.NewGraph("sweep")
	x, w := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2, 8, 8)), g.AddInput("w", onnx.TypeOf(onnx.Float, 3, 2, 3, 3))
	b := op.NewBuilder(g)
	loss := b.ReduceSum(b.Conv(x, w, nil, op.ConvAttrs{}), false)
	if _, err := autodiff.Gradients(g, loss, []*onnx.Value{w}); err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes() {
		if n.Is("ConvTranspose") || n.Is("Conv") && n.Output(0) != loss.Producer().Input(0) {
			t.Errorf("%v is there, though no gradient of x was asked for", n)
		}
	}
}

func TestRefusals(t *testing.T) {
	g := onnx.NewGraph("refusals")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	i := g.AddInput("i", onnx.TypeOf(onnx.Int64, 2))
	s := g.AddInput("s", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Size: 1}, {Size: 2}, {Symbol: "H"}, {Symbol: "W"}}})
	b := op.NewBuilder(g)
	w := g.AddInput("w", onnx.TypeOf(onnx.Float, 1, 2, 3, 3))
	conv := b.ReduceSum(b.Conv(s, w, nil, op.ConvAttrs{AutoPad: "SAME_UPPER", Strides: []int64{2, 2}}), false)
	sum := b.ReduceSum(x, false)
	for _, c := range []struct {
		y    *onnx.Value
		xs   []*onnx.Value
		want string
	}{
		{x, []*onnx.Value{x}, "want one element"},
		{nil, []*onnx.Value{x}, "no value"},
		{sum, []*onnx.Value{i}, "not a floating-point type"},
		{sum, []*onnx.Value{nil}, "nil"},
		{conv, []*onnx.Value{w}, "fix that dimension"},
	} {
		if _, err := autodiff.Gradients(g, c.y, c.xs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %q", err, c.want)
		}
	}
}

// Batches of unknown size need no static shape in the rules of a perceptron.
func TestSymbolicBatch(t *testing.T) {
	g := onnx.NewGraph("symbolic")
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 4}}})
	b := op.NewBuilder(g)
	w, c := g.AddInput("w", onnx.TypeOf(onnx.Float, 4, 3)), g.AddInput("c", onnx.TypeOf(onnx.Float, 3))
	y := b.Tanh(b.Add(b.MatMul(x, w), c))
	loss := b.ReduceMean(b.Mul(y, y), false)
	ds, err := autodiff.Gradients(g, loss, []*onnx.Value{x, w, c})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []*onnx.Value{x, w, c} {
		if d := ds[i].Type; d.DType != v.Type.DType || len(d.Shape) != len(v.Type.Shape) {
			t.Errorf("gradient of %s is %v, want %v", v.Name, d, v.Type)
		}
	}
}

// A value between others, made by an operator that is replaced by an expression, has a gradient too.
func TestGradientOfReplaced(t *testing.T) {
	args := tensors{random(1, 3, 4), random(2, 4)}
	p := compile(t, onnx.Double, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		h := b.Node("LayerNormalization", x, 1)[0]
		return autodiff.Gradients(b.Graph(), b.ReduceSum(b.Mul(h, b.Scalar(h, 3)), false), []*onnx.Value{x[0], h})
	})
	for _, v := range onnx.View[float64](p.run(t, args)[1]) {
		if v != 3 {
			t.Fatalf("gradient %v, want 3", v)
		}
	}
}

// Narrow types keep theirs on the way back through norms that compute in float32.
func TestNarrowNorms(t *testing.T) {
	for _, name := range []string{"LayerNormalization", "RMSNormalization", "GroupNormalization"} {
		g := onnx.NewGraph("narrow")
		b := op.NewBuilder(g)
		dims := []int64{4}
		xs := []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float16, 2, 4, 4)), g.AddInput("scale", onnx.TypeOf(onnx.Float16, dims...))}
		var attrs []onnx.Attr
		if name == "GroupNormalization" {
			xs = append(xs, g.AddInput("bias", onnx.TypeOf(onnx.Float16, dims...)))
			attrs = append(attrs, onnx.Int("num_groups", 2))
		}
		y := b.Node(name, xs, 1, attrs...)[0]
		ds, err := autodiff.GradientsFrom(g, []*onnx.Value{y}, []*onnx.Value{y}, xs)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range ds {
			if d.Type.DType != onnx.Float16 || !d.Type.Shape.Equal(xs[i].Type.Shape) {
				t.Errorf("%s: gradient %d is %v, want %v", name, i, d.Type, xs[i].Type)
			}
		}
	}
}
