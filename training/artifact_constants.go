package training

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// nameConstants makes initializers of the weights that are Constant or ConstantOfShape nodes.
func (p *plan) nameConstants() error {
	g := p.base.Graph
	g.AssignNames()
	for _, n := range g.Nodes() {
		v := n.Output(0)
		if v == nil || g.IsOutput(v) || !slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool { return op.IsWeightInput(u.Node, u.Index) || addsBias(u) }) {
			continue
		}
		t, err := constantOf(n)
		if err != nil {
			return err
		}
		if t == nil || !t.DType.IsFloat() || len(t.Dims) == 0 {
			continue
		}
		name := v.Name
		v.Name = ""
		if err := g.ReplaceUses(v, g.AddInitializer(name, t)); err != nil {
			return err
		}
	}
	g.RemoveUnused()
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

// constantOf is the tensor of a Constant or ConstantOfShape node that holds a weight; nil for other nodes.
func constantOf(n *onnx.Node) (*onnx.Tensor, error) {
	if n.Is("Constant") {
		return op.ConstantOf(n.Output(0)), nil
	}
	if !n.Is("ConstantOfShape") {
		return nil, nil
	}
	dims, ok := op.ConstantInts(n.Input(0))
	if !ok {
		return nil, nil
	}
	const most = 1 << 28
	if count, err := onnx.ElementCount(dims); err != nil || count > most {
		return nil, fmt.Errorf("%v: a weight of shape %v: at most %d elements are made", n, dims, int64(most))
	}
	value := onnx.AttrOr(n, "value", onnx.FromSlice([]float32{0}))
	if value.DType != onnx.Float || value.Check() != nil || value.Len() != 1 {
		return nil, nil
	}
	t := onnx.NewTensor(onnx.Float, dims...)
	if v := value.Float32s()[0]; v != 0 {
		for i := range t.Float32s() {
			t.Float32s()[i] = v
		}
	}
	return t, nil
}
