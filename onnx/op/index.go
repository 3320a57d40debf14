package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

// Gather picks entries of x along axis.
func (b *Builder) Gather(x, indices *onnx.Value, axis int64) *onnx.Value {
	return b.node("Gather", []*onnx.Value{x, indices}, onnx.Int("axis", axis))
}

// GatherElements picks along axis the element that indices names, one for each element of indices.
func (b *Builder) GatherElements(x, indices *onnx.Value, axis int64) *onnx.Value {
	return b.node("GatherElements", []*onnx.Value{x, indices}, onnx.Int("axis", axis))
}

// ScatterElements writes updates into a copy of x at indices along axis; reduction is none, add, mul, max
// or min.
func (b *Builder) ScatterElements(x, indices, updates *onnx.Value, axis int64, reduction string) *onnx.Value {
	attrs := []onnx.Attr{onnx.Int("axis", axis)}
	if reduction != "" && reduction != "none" {
		attrs = append(attrs, onnx.Str("reduction", reduction))
	}
	return b.node("ScatterElements", []*onnx.Value{x, indices, updates}, attrs...)
}

// GatherND picks the slices of x that the last axis of indices names, sample by sample over the first batchDims axes.
func (b *Builder) GatherND(x, indices *onnx.Value, batchDims int64) *onnx.Value {
	var attrs []onnx.Attr
	if batchDims != 0 {
		attrs = append(attrs, onnx.Int("batch_dims", batchDims))
	}
	return b.node("GatherND", []*onnx.Value{x, indices}, attrs...)
}

// ScatterND writes updates into a copy of x, each slice where the last axis of indices says; reduction is none, add, mul,
// max or min.
func (b *Builder) ScatterND(x, indices, updates *onnx.Value, reduction string) *onnx.Value {
	var attrs []onnx.Attr
	if reduction != "" && reduction != "none" {
		attrs = append(attrs, onnx.Str("reduction", reduction))
	}
	return b.node("ScatterND", []*onnx.Value{x, indices, updates}, attrs...)
}

// Range is start, start+delta, ... below limit. The three are scalars of one type.
func (b *Builder) Range(start, limit, delta *onnx.Value) *onnx.Value {
	return b.node("Range", []*onnx.Value{start, limit, delta})
}

// ConstantOfShape fills a shape with the only element of value.
func (b *Builder) ConstantOfShape(dims *onnx.Value, value *onnx.Tensor) *onnx.Value {
	return b.node("ConstantOfShape", []*onnx.Value{dims}, onnx.TensorAttr("value", value))
}

var index = []Schema{
	row("Gather", 11, 2, 2, anything13, inferGather, "axis"),
	row("GatherElements", 11, 2, 2, anything13, inferGatherElements, "axis"),
	row("GatherND", 11, 2, 2, anything13, inferGatherND, "batch_dims").lowest(gatherNDLowest),
	row("ScatterElements", 11, 3, 3, anything13, inferScatterElements, "axis", "reduction").lowest(scatterLowest),
	row("Scatter", 9, 3, 3, accepted{{9, anything}}, inferScatterElements, "axis"),
	row("ScatterND", 11, 3, 3, anything13, inferScatterND, "reduction").lowest(scatterLowest),
	row("Range", 11, 3, 3, accepted{{11, setOf(onnx.Float, onnx.Double, onnx.Int16, onnx.Int32, onnx.Int64)}, {27, setOf(onnx.Float16) | bfloat}},
		inferRange, "stash_type"),
	row("ConstantOfShape", 9, 1, 1, accepted{{9, floats | integers | boolean}, {20, bfloat | float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}},
		inferConstantOfShape, "value").typedBy(-1),
	row("EyeLike", 9, 1, 1, accepted{{9, floats | integers | boolean}, {22, bfloat}}, inferEyeLike, "dtype", "k").typedBy(-1),
	row("TopK", 11, 1, 2, accepted{{7, floats}, {11, integers}, {24, bfloat}}, inferTopK, "axis", "k", "largest", "sorted").outs(2).lowest(topKLowest),
	row("NonZero", 9, 1, 1, anything13, inferNonZero),
	row("Compress", 9, 2, 2, accepted{{9, anything}}, inferCompress, "axis"),
	row("ReverseSequence", 10, 2, 2, accepted{{10, anything}}, inferReverseSequence, "batch_axis", "time_axis"),
	row("TensorScatter", 24, 2, 3, accepted{{24, anything | bfloat | float8 | int4 | float4 | exponent}}, inferTensorScatter, "axis", "mode"),
	row("Unique", 11, 1, 1, accepted{{11, anything}, {28, bfloat}}, inferUnique, "axis", "sorted").outs(4),
	row("OneHot", 11, 3, 3, accepted{{9, anything}, {28, bfloat}}, inferOneHot, "axis").typedBy(2),
}

