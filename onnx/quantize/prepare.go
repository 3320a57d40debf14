package quantize

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Prepare brings weights into the places where products read them: a constant that passes Identity, Reshape or the Transpose of
// a matrix is rearranged, and a constant for each channel that is added to a convolution becomes its bias. The model computes
// what it did.
func Prepare(m *onnx.Model) error {
	g := m.Graph
	for _, n := range g.Nodes() {
		if (n.Is("Conv") || n.Is("MatMul") || n.Is("Gemm")) && n.Input(1) != nil {
			if t := rearranged(n.Input(1), 0); t != nil && n.Input(1).Producer() != nil {
				n.SetInput(1, g.AddInitializer("", t))
			}
		}
		if err := addedBias(g, n); err != nil {
			return err
		}
	}
	g.RemoveUnused()
	g.AssignNames()
	return nil
}

// rearranged is the tensor of a float32 constant behind nodes that only rearrange it; nil when it is none.
func rearranged(v *onnx.Value, depth int) *onnx.Tensor {
	const deepest = 8
	if t := op.ConstantOf(v); t != nil && t.DType == onnx.Float && t.Check() == nil {
		return t
	}
	if v == nil || v.Producer() == nil || depth > deepest {
		return nil
	}
	n := v.Producer()
	switch {
	case n.Is("Identity"), n.Is("Reshape"):
		dims, static := v.Type.Shape.Sizes()
		t := rearranged(n.Input(0), depth+1)
		if t == nil || !static {
			return nil
		}
		if count, err := onnx.ElementCount(dims); err != nil || count != t.Len() {
			return nil
		}
		out := *t
		out.Dims = slices.Clone(dims)
		return &out
	case n.Is("Transpose"):
		t := rearranged(n.Input(0), depth+1)
		if t == nil || len(t.Dims) != 2 || slices.Equal(onnx.AttrOr(n, "perm", []int64{1, 0}), []int64{0, 1}) {
			return nil
		}
		return transposed(t)
	}
	return nil
}

// addedBias takes a constant [C 1 1] that n, an Add, adds to a convolution without a bias into the convolution.
func addedBias(g *onnx.Graph, n *onnx.Node) error {
	if !n.Is("Add") {
		return nil
	}
	for i := range 2 {
		y, t := n.Input(i), op.ConstantOf(n.Input(1-i))
		if y == nil || t == nil || y.Producer() == nil || y.NumUses() != 1 || g.IsOutput(y) || t.DType != onnx.Float || t.Check() != nil {
			continue
		}
		conv := y.Producer()
		if !conv.Is("Conv") || conv.Input(2) != nil || conv.Graph() != g || n.Graph() != g || conv.Input(1) == nil {
			continue
		}
		w, rank := conv.Input(1).Type.Shape, len(y.Type.Shape)
		if len(w) < 3 || !w[0].Known() || rank != len(w) || len(t.Dims) < rank-1 || len(t.Dims) > rank {
			continue
		}
		channels, axis := w[0].Size, len(t.Dims)-rank+1
		if t.Len() != channels || t.Dims[axis] != channels {
			continue
		}
		bias := *t
		bias.Dims = []int64{channels}
		conv.SetInput(2, g.AddInitializer("", &bias))
		name := n.Output(0).Name
		if err := g.ReplaceUses(n.Output(0), y); err != nil {
			return err
		}
		if y.Name != name {
			n.Output(0).Name, y.Name = "", name
		}
		return g.Remove(n)
	}
	return nil
}
