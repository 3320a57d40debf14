package op

import (
	"fmt"

	"graft/onnx"
)

func gatherNDLowest(n *onnx.Node) int64 {
	if _, ok := n.Attr("batch_dims"); ok {
		return 12
	}
	return 11
}

func inferGatherElements(n *onnx.Node) ([]onnx.TensorType, error) {
	x, i := shapeOf(n, 0), shapeOf(n, 1)
	if x.Ranked() {
		if _, err := axisOf(onnx.AttrOr(n, "axis", int64(0)), len(x)); err != nil {
			return nil, err
		}
		if i.Ranked() && len(i) != len(x) {
			return nil, fmt.Errorf("indices have rank %d, input has %d", len(i), len(x))
		}
	}
	return one(dtypeOf(n, 0), i.Clone()), nil
}

// inferGatherND: indices [batch..., places..., k] pick slices of x by their first k dimensions after the batch.
func inferGatherND(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x, i := dtypeOf(n, 0), shapeOf(n, 0), shapeOf(n, 1)
	if !x.Ranked() || !i.Ranked() {
		return one(d, nil), nil
	}
	if len(x) < 1 || len(i) < 1 {
		return nil, fmt.Errorf("input has rank %d and indices have rank %d, want 1 or more", len(x), len(i))
	}
	batch := onnx.AttrOr(n, "batch_dims", int64(0))
	if batch < 0 || batch >= int64(min(len(x), len(i))) {
		return nil, fmt.Errorf("batch_dims %d is not possible for ranks %d and %d", batch, len(x), len(i))
	}
	for j := range batch {
		if _, ok := mergeDim(x[j], i[j]); !ok {
			return nil, fmt.Errorf("batch dimension %d differs: %v and %v", j, x[j], i[j])
		}
	}
	k := i[len(i)-1]
	if !k.Known() {
		return one(d, nil), nil
	}
	if k.Size < 1 || k.Size > int64(len(x))-batch {
		return nil, fmt.Errorf("indices of length %d for rank %d", k.Size, int64(len(x))-batch)
	}
	s := append(onnx.NewShape(), i[:len(i)-1]...)
	return one(d, append(s, x[batch+k.Size:]...)), nil
}

func inferScatterND(n *onnx.Node) ([]onnx.TensorType, error) {
	x, i, u := shapeOf(n, 0), shapeOf(n, 1), shapeOf(n, 2)
	if _, err := scatterTypes(n); err != nil {
		return nil, err
	}
	if !x.Ranked() || !i.Ranked() {
		return sameAsInput(n)
	}
	if len(x) < 1 || len(i) < 1 {
		return nil, fmt.Errorf("input has rank %d and indices have rank %d, want 1 or more", len(x), len(i))
	}
	k := i[len(i)-1]
	if !k.Known() || !u.Ranked() {
		return sameAsInput(n)
	}
	if k.Size > int64(len(x)) {
		return nil, fmt.Errorf("indices of length %d for rank %d", k.Size, len(x))
	}
	want := append(append(onnx.NewShape(), i[:len(i)-1]...), x[k.Size:]...)
	same := len(want) == len(u)
	for j := 0; same && j < len(u); j++ {
		_, same = mergeDim(want[j], u[j])
	}
	if !same {
		return nil, fmt.Errorf("updates have shape %v, want %v", u, want)
	}
	return sameAsInput(n)
}

// scatterTypes: input and updates have one element type.
func scatterTypes(n *onnx.Node) (onnx.DataType, error) {
	d, u := dtypeOf(n, 0), dtypeOf(n, 2)
	if d != onnx.Undefined && u != onnx.Undefined && d != u {
		return d, fmt.Errorf("element types differ: %v and %v", d, u)
	}
	return d, nil
}

func inferEyeLike(n *onnx.Node) ([]onnx.TensorType, error) {
	x, d := shapeOf(n, 0), dtypeOf(n, 0)
	if x.Ranked() && len(x) != 2 {
		return nil, fmt.Errorf("input has rank %d, wants 2", len(x))
	}
	if to := onnx.AttrOr(n, "dtype", int64(0)); to != 0 {
		if to < 0 || to > 1<<16 || !onnx.DataType(to).Valid() {
			return nil, fmt.Errorf("dtype = %d is not an element type", to)
		}
		d = onnx.DataType(to)
	}
	return one(d, x.Clone()), nil
}

