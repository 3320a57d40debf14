package export

import (
	"graft/onnx"
)

// ForgetInferred takes from the values inside m the types that original does not state, so that a file says no more of its values
// than the one it was made of: in graphs of many small nodes descriptions outweigh the weights.
func ForgetInferred(m, original *onnx.Model) {
	stated := map[string]bool{}
	eachGraph(original.Graph, 0, func(g *onnx.Graph) {
		for _, n := range g.Nodes() {
			for _, o := range n.Outputs() {
				if o != nil && o.Type.DType != onnx.Undefined {
					stated[o.Name] = true
				}
			}
		}
	})
	eachGraph(m.Graph, 0, func(g *onnx.Graph) {
		for _, n := range g.Nodes() {
			for _, o := range n.Outputs() {
				if o != nil && o.IsTensor() && !stated[o.Name] && !g.IsOutput(o) {
					o.Type = onnx.TensorType{}
				}
			}
		}
	})
}

// deepestGraphs is how deep graphs inside nodes may lie.
const deepestGraphs = 32

// eachGraph visits g and the graphs inside its nodes.
func eachGraph(g *onnx.Graph, depth int, visit func(g *onnx.Graph)) {
	visit(g)
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			if depth < deepestGraphs {
				eachGraph(sub, depth+1, visit)
			}
		}
	}
}
