package rewrite_test

import (
	"context"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

var allRules = []rewrite.Rule{rewrite.PoolIntoConv, rewrite.NormBeforeUpsample, rewrite.UpsampleIntoConv, rewrite.BiasBeforeNorm}

// count is how many nodes of an operator g has.
func count(g *onnx.Graph, op string) int {
	n := 0
	for _, node := range g.Nodes() {
		if node.Is(op) {
			n++
		}
	}
	return n
}

// outputs runs a model on inputs that depend on their names and sizes alone.
func outputs(t *testing.T, m *onnx.Model) map[string]*onnx.Tensor {
	t.Helper()
	s := runtimetest.Open(t, m, runtimetest.OneThread(t))
	feeds := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		sizes, _ := v.Type.Shape.Sizes()
		f := onnx.NewTensor(onnx.Float, sizes...)
		noise.Normal(f.Float32s(), noise.NewKey(5, v.Name, 0))
		feeds[v.Name] = f
	}
	out, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same holds the outputs of a model before and after rules to each other, and gives the number of replacements and the graph
// after them.
func same(t *testing.T, m *onnx.Model, rules ...rewrite.Rule) (int, *onnx.Graph) {
	t.Helper()
	after := m.Clone()
	n, err := rewrite.Apply(after.Graph, rules...)
	if err != nil {
		t.Fatal(err)
	}
	want, got := outputs(t, m), outputs(t, after)
	if len(got) != len(want) {
		t.Fatalf("%d outputs, want %d", len(got), len(want))
	}
	for name, w := range want {
		if got[name] == nil {
			t.Fatalf("no output %q", name)
		}
		onnxtest.Close(t, got[name], w, 1e-5, 1e-5)
	}
	return n, after.Graph
}

func TestHourglass(t *testing.T) {
	for _, h := range []graphs.Hourglass{
		{Channels: []int64{4, 6, 8}, Height: 32, Width: 40},
		{Channels: []int64{4, 6}, DownKernel: 3, UpKernel: 5, In: 3, Height: 16, Width: 16},
		{Channels: []int64{5}, DownKernel: 1, UpKernel: 1, Height: 8, Width: 8},
	} {
		m, err := h.Build(2)
		if err != nil {
			t.Fatal(err)
		}
		_, g := same(t, m, allRules...)
		scales := len(h.Channels)
		if pools := count(g, "AveragePool"); pools != 0 && h.DownKernel != 1 {
			t.Errorf("%v: %d pools are left", h, pools)
		}
		for _, n := range g.Nodes() {
			if n.Is("InstanceNormalization") && n.Input(0).Producer().Is("Resize") {
				t.Errorf("%v: %v normalizes what was upsampled", h, n)
			}
			if n.Is("Pad") && h.UpKernel == 3 && n.Input(0).Producer() != nil && n.Input(0).Producer().Is("Resize") {
				t.Errorf("%v: %v pads what was upsampled", h, n)
			}
			if (n.Is("Conv") || n.Is("ConvTranspose")) && n.Input(2) != nil && n.Input(2).Name != "out.conv.bias" {
				t.Errorf("%v: %v has kept its bias", h, n)
			}
		}
		if norms := count(g, "InstanceNormalization"); norms != 4*scales {
			t.Errorf("%v: %d norms, want %d", h, norms, 4*scales)
		}
	}
}

// odd is a graph of one rule and whether the rule may fire.
type odd struct {
	name  string
	fires bool
	build func(b *op.Builder) *onnx.Value
}

func runOdd(t *testing.T, rule rewrite.Rule, cases []odd) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := onnx.NewGraph("odd")
			b := op.NewBuilder(g)
			y := c.build(b)
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			g.AddOutput(b.Identity(y), "y")
			m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}
			if n, _ := same(t, m, rule); (n > 0) != c.fires {
				t.Errorf("%s was applied %d times", rule.Name, n)
			}
		})
	}
}

func in(b *op.Builder, name string, dims ...int64) *onnx.Value {
	return b.Graph().AddInput(name, onnx.TypeOf(onnx.Float, dims...))
}

var two = op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}

