package op

import (
	"fmt"

	"graft/onnx"
)

// inferOptional: an optional of the input's type, or of the type that the attribute names when it is empty.
func inferOptional(n *onnx.Node) ([]onnx.TensorType, error) {
	elem := typeOf(n, 0)
	if n.Input(0) == nil {
		a, ok := n.Attr("type")
		if !ok {
			return nil, fmt.Errorf("neither an input nor a type is given")
		}
		elem, _ = a.Value.(onnx.TensorType)
	}
	if elem.Of != nil && elem.Of.Kind == onnx.Optional {
		return nil, fmt.Errorf("input is %v already", elem)
	}
	return []onnx.TensorType{onnx.OptionalOf(elem)}, nil
}

// inferOptionalGetElement: what the optional holds; what is no optional stays what it is.
func inferOptionalGetElement(n *onnx.Node) ([]onnx.TensorType, error) {
	t := typeOf(n, 0)
	if t.Of != nil && t.Of.Kind == onnx.Optional {
		t = t.Of.Elem
	}
	return []onnx.TensorType{t}, nil
}

func inferOptionalHasElement(*onnx.Node) ([]onnx.TensorType, error) {
	return one(onnx.Bool, onnx.NewShape()), nil
}
