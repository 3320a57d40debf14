package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

var shape = []Schema{
	row("Constant", 7, 0, 0, narrow19, inferConstant, "value", "value_float", "value_floats", "value_int", "value_ints",
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

func inferReshape(n *onnx.Node) ([]onnx.TensorType, error) {
	d := dtypeOf(n, 0)
	dims, given, known := elementsIn(n, 1, "shape")
	if !given {
		return nil, fmt.Errorf("shape is missing")
	}
	if !known {
		rank, err := lengthOf(n, 1)
		if err != nil || rank < 0 {
			return one(d, nil), err
		}
		return one(d, unknownShape(int(rank))), nil
	}
	s, err := reshape(shapeOf(n, 0), dims, onnx.AttrOr(n, "allowzero", int64(0)) != 0)
	return one(d, s), err
}

// elementsIn is intsOf for lists that may be known in part.
func elementsIn(n *onnx.Node, i int, name string) (v []element, given, known bool) {
	if in := n.Input(i); in != nil {
		v, known = elementsOf(in)
		return v, true, known
	}
	list, given, known := intsOf(n, i, name)
	return numbers(list), given, known
}

func numbers(list []int64) []element {
	v := make([]element, len(list))
	for i, x := range list {
		v[i] = number(x)
	}
	return v
}

// reshape is the shape of x with the target dims, of which one may be -1. A single element that is not known is what
// remains, whatever it says.
func reshape(x onnx.Shape, dims []element, allowZero bool) (onnx.Shape, error) {
	if len(dims) > maxRank {
		return nil, fmt.Errorf("shape asks for rank %d, at most %d is possible", len(dims), maxRank)
	}
	out, infer, unknown := make(onnx.Shape, len(dims)), -1, 0
	for i, e := range dims {
		switch {
		case !e.known:
			unknown++
			out[i] = e.dim()
		case e.i == -1 && infer >= 0:
			return nil, fmt.Errorf("shape has more than one -1")
		case e.i == -1:
			infer, out[i] = i, onnx.UnknownDim
		case e.i < 0 || e.i > maxSize:
			return nil, fmt.Errorf("shape: %d is not a size", e.i)
		case e.i == 0 && !allowZero:
			if !x.Ranked() {
				out[i] = onnx.UnknownDim
				continue
			}
			if i >= len(x) {
				return nil, fmt.Errorf("shape copies dimension %d of %v", i, x)
			}
			out[i] = x[i]
		default:
			out[i] = size(e.i)
		}
	}
	if !x.Ranked() {
		return out, nil
	}
	if unknown == 1 && infer < 0 && x.Static() {
		for i, e := range dims {
			if !e.known {
				infer = i
			}
		}
	}
	if infer >= 0 {
		d, err := remaining(x, out, infer)
		if err != nil {
			return nil, fmt.Errorf("%v does not reshape to %v", x, out)
		}
		out[infer] = d
		return out, nil
	}
	from, err := product(x)
	if err != nil {
		return nil, err
	}
	to, err := product(out)
	if err != nil {
		return nil, err
	}
	if _, ok := mergeDim(from, to); !ok {
		return nil, fmt.Errorf("%v does not reshape to %v", x, out)
	}
	return out, nil
}

// remaining is the size of out[hole] that makes the products of x and out equal. Equal symbols cancel.
func remaining(x, out onnx.Shape, hole int) (onnx.Dim, error) {
	num := x.Clone()
	var den onnx.Shape
	for i, d := range out {
		if i == hole {
			continue
		}
		cancelled := false
		if !d.Known() && d.Symbol != "" {
			for j := range num {
				if num[j] == d {
					num[j], cancelled = size(1), true
					break
				}
			}
		}
		if !cancelled {
			den = append(den, d)
		}
	}
	a, restA, err := factors(num)
	if err != nil {
		return onnx.UnknownDim, err
	}
	b, restB, err := factors(den)
	switch {
	case err != nil:
		return onnx.UnknownDim, err
	case b == 0 && a != 0 && len(restA) == 0, b != 0 && a%b != 0 && len(restA)+len(restB) == 0:
		return onnx.UnknownDim, fmt.Errorf("not divisible")
	case b == 0 || a%b != 0 || len(restB) > 0 || len(restA) > 1:
		return onnx.UnknownDim, nil
	case len(restA) == 0:
		return size(a / b), nil
	case a == b:
		return restA[0], nil
	}
	return onnx.UnknownDim, nil
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
