package op

import (
	"fmt"
	"testing"

	"graft/onnx"
)

// BenchmarkInferGraph infers graphs of 10,000 nodes: "attention" has the shape arithmetic that exporters write around each
// reshape, all of which depends on the same few dimensions; "chain" is one long sum of integers; "convolutions" has none.
func BenchmarkInferGraph(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func() *onnx.Graph
	}{{"attention", attentionGraph}, {"chain", chainGraph}, {"convolutions", convolutionGraph}} {
		b.Run(c.name, func(b *testing.B) {
			g := c.build()
			for b.Loop() {
				if err := InferGraph(g); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(g.Nodes())), "nodes")
		})
	}
}

const benchNodes = 10_000

// attentionGraph splits heads and joins them again as PyTorch's exporter writes it, every reshape with sizes gathered from
// its operand.
func attentionGraph() *onnx.Graph {
	g := onnx.NewGraph("attention")
	x := g.AddInput("x", parseType("float [batch sequence 768]"))
	add := func(op string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
		return g.Add(op, in, 1, attrs...).Output(0)
	}
	scalar := func(v int64) *onnx.Value {
		return add("Constant", []onnx.Attr{onnx.TensorAttr("value", onnx.Scalar(v))})
	}
	vector := func(v ...int64) *onnx.Value { return g.AddInitializer("", onnx.FromSlice(v)) }
	size := func(v *onnx.Value, axis int64) *onnx.Value {
		return add("Unsqueeze", nil, add("Gather", []onnx.Attr{onnx.Int("axis", 0)}, add("Shape", nil, v), scalar(axis)), vector(0))
	}
	axis := []onnx.Attr{onnx.Int("axis", 0)}
	for range benchNodes / 56 {
		width := add("Div", nil, size(x, 2), vector(12))
		heads := add("Reshape", nil, x, add("Concat", axis, size(x, 0), size(x, 1), vector(12), width))
		heads = add("Transpose", []onnx.Attr{onnx.Ints("perm", 0, 2, 1, 3)}, heads)
		heads = add("Softmax", []onnx.Attr{onnx.Int("axis", -1)}, heads)
		heads = add("Transpose", []onnx.Attr{onnx.Ints("perm", 0, 2, 1, 3)}, heads)
		joined := add("Mul", nil, size(heads, 2), size(heads, 3))
		x = add("Add", nil, x, add("Reshape", nil, heads, add("Concat", axis, size(heads, 0), size(heads, 1), joined)))
	}
	g.AddOutput(x, "y")
	return g
}

func chainGraph() *onnx.Graph {
	g := onnx.NewGraph("chain")
	v := g.AddInitializer("", onnx.NewTensor(onnx.Int64, maxElements))
	for range benchNodes {
		v = g.Add("Add", []*onnx.Value{v, v}, 1).Output(0)
	}
	g.AddOutput(v, "y")
	return g
}

func convolutionGraph() *onnx.Graph {
	g := onnx.NewGraph("convolutions")
	x := g.AddInput("x", parseType("float [N 8 H W]"))
	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 8, 8, 3, 3))
	for range benchNodes / 2 {
		x = g.Add("Conv", []*onnx.Value{x, w}, 1, onnx.Ints("pads", 1, 1, 1, 1)).Output(0)
		x = g.Add("Relu", []*onnx.Value{x}, 1).Output(0)
	}
	g.AddOutput(x, "y")
	return g
}

// TestInferAttention: the batch and the sequence are symbols from the first layer to the last.
func TestInferAttention(t *testing.T) {
	g := attentionGraph()
	if err := InferGraph(g); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(g.Outputs()[0].Type); got != "float [batch sequence 768]" {
		t.Error(got)
	}
	for _, n := range g.Nodes() {
		for _, d := range n.Output(0).Type.Shape {
			if d == onnx.UnknownDim {
				t.Fatalf("%v: %v", n, n.Output(0).Type)
			}
		}
	}
}
