package training

import (
	"graft/onnx"
	"graft/onnx/op"
)

// groupScales finds the ones and zeros that exporters put into a GroupNorm, which they write as InstanceNormalization of the
// groups, with a scale of ones and a bias of zeros, between two Reshapes, and the layer's own scale and bias, one a channel,
// behind it:
//
//	Reshape(x) -> InstanceNormalization(., 1, 0) -> Reshape -> Mul(., scale) -> Add(., bias)
//
// A number for each group is no parameter of the layer, and the Mul and the Add do whatever it could do. A tensor that anything
// else reads as well is not among them.
func groupScales(g *onnx.Graph) map[*onnx.Value]bool {
	uses := map[*onnx.Value]int{}
	for _, n := range g.Nodes() {
		if !isGroupNorm(n) {
			continue
		}
		for i := 1; i < 3; i++ {
			uses[n.Input(i)]++
		}
	}
	found := map[*onnx.Value]bool{}
	for v, n := range uses {
		found[v] = v.NumUses() == n && !g.IsOutput(v)
	}
	return found
}

// isGroupNorm reports whether n is the normalization in the expression of groupScales.
func isGroupNorm(n *onnx.Node) bool {
	if !n.Is("InstanceNormalization") || !allEqual(n.Input(1), 1) || !allEqual(n.Input(2), 0) {
		return false
	}
	if x := n.Input(0); x == nil || x.Producer() == nil || !x.Producer().Is("Reshape") {
		return false
	}
	for _, reader := range []string{"Reshape", "Mul", "Add"} {
		uses := n.Output(0).Uses()
		if len(uses) != 1 || !uses[0].Node.Is(reader) {
			return false
		}
		made := n.Output(0)
		if n = uses[0].Node; reader == "Reshape" {
			continue
		}
		other := n.Input(0)
		if other == made {
			other = n.Input(1)
		}
		for other != nil && other.Producer() != nil && (other.Producer().Is("Unsqueeze") || other.Producer().Is("Reshape")) {
			other = other.Producer().Input(0) // brought into the shape [C 1 1]
		}
		if op.ConstantOf(other) == nil {
			return false
		}
	}
	return true
}

// allEqual reports whether v is known, of floats, and the same number everywhere.
func allEqual(v *onnx.Value, number float32) bool {
	t := op.ConstantOf(v)
	if t == nil || t.DType != onnx.Float || t.Check() != nil || t.Len() == 0 {
		return false
	}
	for _, x := range t.Float32s() {
		if x != number {
			return false
		}
	}
	return true
}
