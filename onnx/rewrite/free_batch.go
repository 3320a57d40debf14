package rewrite

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// FreeBatch makes the first dimension of every input a symbol, so that a model whose batch is written into it takes any. A
// Reshape of samples to a constant shape that begins with the old batch keeps the batch it is given. A model in which the
// batch goes lost on the way to an output stays fixed: that is an error, and m is not to be used then.
func FreeBatch(m *onnx.Model, symbol string) error {
	g := m.Graph
	var old int64
	var inputs []*onnx.Value
	for _, v := range g.Inputs() {
		if v.IsInitializer() || len(v.Type.Shape) == 0 {
			continue
		}
		if d := v.Type.Shape[0]; d.Known() {
			if old != 0 && d.Size != old {
				return fmt.Errorf("free the batch: the inputs begin with %d and %d: which is the batch?", old, d.Size)
			}
			old = d.Size
			inputs = append(inputs, v)
		}
	}
	if inputs == nil {
		return errors.New("free the batch: no input has a fixed first dimension")
	}
	var outputs []*onnx.Value
	for _, v := range g.Outputs() {
		if s := v.Type.Shape; len(s) > 0 && s[0].Known() && s[0].Size == old {
			outputs = append(outputs, v)
		}
	}
	for _, v := range inputs {
		v.Type.Shape = slices.Clone(v.Type.Shape)
		v.Type.Shape[0] = onnx.Dim{Symbol: symbol}
	}
	for {
		forgetTypes(g)
		op.InferModel(m)
		n := fixedReshape(g, symbol, old)
		if n == nil {
			break
		}
		dims, _ := op.ConstantInts(n.Input(1))
		after := slices.Clone(dims)
		after[0] = 0 // as the input has it
		n.SetInput(1, g.AddInitializer("", onnx.FromSlice(after)))
		g.AssignNames()
	}
	for _, v := range outputs {
		if !carries(v, symbol) {
			return fmt.Errorf("free the batch: output %s does not follow it%s", limits.Name(v.Name), lostAt(g, symbol))
		}
	}
	g.RemoveUnused()
	return nil
}

// forgetTypes takes off what the file says of the values that nodes make, as far as it is a shape.
func forgetTypes(g *onnx.Graph) {
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil {
				v.Type.Shape = nil
			}
		}
	}
}

// fixedReshape is the first Reshape of samples to a constant shape with the old batch in front.
func fixedReshape(g *onnx.Graph, symbol string, old int64) *onnx.Node {
	for _, n := range g.Nodes() {
		if !n.Is("Reshape") || n.NumInputs() < 2 || !carries(n.Input(0), symbol) || onnx.AttrOr(n, "allowzero", int64(0)) != 0 {
			continue
		}
		if dims, ok := op.ConstantInts(n.Input(1)); ok && len(dims) > 0 && dims[0] == old {
			return n
		}
	}
	return nil
}

func carries(v *onnx.Value, symbol string) bool {
	return v != nil && len(v.Type.Shape) > 0 && v.Type.Shape[0].Symbol == symbol
}

// lostAt names the first node that reads a batch and gives none.
func lostAt(g *onnx.Graph, symbol string) string {
	for _, n := range g.Nodes() {
		reads := slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return carries(v, symbol) })
		if reads && n.Output(0) != nil && !carries(n.Output(0), symbol) {
			return fmt.Sprintf(": %v makes %v of it", n, n.Output(0).Type)
		}
	}
	return ""
}
