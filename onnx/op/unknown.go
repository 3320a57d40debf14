package op

import (
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
)

// unknowns names the dimensions of which inference knows nothing, such as the number of elements that NonZero finds: values
// that have such a dimension from the same node are then known to agree in it. A name stands for one size each time its
// graph, branch or body runs.
type unknowns struct{ last int64 }

const unknownPrefix = "unk_"

// unknownsOf begins after the names that g has.
func unknownsOf(g *onnx.Graph) *unknowns {
	u := &unknowns{}
	u.graph(g, 0)
	return u
}

func (u *unknowns) graph(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, v := range g.Inputs() {
		u.taken(v)
	}
	for _, n := range g.Nodes() {
		for i := range n.NumOutputs() {
			if v := n.Output(i); v != nil {
				u.taken(v)
			}
		}
		for _, sub := range n.Subgraphs() {
			u.graph(sub, depth+1)
		}
	}
}

func (u *unknowns) taken(v *onnx.Value) {
	for _, d := range elementOfType(v.Type).Shape {
		for _, after, ok := strings.Cut(d.Symbol, unknownPrefix); ok; _, after, ok = strings.Cut(after, unknownPrefix) {
			digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
			if n, err := strconv.ParseInt(after[:min(digits, 15)], 10, 64); err == nil {
				u.last = max(u.last, n)
			}
		}
	}
}

// sameShapes are the operators whose outputs have one shape.
var sameShapes = map[string]bool{"TopK": true, "MaxPool": true, "Dropout": true}

// outputs names the unknown dimensions of what n makes.
func (u *unknowns) outputs(n *onnx.Node) {
	for i := range n.NumOutputs() {
		v := n.Output(i)
		if first := n.Output(0); i > 0 && v != nil && first != nil && sameShapes[n.Op] && len(v.Type.Shape) == len(first.Type.Shape) {
			v.Type.Shape = v.Type.Shape.Clone()
			for j, d := range v.Type.Shape {
				if d == onnx.UnknownDim {
					v.Type.Shape[j] = first.Type.Shape[j]
				}
			}
		}
		u.name(v)
	}
}

// name gives v's unknown dimensions names.
func (u *unknowns) name(v *onnx.Value) {
	if v == nil || !slices.Contains(v.Type.Shape, onnx.UnknownDim) {
		return
	}
	v.Type.Shape = v.Type.Shape.Clone()
	for i, d := range v.Type.Shape {
		if d == onnx.UnknownDim {
			u.last++
			v.Type.Shape[i] = onnx.Dim{Symbol: unknownPrefix + strconv.FormatInt(u.last, 10)}
		}
	}
}
