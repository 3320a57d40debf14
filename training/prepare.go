package training

import (
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// prepare brings a model into the form that training forms are made of: without functions, in the engines' opset, with the
// types of all values, and every weight an initializer that nobody feeds. What is computed from constants alone is computed;
// what is computed from a weight stays, so that the weight is what is trained.
func prepare(m *onnx.Model) error {
	if err := rewrite.Inline(m); err != nil {
		return err
	}
	if err := rewrite.Upgrade(m); err != nil {
		return limits.Refuse("opset", "%v", err)
	}
	g := m.Graph
	g.UnlistInitializers()
	hoist(g)
	if err := op.InferGraph(g); err != nil {
		return err
	}
	if _, err := rewrite.Fold(g, rewrite.Folding{
		Keep:   func(v *onnx.Value) bool { return v.Const == nil || v.Const.DType.IsFloat() },
		Weight: func(u onnx.Use) bool { return op.IsWeightInput(u.Node, u.Index) || addsBias(u) || isStatistic(u) },
	}); err != nil {
		return err
	}
	return narrowWeights(g)
}

// narrowWeights refuses a model all of whose weights are of another floating-point type than float.
func narrowWeights(g *onnx.Graph) error {
	if len(Parameters(g)) > 0 {
		return nil
	}
	for _, v := range g.Initializers() {
		if op.IsParameter(v) {
			return limits.Refuse("weights", "%s is %v, and there is none of type float, which training is in", limits.Name(v.Name), v.Type.DType).
				WithHint("convert the model to float weights first")
		}
	}
	return nil
}

// addsBias reports whether a use is the addition of a bias to what a linear operator gives.
func addsBias(u onnx.Use) bool {
	if !u.Node.Is("Add") {
		return false
	}
	other := u.Node.Input(1 - u.Index)
	return other != nil && other.Producer() != nil && slices.Contains([]string{"MatMul", "Conv", "Gemm", "Einsum"}, other.Producer().Op)
}

// isStatistic reports whether a use reads a running mean or variance, which is a buffer.
func isStatistic(u onnx.Use) bool { return u.Node.Is("BatchNormalization") && u.Index >= 3 }
