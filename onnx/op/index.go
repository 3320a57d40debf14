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

// GatherElements picks, at each place of indices, the entry of x that the index names along axis.
func (b *Builder) GatherElements(x, indices *onnx.Value, axis int64) *onnx.Value {
	return b.node("GatherElements", []*onnx.Value{x, indices}, onnx.Int("axis", axis))
}

// ScatterElements writes updates into a copy of x at indices along axis; reduction is none or add.
func (b *Builder) ScatterElements(x, indices, updates *onnx.Value, axis int64, reduction string) *onnx.Value {
	attrs := []onnx.Attr{onnx.Int("axis", axis)}
	if reduction != "" && reduction != "none" {
		attrs = append(attrs, onnx.Str("reduction", reduction))
	}
	return b.node("ScatterElements", []*onnx.Value{x, indices, updates}, attrs...)
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
	{Name: "Gather", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Attributes: []string{"axis"}, Infer: inferGather},
	{Name: "GatherElements", Since: 13, MinIn: 2, MaxIn: 2, Out: 1, Attributes: []string{"axis"}, Infer: inferGatherElements},
	{Name: "ScatterElements", Since: 13, Lowest: scatterLowest, MinIn: 3, MaxIn: 3, Out: 1, Attributes: []string{"axis", "reduction"}, Infer: inferScatterElements},
	{Name: "Range", Since: 11, MinIn: 3, MaxIn: 3, Out: 1, Infer: inferRange},
	{Name: "ConstantOfShape", Since: 9, MinIn: 1, MaxIn: 1, Out: 1, Attributes: []string{"value"}, Infer: inferConstantOfShape},
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

func inferGatherElements(n *onnx.Node) ([]onnx.TensorType, error) {
	x, indices := shapeOf(n, 0), shapeOf(n, 1)
	if x.Ranked() {
		if _, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x)); err != nil {
			return nil, err
		}
		if indices.Ranked() && len(indices) != len(x) {
			return nil, fmt.Errorf("indices have rank %d, input has %d", len(indices), len(x))
		}
	}
	return one(dtypeOf(n, 0), indices.Clone()), nil
}

func scatterLowest(n *onnx.Node) int64 {
	switch onnx.AttrOr(n, "reduction", "none") {
	case "none":
		return 13
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
	for i := range v {
		t := ConstantOf(n.Input(i))
		f, ok := scalarValue(t)
		if !ok {
			return one(d, onnx.Shape{onnx.UnknownDim}), nil
		}
		v[i] = f
	}
	if v[2] == 0 {
		return nil, fmt.Errorf("delta is 0")
	}
	count := math.Ceil((v[1] - v[0]) / v[2])
	switch {
	case math.IsNaN(count) || count > float64(maxSize):
		return nil, fmt.Errorf("%v to %v by %v is not possible", v[0], v[1], v[2])
	case count < 0:
		count = 0
	}
	return one(d, onnx.NewShape(int64(count))), nil
}

// scalarValue is the only element of a numeric tensor.
func scalarValue(t *onnx.Tensor) (float64, bool) {
	if t == nil || t.Check() != nil || t.Len() != 1 {
		return 0, false
	}
	switch t.DType {
	case onnx.Float:
		return float64(t.Float32s()[0]), true
	case onnx.Double:
		return onnx.View[float64](t)[0], true
	case onnx.Int64:
		return float64(t.Int64s()[0]), true
	case onnx.Int32:
		return float64(onnx.View[int32](t)[0]), true
	case onnx.Int16:
		return float64(onnx.View[int16](t)[0]), true
	}
	return 0, false
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
	dims, ok := ConstantInts(n.Input(0))
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
