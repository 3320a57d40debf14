package op

import (
	"fmt"

	"graft/onnx"
)

var (
	drawn      = accepted{{15, floats}, {22, bfloat}}
	anything22 = accepted{{7, anything}, {22, bfloat}}
)

// Operators that draw random numbers: only read, never emitted, for they cannot be resumed.
var random = []Schema{
	row("Bernoulli", 15, 1, 1, drawn, inferBernoulli, "dtype", "seed"),
	row("Multinomial", 7, 1, 1, floats22, inferMultinomial, "dtype", "sample_size", "seed"),
	row("RandomNormal", 7, 0, 0, floats22, inferRandom, "dtype", "mean", "scale", "seed", "shape").typedBy(-1),
	row("RandomUniform", 7, 0, 0, floats22, inferRandom, "dtype", "high", "low", "seed", "shape").typedBy(-1),
	row("RandomNormalLike", 7, 1, 1, anything22, inferRandomLike, "dtype", "mean", "scale", "seed"),
	row("RandomUniformLike", 7, 1, 1, anything22, inferRandomLike, "dtype", "high", "low", "seed"),
}

// typeAttr reads an attribute that is the number of an element type; def where it is absent. It must be one of allowed.
func typeAttr(n *onnx.Node, name string, def onnx.DataType, allowed typeSet) (onnx.DataType, error) {
	a, ok := n.Attr(name)
	if !ok {
		return def, nil
	}
	to, isInt := a.Value.(int64)
	if !isInt || to <= 0 || to > 1<<16 || !onnx.DataType(to).Valid() {
		return def, fmt.Errorf("%s = %v is not an element type", name, a.Value)
	}
	if !allowed.has(onnx.DataType(to)) {
		return def, fmt.Errorf("%s = %v is not possible", name, onnx.DataType(to))
	}
	return onnx.DataType(to), nil
}

// inferBernoulli: a draw for each probability.
func inferBernoulli(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "dtype", dtypeOf(n, 0), floats|bfloat|integers|boolean)
	return one(d, shapeOf(n, 0).Clone()), err
}

// inferMultinomial: [batch, classes] to [batch, sample_size].
func inferMultinomial(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "dtype", onnx.Int32, setOf(onnx.Int32, onnx.Int64))
	if err != nil {
		return nil, err
	}
	x, count := shapeOf(n, 0), onnx.AttrOr(n, "sample_size", int64(1))
	if count < 0 || count > maxSize {
		return nil, fmt.Errorf("sample_size %d is not possible", count)
	}
	if !x.Ranked() {
		return one(d, onnx.Shape{onnx.UnknownDim, size(count)}), nil
	}
	if len(x) != 2 {
		return nil, fmt.Errorf("input has rank %d, wants 2", len(x))
	}
	return one(d, onnx.Shape{x[0], size(count)}), nil
}

func inferRandom(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "dtype", onnx.Float, floats|bfloat)
	if err != nil {
		return nil, err
	}
	a, ok := n.Attr("shape")
	dims, isInts := a.Value.([]int64)
	if !ok || !isInts {
		return nil, fmt.Errorf("shape is missing")
	}
	s, err := sizes(numbers(dims))
	return one(d, s), err
}

func inferRandomLike(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "dtype", dtypeOf(n, 0), floats|bfloat)
	if err == nil && d != onnx.Undefined && !(floats | bfloat).has(d) {
		err = fmt.Errorf("dtype is missing and the input is %v, which cannot be drawn", d)
	}
	return one(d, shapeOf(n, 0).Clone()), err
}