func TestPoolIntoConv(t *testing.T) {
	// pooled is a pool behind a convolution of x [2,c,h,w] by a kernel.
	pooled := func(x, w []int64, bias bool, a op.ConvAttrs, p op.PoolAttrs) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			var c *onnx.Value
			if bias {
				c = in(b, "c", w[0])
			}
			return b.AveragePool(b.Conv(in(b, "x", x...), in(b, "w", w...), c, a), p)
		}
	}
	x, w := []int64{2, 3, 8, 10}, []int64{4, 3, 3, 3}
	runOdd(t, rewrite.PoolIntoConv, []odd{
		{"3x3", true, pooled(x, w, true, op.ConvAttrs{}, two)},
		{"without bias", true, pooled(x, w, false, op.ConvAttrs{}, two)},
		{"5x5", true, pooled([]int64{1, 2, 12, 8}, []int64{3, 2, 5, 5}, true, op.ConvAttrs{}, two)},
		{"7x7", true, pooled([]int64{1, 1, 12, 12}, []int64{2, 1, 7, 7}, true, op.ConvAttrs{}, two)},
		{"valid", true, pooled(x, w, true, op.ConvAttrs{AutoPad: "VALID"}, two)},
		{"odd size", false, pooled([]int64{1, 3, 9, 8}, w, true, op.ConvAttrs{}, two)},
		{"1x1", false, pooled(x, []int64{4, 3, 1, 1}, true, op.ConvAttrs{}, two)},
		{"2x2", false, pooled(x, []int64{4, 3, 2, 2}, true, op.ConvAttrs{}, two)},
		{"3x5", false, pooled(x, []int64{4, 3, 3, 5}, true, op.ConvAttrs{}, two)},
		{"padded", false, pooled(x, w, true, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}}, two)},
		{"same", false, pooled(x, w, true, op.ConvAttrs{AutoPad: "SAME_UPPER"}, two)},
		{"stride", false, pooled(x, w, true, op.ConvAttrs{Strides: []int64{2, 2}}, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})},
		{"dilated", false, pooled(x, w, true, op.ConvAttrs{Dilations: []int64{2, 2}}, two)},
		{"groups", false, pooled(x, []int64{6, 1, 3, 3}, true, op.ConvAttrs{Group: 3}, two)},
		{"pool 3", false, pooled(x, w, true, op.ConvAttrs{}, op.PoolAttrs{Kernel: []int64{3, 3}, Strides: []int64{2, 2}})},
		{"pool stride 1", false, pooled(x, w, true, op.ConvAttrs{}, op.PoolAttrs{Kernel: []int64{2, 2}})},
		{"pool padded", false, pooled(x, w, true, op.ConvAttrs{}, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}})},
		{"pool ceil", false, pooled([]int64{1, 3, 9, 9}, w, true, op.ConvAttrs{}, op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}, CeilMode: true})},
		{"1-D", false, pooled([]int64{1, 3, 8}, []int64{4, 3, 3}, true, op.ConvAttrs{}, op.PoolAttrs{Kernel: []int64{2}, Strides: []int64{2}})},
		{"shared", false, func(b *op.Builder) *onnx.Value {
			y := b.Conv(in(b, "x", x...), in(b, "w", w...), nil, op.ConvAttrs{})
			return b.Add(b.AveragePool(y, two), b.ReduceSum(y, false))
		}},
		{"output", false, func(b *op.Builder) *onnx.Value {
			y := b.Conv(in(b, "x", x...), in(b, "w", w...), nil, op.ConvAttrs{})
			b.Graph().AddOutput(y, "convolved")
			return b.AveragePool(y, two)
		}},
		{"no convolution", false, func(b *op.Builder) *onnx.Value { return b.AveragePool(b.Relu(in(b, "x", x...)), two) }},
	})
}

