// Package autodiff adds the gradient of a graph to that graph, as nodes of the standard operators, so that what it adds can
// be differentiated again and runs wherever the graph runs. Sizes may be symbols or unknown: what depends on them, such as
// over which axes a value was broadcast, is then computed when the graph runs.
//
//	g := onnx.NewGraph("square")
//	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 3))
//	b := op.NewBuilder(g)
//	y := b.ReduceSum(b.Mul(x, x), false)
//	dx, err := autodiff.Gradients(g, y, []*onnx.Value{x})
//	if err != nil {
//		return err // names every operator without a rule, with its node and the path from x
//	}
//	g.AddOutput(dx[0], "dx") // 2x
package autodiff
