// Package op knows the operators: a table of schemas with their shape rules, and a builder that adds nodes to a graph and
// infers their types as it goes.
//
//	g := onnx.NewGraph("mlp")
//	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 4))
//	w := g.AddInitializer("w", onnx.NewTensor(onnx.Float, 4, 2))
//	b := op.NewBuilder(g)
//	g.AddOutput(b.Relu(b.MatMul(x, w)), "y")
//	if err := b.Err(); err != nil {
//		return err // the first thing that went wrong: "mlp: MatMul: inner dimensions differ: [1 3] x [4 2]"
//	}
package op
