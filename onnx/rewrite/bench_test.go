package rewrite_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// bigNet is a residual network of opset 9 as exporters write them, with n nodes or somewhat more: weights that are nodes,
// flattening by the arithmetic of shapes, constants that every block shares, branches in Squeeze and Unsqueeze.
func bigNet(n int) *onnx.Model {
	g := onnx.NewGraph("net")
	v := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "N"}, {Size: 8}, {Size: 8}, {Size: 8}}})
	count := 0
	add := func(op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
		node := g.Add(op, in, 1, attrs...)
		node.Name = fmt.Sprintf("%s_%d", op, count)
		node.Output(0).Name = node.Name + "_out"
		count++
		return node.Output(0)
	}
	half := add("Constant", nil, onnx.TensorAttr("value", onnx.Scalar(float32(0.5))))
	minus := g.AddInitializer("minus", onnx.FromSlice([]int64{-1}))
	for count < n {
		kernel := add("ConstantOfShape", []*onnx.Value{add("Constant", nil, onnx.TensorAttr("value", onnx.FromSlice([]int64{8, 8, 3, 3})))}, onnx.TensorAttr("value", onnx.FromSlice([]float32{0.01})))
		y := add("Conv", []*onnx.Value{v, kernel}, onnx.Ints("kernel_shape", 3, 3), onnx.Ints("pads", 1, 1, 1, 1))
		y = add("Clip", []*onnx.Value{y}, onnx.Float32("min", 0))
		shape := add("Shape", []*onnx.Value{y})
		first := add("Unsqueeze", []*onnx.Value{add("Gather", []*onnx.Value{shape, add("Constant", nil, onnx.TensorAttr("value", onnx.Scalar(int64(0))))})}, onnx.Ints("axes", 0))
		flat := add("Reshape", []*onnx.Value{y, add("Concat", []*onnx.Value{first, minus}, onnx.Int("axis", 0))})
		flat = add("Softmax", []*onnx.Value{add("Mul", []*onnx.Value{flat, half})})
		y = add("Add", []*onnx.Value{add("Reshape", []*onnx.Value{flat, shape}), y})
		v = add("Add", []*onnx.Value{v, y})
	}
	g.AddOutput(v, "y")
	return &onnx.Model{IRVersion: 4, Opsets: []onnx.Opset{{Version: 9}}, Graph: g}
}

// BenchmarkReady is what training does with a model of 10,000 nodes before it differentiates.
func BenchmarkReady(b *testing.B) {
	m := bigNet(10_000)
	for b.Loop() {
		b.StopTimer()
		c := m.Clone()
		b.StartTimer()
		if err := rewrite.Upgrade(c); err != nil {
			b.Fatal(err)
		}
		if err := op.InferGraph(c.Graph); err != nil {
			b.Fatal(err)
		}
		if _, err := rewrite.Fold(c.Graph, rewrite.Folding{}); err != nil {
			b.Fatal(err)
		}
		c.Graph.AssignNames()
	}
}

// BenchmarkSimplify is graft simplify's rewriting of a model of 100,000 nodes.
func BenchmarkSimplify(b *testing.B) {
	m := bigNet(100_000)
	for b.Loop() {
		b.StopTimer()
		c := m.Clone()
		b.StartTimer()
		before := c.Graph.NumNodes()
		if result := rewrite.Simplify(c, rewrite.Simplifying{}); len(result.Skipped) > 0 {
			b.Fatal(result.Skipped)
		}
		b.ReportMetric(float64(before), "nodes")
		b.ReportMetric(float64(c.Graph.NumNodes()), "left")
	}
}