func TestNormBeforeUpsample(t *testing.T) {
	asymmetric := op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}
	normed := func(x []int64, a op.ResizeAttrs, scales ...float32) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			return b.InstanceNormalization(b.Resize(in(b, "x", x...), a, scales...), in(b, "scale", x[1]), in(b, "bias", x[1]), 0.1)
		}
	}
	x := []int64{2, 3, 5, 4}
	runOdd(t, rewrite.NormBeforeUpsample, []odd{
		{"2", true, normed(x, asymmetric, 1, 1, 2, 2)},
		{"3 by 1", true, normed(x, asymmetric, 1, 1, 3, 1)},
		{"1-D", true, normed([]int64{2, 3, 5}, asymmetric, 1, 1, 4)},
		{"fraction", false, normed([]int64{2, 3, 6, 4}, asymmetric, 1, 1, 1.5, 2)},
		{"smaller", false, normed([]int64{2, 3, 6, 4}, asymmetric, 1, 1, 0.5, 2)},
		{"channels too", false, func(b *op.Builder) *onnx.Value {
			return b.InstanceNormalization(b.Resize(in(b, "x", x...), asymmetric, 1, 2, 2, 2), in(b, "scale", 6), in(b, "bias", 6), 0.1)
		}},
		{"samples too", false, normed(x, asymmetric, 2, 1, 2, 2)},
		{"half pixel", false, normed(x, op.ResizeAttrs{Mode: "nearest", Coordinates: "half_pixel", NearestMode: "round_prefer_floor"}, 1, 1, 2, 2)},
		{"align corners", false, normed(x, op.ResizeAttrs{Mode: "nearest", Coordinates: "align_corners", NearestMode: "floor"}, 1, 1, 2, 2)},
		{"ceil", false, normed(x, op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "ceil"}, 1, 1, 2, 2)},
		{"linear", false, normed(x, op.ResizeAttrs{Mode: "linear", Coordinates: "asymmetric"}, 1, 1, 2, 2)},
		{"shared", false, func(b *op.Builder) *onnx.Value {
			y := b.UpsampleNearest(in(b, "x", x...), 2)
			return b.Add(b.InstanceNormalization(y, in(b, "scale", 3), in(b, "bias", 3), 0.1), y)
		}},
		{"output", false, func(b *op.Builder) *onnx.Value {
			y := b.UpsampleNearest(in(b, "x", x...), 2)
			b.Graph().AddOutput(y, "upsampled")
			return b.InstanceNormalization(y, in(b, "scale", 3), in(b, "bias", 3), 0.1)
		}},
		{"no resize", false, func(b *op.Builder) *onnx.Value {
			return b.InstanceNormalization(in(b, "x", x...), in(b, "scale", 3), in(b, "bias", 3), 0.1)
		}},
	})
}

// batchNorm is BatchNormalization in the given mode, with what it makes of the statistics behind its output.
func batchNorm(b *op.Builder, x *onnx.Value, channels, mode int64) *onnx.Value {
	outs := 1 + 2*int(mode)
	n := b.Node("BatchNormalization", []*onnx.Value{x, in(b, "scale", channels), in(b, "bias", channels), in(b, "mean", channels), b.Abs(in(b, "variance", channels))},
		outs, onnx.Float32("epsilon", 0.1), onnx.Float32("momentum", 0.75), onnx.Int("training_mode", mode))
	parts := []*onnx.Value{b.Reshape(n[0], -1)}
	return b.Concat(0, append(parts, n[1:]...)...)
}

func TestBatchNormBeforeUpsample(t *testing.T) {
	up := func(mode int64) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			return batchNorm(b, b.UpsampleNearest(in(b, "x", 2, 3, 5, 4), 2), 3, mode)
		}
	}
	runOdd(t, rewrite.BatchNormBeforeUpsample, []odd{{"of the batch", true, up(1)}, {"of before", false, up(0)}})
}

func TestBiasBeforeBatchNorm(t *testing.T) {
	conv := func(mode int64) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			return batchNorm(b, b.Conv(in(b, "x", 2, 3, 8, 10), in(b, "w", 4, 3, 3, 3), in(b, "c", 4), op.ConvAttrs{}), 4, mode)
		}
	}
	runOdd(t, rewrite.BiasBeforeBatchNorm, []odd{{"of the batch", true, conv(1)}, {"of before", false, conv(0)}})
}

func TestBiasBeforeNorm(t *testing.T) {
	x, w := []int64{2, 3, 8, 10}, []int64{4, 3, 3, 3}
	conv := func(b *op.Builder, a op.ConvAttrs) *onnx.Value {
		return b.Conv(in(b, "x", x...), in(b, "w", w...), in(b, "c", 4), a)
	}
	norm := func(b *op.Builder, y *onnx.Value) *onnx.Value {
		return b.InstanceNormalization(y, in(b, "scale", 4), in(b, "bias", 4), 0.1)
	}
	runOdd(t, rewrite.BiasBeforeNorm, []odd{
		{"direct", true, func(b *op.Builder) *onnx.Value { return norm(b, conv(b, op.ConvAttrs{})) }},
		{"padded and strided", true, func(b *op.Builder) *onnx.Value {
			return norm(b, conv(b, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}, Strides: []int64{2, 1}}))
		}},
		{"pooled", true, func(b *op.Builder) *onnx.Value { return norm(b, b.AveragePool(conv(b, op.ConvAttrs{}), two)) }},
		{"pooled with padding", false, func(b *op.Builder) *onnx.Value {
			return norm(b, b.AveragePool(conv(b, op.ConvAttrs{}), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}, CountIncludePad: true}))
		}},
		{"no bias", false, func(b *op.Builder) *onnx.Value {
			return norm(b, b.Conv(in(b, "x", x...), in(b, "w", w...), nil, op.ConvAttrs{}))
		}},
		{"activated", false, func(b *op.Builder) *onnx.Value { return norm(b, b.Relu(conv(b, op.ConvAttrs{}))) }},
		{"shared", false, func(b *op.Builder) *onnx.Value {
			y := conv(b, op.ConvAttrs{})
			return b.Add(norm(b, y), y)
		}},
		{"shared pool", false, func(b *op.Builder) *onnx.Value {
			y := b.AveragePool(conv(b, op.ConvAttrs{}), two)
			return b.Add(norm(b, y), y)
		}},
		{"output", false, func(b *op.Builder) *onnx.Value {
			y := conv(b, op.ConvAttrs{})
			b.Graph().AddOutput(y, "convolved")
			return norm(b, y)
		}},
	})
}

