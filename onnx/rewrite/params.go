package rewrite

import (
	"fmt"

	"graft/onnx"
)

// Bind makes an input an initializer that holds t, and gives the new value. The name stays.
func Bind(g *onnx.Graph, input *onnx.Value, t *onnx.Tensor) (*onnx.Value, error) {
	if !g.IsInput(input) {
		return nil, fmt.Errorf("bind %q: it is no input", input.Name)
	}
	if !holds(input.Type, t) {
		return nil, fmt.Errorf("bind %q: it is %v, the tensor %v", input.Name, input.Type, t.Type())
	}
	v := g.AddInitializer(input.Name, t)
	if err := g.ReplaceUses(input, v); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	return v, g.RemoveInput(input)
}

// holds reports whether a value of a type may be t.
func holds(want onnx.TensorType, t *onnx.Tensor) bool {
	if want.DType != t.DType || want.Shape.Ranked() && len(want.Shape) != len(t.Dims) {
		return false
	}
	for i, d := range want.Shape {
		if d.Known() && d.Size != t.Dims[i] {
			return false
		}
	}
	return true
}

// Lift makes an initializer an input of the same name, and gives the new value and what the initializer held.
func Lift(g *onnx.Graph, initializer *onnx.Value) (*onnx.Value, *onnx.Tensor, error) {
	t := initializer.Const
	if t == nil || g.IsInput(initializer) {
		return nil, nil, fmt.Errorf("lift %q: it is no initializer alone", initializer.Name)
	}
	v := g.AddInput(initializer.Name, initializer.Type)
	if err := g.ReplaceUses(initializer, v); err != nil {
		return nil, nil, fmt.Errorf("lift: %w", err)
	}
	g.RemoveUnused()
	return v, t, nil
}
