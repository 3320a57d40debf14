package runtime

import (
	"errors"

	"graft/onnx"
)

// largeWeight is the size from which on a weight is handed to ONNX Runtime as it is, not as a part of the model's bytes.
const largeWeight = 256 << 10

// encode gives the bytes of a model, and the weights that are to be handed over beside them. Of a model that is too large so,
// large constants in nodes and in graphs inside nodes become initializers of the outermost graph first.
func encode(m *onnx.Model) (data []byte, apart []onnx.Apart, err error) {
	data, apart, err = m.EncodeApart(largeWeight)
	var large *onnx.TooLargeError
	if !errors.As(err, &large) {
		return data, apart, err
	}
	m = m.Clone()
	lift(m.Graph, m.Graph)
	return m.EncodeApart(largeWeight)
}

// lift makes initializers of main of the large constants in g, a graph in main.
func lift(main, g *onnx.Graph) {
	outermost := main == g
	add := func(old *onnx.Value, t *onnx.Tensor) bool {
		if t == nil || len(t.Data) < largeWeight || g.IsOutput(old) || g.IsInput(old) {
			return false
		}
		v := main.AddInitializer("", t)
		if outermost {
			v.Name, old.Name = old.Name, ""
		}
		return main.ReplaceUses(old, v) == nil
	}
	moved := false
	if !outermost {
		for _, v := range g.Initializers() {
			moved = add(v, v.Const) || moved
		}
	}
	for _, n := range g.Nodes() {
		if t := onnx.AttrOr[*onnx.Tensor](n, "value", nil); n.Is("Constant") && n.NumOutputs() == 1 {
			moved = add(n.Output(0), t) || moved
			continue
		}
		for _, sub := range n.Subgraphs() {
			lift(main, sub)
		}
	}
	if moved {
		g.RemoveUnused()
	}
}