// topKLowest: k is an input since 10; largest and sorted came with 11.
func topKLowest(n *onnx.Node) int64 {
	_, largest := n.Attr("largest")
	_, sorted := n.Attr("sorted")
	switch {
	case largest || sorted:
		return 11
	case n.Input(1) != nil:
		return 10
	}
	return 7
}

func inferTopK(n *onnx.Node) ([]onnx.TensorType, error) {
	if _, ok := n.Attr("k"); !ok && n.Input(1) == nil {
		return nil, fmt.Errorf("k is missing")
	}
	x := shapeOf(n, 0)
	s := x.Clone()
	if x.Ranked() {
		axis, err := axisOf(onnx.AttrOr(n, "axis", int64(-1)), len(x))
		if err != nil {
			return nil, err
		}
		s[axis] = onnx.UnknownDim
		k, ok := []element{number(onnx.AttrOr(n, "k", int64(0)))}, true
		if n.Input(1) != nil {
			k, ok = elementsOf(n.Input(1))
		}
		if ok {
			if len(k) != 1 {
				return nil, fmt.Errorf("k has %d elements, wants one", len(k))
			}
			if k := k[0]; k.known && (k.i < 0 || k.i > maxSize || (x[axis].Known() && k.i > x[axis].Size)) {
				return nil, fmt.Errorf("k = %d is not possible on axis %d of %v", k.i, axis, x)
			}
			s[axis] = k[0].dim()
		}
	}
	return []onnx.TensorType{{DType: dtypeOf(n, 0), Shape: s}, {DType: onnx.Int64, Shape: s.Clone()}}, nil
}

func inferNonZero(n *onnx.Node) ([]onnx.TensorType, error) {
	s, x := unknownShape(2), shapeOf(n, 0)
	if x.Ranked() {
		s[0] = size(int64(len(x)))
	}
	if filledWithOthers(n.Input(0)) {
		var err error
		if s[1], err = product(x); err != nil {
			return nil, err
		}
	}
	return one(onnx.Int64, s), nil
}

// filledWithOthers reports whether v is ConstantOfShape of something that is not zero: exporters count with NonZero of that.
func filledWithOthers(v *onnx.Value) bool {
	if v.Producer() == nil || !v.Producer().Is("ConstantOfShape") || !v.Type.Shape.Ranked() {
		return false
	}
	t := onnx.AttrOr[*onnx.Tensor](v.Producer(), "value", nil)
	if t == nil || t.Check() != nil {
		return false
	}
	values, ok := t.Reals()
	return ok && len(values) == 1 && values[0] != 0
}

func inferOneHot(n *onnx.Node) ([]onnx.TensorType, error) {
	x, d := shapeOf(n, 0), dtypeOf(n, 2)
	if v := shapeOf(n, 2); v.Ranked() && (len(v) != 1 || (v[0].Known() && v[0].Size != 2)) {
		return nil, fmt.Errorf("values have shape %v, want two entries", v)
	}
	if !x.Ranked() {
		return one(d, nil), nil
	}
	axis, err := axisOf(onnx.AttrOr(n, "axis", int64(-1)), len(x)+1)
	if err != nil {
		return nil, err
	}
	depth := onnx.UnknownDim
	if f, ok := scalarOf(n.Input(1)); ok {
		if !(f >= 0 && f <= float64(maxSize)) {
			return nil, fmt.Errorf("depth %v is not possible", f)
		}
		depth = size(int64(f))
	}
	s := append(onnx.NewShape(), x[:axis]...)
	return one(d, append(append(s, depth), x[axis:]...)), nil
}

// inferUnique: the different elements, or slices along axis; where each is first; what each input is; and how often each
// is there.
func inferUnique(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	list := func(d onnx.Dim) onnx.TensorType { return onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{d}} }
	types := []onnx.TensorType{{DType: d, Shape: onnx.Shape{onnx.UnknownDim}}, list(onnx.UnknownDim), list(onnx.UnknownDim), list(onnx.UnknownDim)}
	a, given := n.Attr("axis")
	along, isInt := a.Value.(int64)
	switch {
	case given && !isInt:
		return nil, fmt.Errorf("axis is no integer")
	case !x.Ranked() && given:
		types[0].Shape = nil
	case !x.Ranked():
	case !given:
		whole, err := product(x)
		if err != nil {
			return nil, err
		}
		types[2].Shape[0] = whole
	default:
		axis, err := axisOf(along, len(x))
		if err != nil {
			return nil, err
		}
		types[0].Shape, types[2].Shape[0] = x.Clone(), x[axis]
		types[0].Shape[axis] = onnx.UnknownDim
	}
	return types, nil
}