func TestUpsampleIntoConv(t *testing.T) {
	x, w := []int64{2, 3, 5, 4}, []int64{4, 3, 3, 3}
	border := []int64{0, 0, 1, 1, 0, 0, 1, 1}
	convolved := func(w []int64, mode string, pads []int64, a op.ConvAttrs, scales ...float32) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			up := b.Resize(in(b, "x", x...), op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}, scales...)
			return b.Conv(b.Pad(up, mode, pads...), in(b, "w", w...), in(b, "c", w[0]), a)
		}
	}
	runOdd(t, rewrite.UpsampleIntoConv, []odd{
		{"3x3", true, convolved(w, "reflect", border, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"5x5", false, convolved([]int64{4, 3, 5, 5}, "reflect", []int64{0, 0, 2, 2, 0, 0, 2, 2}, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"3x1", false, convolved([]int64{4, 3, 3, 1}, "reflect", border, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"wide border", false, convolved(w, "reflect", []int64{0, 0, 2, 2, 0, 0, 2, 2}, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"uneven border", false, convolved(w, "reflect", []int64{0, 0, 1, 0, 0, 0, 1, 1}, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"zeros", false, convolved(w, "constant", border, op.ConvAttrs{}, 1, 1, 2, 2)},
		{"by three", false, convolved(w, "reflect", border, op.ConvAttrs{}, 1, 1, 3, 3)},
		{"one axis", false, convolved(w, "reflect", border, op.ConvAttrs{}, 1, 1, 2, 1)},
		{"stride", false, convolved(w, "reflect", border, op.ConvAttrs{Strides: []int64{2, 2}}, 1, 1, 2, 2)},
		{"dilated", false, convolved(w, "reflect", border, op.ConvAttrs{Dilations: []int64{2, 2}}, 1, 1, 2, 2)},
		{"padded twice", false, convolved(w, "reflect", border, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}}, 1, 1, 2, 2)},
		{"groups", false, convolved([]int64{6, 1, 3, 3}, "reflect", border, op.ConvAttrs{Group: 3}, 1, 1, 2, 2)},
		{"linear", false, func(b *op.Builder) *onnx.Value {
			return b.Conv(b.Pad(b.UpsampleLinear(in(b, "x", x...), 2), "reflect", border...), in(b, "w", w...), nil, op.ConvAttrs{})
		}},
		{"shared", false, func(b *op.Builder) *onnx.Value {
			y := b.UpsampleNearest(in(b, "x", x...), 2)
			return b.Add(b.Conv(b.Pad(y, "reflect", border...), in(b, "w", 3, 3, 3, 3), nil, op.ConvAttrs{}), y)
		}},
		{"output", false, func(b *op.Builder) *onnx.Value {
			y := b.Pad(b.UpsampleNearest(in(b, "x", x...), 2), "reflect", border...)
			b.Graph().AddOutput(y, "padded")
			return b.Conv(y, in(b, "w", w...), nil, op.ConvAttrs{})
		}},
	})
}

func TestPoolWithIndices(t *testing.T) {
	g := onnx.NewGraph("pool")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 3, 7, 6))
	b := op.NewBuilder(g)
	g.AddOutput(b.MaxPool(x, op.PoolAttrs{Kernel: []int64{3, 2}, Strides: []int64{2, 1}, Pads: []int64{1, 0, 0, 1}, CeilMode: true}), "y")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}
	n, after := same(t, m, rewrite.PoolWithIndices)
	if n != 1 || count(after, "MaxPool") != 1 || after.Nodes()[0].NumOutputs() != 2 {
		t.Errorf("%d replacements, %v", n, after.Nodes())
	}
}