func inferGather(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, indices := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1)
	if t := dtypeOf(n, 1); t != onnx.Undefined && t != onnx.Int64 && t != onnx.Int32 {
		return nil, fmt.Errorf("indices are %v, want int64 or int32", t)
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x))
	if err != nil {
		return nil, err
	}
	if v, ok := ConstantInts(n.Input(1)); ok && x[axis].Known() {
		for _, i := range v {
			if i < -x[axis].Size || i >= x[axis].Size {
				return nil, fmt.Errorf("index %d is outside axis %d of size %d", i, axis, x[axis].Size)
			}
		}
	}
	if !indices.Ranked() {
		return one(d, nil), nil
	}
	s := x[:axis].Clone()
	s = append(append(s, indices...), x[axis+1:]...)
	if s == nil {
		s = onnx.NewShape()
	}
	return one(d, s), nil
}

func scatterLowest(n *onnx.Node) int64 {
	switch onnx.AttrOr(n, "reduction", "none") {
	case "none":
		return 11
	case "add", "mul":
		return 16
	}
	return 18
}

func inferScatterElements(n *onnx.Node) ([]onnx.TensorType, error) {
	x, i, u := shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2)
	if x.Ranked() {
		if _, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x)); err != nil {
			return nil, err
		}
		if i.Ranked() && len(i) != len(x) {
			return nil, fmt.Errorf("indices have rank %d, input has %d", len(i), len(x))
		}
	}
	if i.Ranked() && u.Ranked() {
		same := len(i) == len(u)
		for j := 0; same && j < len(i); j++ {
			_, same = mergeDim(i[j], u[j])
		}
		if !same {
			return nil, fmt.Errorf("indices %v and updates %v differ in shape", i, u)
		}
	}
	return sameAsInput(n)
}

func inferRange(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, 3)
	if err != nil {
		return nil, err
	}
	var v [3]float64
	var elems [3]element
	for i := range v {
		var ok bool
		if elems[i], v[i], ok = scalarElement(n.Input(i)); !ok {
			return one(d, onnx.Shape{onnx.UnknownDim}), nil
		}
	}
	if elems[2].known && v[2] == 1 && !(elems[0].known && elems[1].known) {
		if count, ok := difference(wholeDim(elems[1], v[1]), wholeDim(elems[0], v[0])); ok {
			return one(d, onnx.Shape{count}), nil
		}
	}
	if !elems[0].known || !elems[1].known || !elems[2].known {
		return one(d, onnx.Shape{onnx.UnknownDim}), nil
	}
	count, err := rangeLen(v[0], v[1], v[2])
	return one(d, onnx.NewShape(count)), err
}

// wholeDim is a scalar as a dimension, unknown where it is no natural number.
func wholeDim(e element, v float64) onnx.Dim {
	switch {
	case !e.known:
		return e.dim()
	case v >= 0 && v <= float64(maxSize) && v == math.Floor(v):
		return size(int64(v))
	}
	return onnx.UnknownDim
}

// rangeLen counts start, start+delta, ... before limit.
func rangeLen(start, limit, delta float64) (int64, error) {
	if delta == 0 {
		return 0, fmt.Errorf("delta is 0")
	}
	count := math.Ceil((limit - start) / delta)
	if math.IsNaN(count) || count > float64(maxSize) {
		return 0, fmt.Errorf("%v to %v by %v is not possible", start, limit, delta)
	}
	return int64(max(count, 0)), nil
}

func inferConstantOfShape(n *onnx.Node) ([]onnx.TensorType, error) {
	d := onnx.Float
	if a, ok := n.Attr("value"); ok {
		t, ok := a.Value.(*onnx.Tensor)
		if !ok || t == nil || t.Check() != nil || t.Len() != 1 {
			return nil, fmt.Errorf("value wants one element")
		}
		d = t.DType
	}
	dims, ok := elementsOf(n.Input(0))
	if !ok {
		rank, err := lengthOf(n, 0)
		if err != nil || rank < 0 {
			return one(d, nil), err
		}
		return one(d, unknownShape(int(rank))), nil
	}
	s, err := sizes(dims)
	return one(d, s), err
}
