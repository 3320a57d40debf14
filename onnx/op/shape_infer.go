package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

var shape = []Schema{
	row("Constant", 7, 0, 0, constants, inferConstant, "value", "value_float", "value_floats", "value_int", "value_ints",
		"value_string", "value_strings", "sparse_value").typedBy(-1).lowest(constantLowest),
	row("Reshape", 7, 1, 2, narrow19, inferReshape, "allowzero", "shape").lowest(reshapeLowest),
	row("Shape", 7, 1, 1, narrow19, inferShape, "start", "end").lowest(shapeLowest),
	row("Size", 7, 1, 1, narrow19, inferSize),
	row("Expand", 8, 2, 2, anything13, inferExpand),
	row("Squeeze", 13, 1, 2, narrow21, inferSqueeze, "axes").lowest(axesLowest),
	row("Unsqueeze", 13, 1, 2, narrow21, inferUnsqueeze, "axes").lowest(axesLowest),
	row("Flatten", 11, 1, 1, narrow21, inferFlatten, "axis"),
	row("Concat", 11, 1, -1, anything13, inferConcat, "axis"),
	row("Split", 13, 1, 2, anything13, inferSplit, "axis", "split", "num_outputs").outs(-1).lowest(splitLowest),
	row("Tile", 7, 2, 2, anything13, inferTile),
	row("Slice", 11, 1, 5, anything13, inferSlice, "starts", "ends", "axes").lowest(inputLowest(1, 11)),
	row("Pad", 11, 1, 4, padTypes, inferPad, "mode", "pads", "value").lowest(padLowest),
	row("DepthToSpace", 11, 1, 1, anything13, inferDepthToSpace, "blocksize", "mode"),
	row("SpaceToDepth", 7, 1, 1, anything13, inferSpaceToDepth, "blocksize"),
}

var constants = accepted{{7, floats}, {9, anything}, {13, bfloat}, {19, float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}}

var padTypes = accepted{{11, floats | integers}, {13, anything | bfloat}, {21, float8 | int4}, {23, float4}, {24, exponent}, {25, int2}}

// constantLowest: sparse values came with 11, values of other attributes with 12; integers and text need 9.
func constantLowest(n *onnx.Node) int64 {
	for _, a := range n.Attrs {
		switch v := a.Value.(type) {
		case *onnx.Tensor:
			if v != nil && floats.has(v.DType) {
				return 7
			}
			return 9
		case onnx.Opaque:
			return 11
		}
	}
	return 12
}

func reshapeLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("allowzero"); ok {
		return 14
	}
	return 7
}

func shapeLowest(n *onnx.Node) int64 {
	_, start := n.Attr("start")
	_, end := n.Attr("end")
	if start || end {
		return 15
	}
	return 7
}

// axesLowest: axes are an input since 13.
func axesLowest(n *onnx.Node) int64 {
	if n.Input(1) == nil {
		return 7
	}
	return 13
}

// inputLowest: what input i holds was an attribute before since.
func inputLowest(i int, since int64) func(n *onnx.Node) int64 {
	return func(n *onnx.Node) int64 {
		if n.Input(i) == nil {
			return 7
		}
		return since
	}
}

func splitLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("num_outputs"); ok {
		return 18
	}
	return inputLowest(1, 13)(n)
}

// padLowest: axes came with 18, wrap with 19.
func padLowest(n *onnx.Node) int64 {
	switch {
	case onnx.AttrOr(n, "mode", "constant") == "wrap":
		return 19
	case n.Input(3) != nil:
		return 18
	}
	return inputLowest(1, 11)(n)
}

func inferConstant(n *onnx.Node) ([]onnx.TensorType, error) {
	if len(n.Attrs) != 1 {
		return nil, fmt.Errorf("%d attributes, wants one", len(n.Attrs))
	}
	switch v := n.Attrs[0].Value.(type) {
	case *onnx.Tensor:
		if v != nil {
			return []onnx.TensorType{v.Type()}, nil
		}
	case float32:
		return one(onnx.Float, onnx.NewShape()), nil
	case []float32:
		return one(onnx.Float, onnx.NewShape(int64(len(v)))), nil
	case int64:
		return one(onnx.Int64, onnx.NewShape()), nil
	case []int64:
		return one(onnx.Int64, onnx.NewShape(int64(len(v)))), nil
	case string:
		return one(onnx.String, onnx.NewShape()), nil
	case []string:
		return one(onnx.String, onnx.NewShape(int64(len(v)))), nil
	case onnx.Opaque: // a sparse tensor
		return one(onnx.Undefined, nil), nil
	}
	return nil, fmt.Errorf("attribute %s is not a constant", n.Attrs[0].Name)
}

// lengthOf is the number of elements of a vector input, -1 when unknown.
func lengthOf(n *onnx.Node, i int) (int64, error) {
	s := shapeOf(n, i)
	switch {
	case !s.Ranked():
		return -1, nil
	case len(s) != 1:
		return 0, fmt.Errorf("input %d has rank %d, wants 1", i, len(s))
	case !s[0].Known():
		return -1, nil
	case s[0].Size > maxRank:
		return 0, fmt.Errorf("input %d asks for rank %d, at most %d is possible", i, s[0].Size, maxRank)
	}
	return s[0].Size, nil
}

func inferShape(n *onnx.Node) ([]onnx.TensorType, error) {
	x := shapeOf(n, 0)
	if !x.Ranked() {
		return one(onnx.Int64, onnx.Shape{onnx.UnknownDim}), nil
	}
	lo, hi := shapeSpan(n, len(x))
	return one(onnx.Int64, onnx.NewShape(int64(hi-lo))), nil
}

// shapeSpan is the part of the dimensions that a Shape node gives.
func shapeSpan(n *onnx.Node, rank int) (lo, hi int) {
	clamp := func(v int64) int {
		if v < 0 {
			v += int64(rank)
		}
		return int(min(max(v, 0), int64(rank)))
	}
	lo, hi = clamp(onnx.AttrOr(n, "start", int64(0))), clamp(onnx.AttrOr(n, "end", int64(math.MaxInt64)))
	return lo, max(lo, hi)
}

func inferExpand(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	dims, ok := elementsOf(n.Input(1))
	if !ok {
		rank, err := lengthOf(n, 1)
		if err != nil || rank < 0 || !x.Ranked() {
			return one(d, nil), err
		}
		return one(d, unknownShape(max(int(rank), len(x)))), nil
	}
	to, err := sizes(dims)
	if err != nil {
		return nil, err
	}
	s, err := broadcastShapes(x, to)
	return one(d, s), err
}

// sizes makes a shape of a list from the file.
func sizes(dims []element) (onnx.Shape, error) {
	if len(dims) > maxRank {
		return nil, fmt.Errorf("rank %d, at most %d is possible", len(dims), maxRank)
	}
	s := make(onnx.Shape, len(dims))
	for i, e := range dims {
		if e.known && (e.i < 0 || e.i > maxSize) {
			return nil, fmt.Errorf("%d is not a size", e.i)
		}
		s[i] = e.dim()
	}
	return s, nil
}

func inferSize(n *onnx.Node) ([]onnx.TensorType, error) { return one(onnx.Int64, onnx.NewShape()), nil }
