package op

import (
	"math"

	"graft/onnx"
)

// Bounds of the evaluator: it is for the arithmetic of shapes, not for weights.
const (
	maxElements = 64   // of one array
	maxFloats   = 32   // of one array of floats: scales and bounds
	maxWork     = 1024 // elements made for one question
	maxDepth    = 256  // nodes between a question and the constants that answer it
)

// element is one entry of an array: a number, a dimension's symbol, or unknown.
type element struct {
	known  bool
	i      int64   // of integer and Boolean arrays
	f      float64 // of floating-point arrays
	symbol string  // when not known: the dimension that it equals; empty: unknown
}

func number(i int64) element { return element{known: true, i: i} }

func (e element) dim() onnx.Dim {
	switch {
	case e.known:
		return onnx.Dim{Size: max(e.i, -1)}
	case e.symbol != "":
		return onnx.Dim{Symbol: e.symbol}
	}
	return onnx.UnknownDim
}

func elementOf(d onnx.Dim) element {
	if d.Known() {
		return number(d.Size)
	}
	return element{symbol: d.Symbol}
}

// array is a small tensor of which some elements may be unknown.
type array struct {
	dtype onnx.DataType
	dims  []int64
	elems []element
}

// newArray has all elements unknown; nil when it would be too large.
func newArray(d onnx.DataType, dims []int64) *array {
	n, err := onnx.ElementCount(dims)
	if err != nil || n > maxElements || (d.IsFloat() && n > maxFloats) || len(dims) > maxRank {
		return nil
	}
	return &array{d, dims, make([]element, n)}
}

func vector(d onnx.DataType, elems []element) *array {
	return &array{d, []int64{int64(len(elems))}, elems}
}

// ints gives the elements when all of them are known integers.
func (a *array) ints() ([]int64, bool) {
	if a == nil || a.dtype.IsFloat() {
		return nil, false
	}
	out := make([]int64, len(a.elems))
	for i, e := range a.elems {
		if !e.known {
			return nil, false
		}
		out[i] = e.i
	}
	return out, true
}

// evaluation answers one question: each value is computed once, and all of them share a budget.
type evaluation struct {
	memo map[*onnx.Value]*array
	work int
}

// evaluate gives what is known of v's elements before the graph runs; nil: nothing.
func evaluate(v *onnx.Value) *array {
	if v == nil {
		return nil
	}
	if t := ConstantOf(v); t != nil {
		return arrayOf(t)
	}
	if a, ok := remembered(v); ok {
		return a
	}
	e := evaluation{work: maxWork}
	return e.value(v, 0)
}

func (e *evaluation) value(v *onnx.Value, depth int) *array {
	if a, ok := remembered(v); ok {
		return a
	}
	if a, ok := e.memo[v]; ok {
		return a
	}
	if v.Producer() == nil {
		a := arrayOf(v.Const)
		if a == nil {
			a = unknownArray(v.Type)
		}
		if a != nil {
			e.work -= len(a.elems)
		}
		return a
	}
	if e.memo == nil {
		e.memo = map[*onnx.Value]*array{}
	}
	if depth > maxDepth || e.work <= 0 {
		return nil
	}
	e.memo[v] = nil // what a cycle asks
	e.work--
	a := e.compute(v, depth)
	if a == nil && e.work > 0 {
		a = unknownArray(v.Type)
	}
	if a != nil {
		e.work -= len(a.elems)
	}
	e.memo[v] = a
	return a
}

// unknownArray stands for a value of which only the number of elements is known.
func unknownArray(t onnx.TensorType) *array {
	switch t.DType {
	case onnx.Int64, onnx.Int32, onnx.Bool, onnx.Float, onnx.Double:
		if len(t.Shape) <= 1 {
			if dims, ok := t.Shape.Sizes(); ok {
				return newArray(t.DType, dims)
			}
		}
	}
	return nil
}

func (e *evaluation) compute(v *onnx.Value, depth int) *array {
	if t := ConstantOf(v); t != nil {
		return arrayOf(t)
	}
	n := v.Producer()
	if n == nil || !n.Is(n.Op) || n.NumInputs() > maxElements {
		return nil
	}
	if n.Op == "Shape" || n.Op == "Size" {
		return shapeArray(n)
	}
	if always, _ := branches(n); always != nil {
		if outs := always.Outputs(); v.OutputIndex() < len(outs) {
			return e.value(outs[v.OutputIndex()], depth+1)
		}
		return nil
	}
	f := evaluators[n.Op]
	if f == nil {
		return nil
	}
	in := make([]*array, n.NumInputs())
	for i := range in {
		if x := n.Input(i); x != nil {
			if in[i] = e.value(x, depth+1); in[i] == nil {
				return nil
			}
		}
	}
	if len(in) == 0 || in[0] == nil || e.work <= 0 {
		return nil
	}
	return f(n, in, v.OutputIndex())
}

// shapeArray is the value of a Shape or Size node.
func shapeArray(n *onnx.Node) *array {
	x := shapeOf(n, 0)
	if !x.Ranked() || len(x) > maxRank {
		return nil
	}
	if n.Op == "Size" {
		d, err := product(x)
		if err != nil {
			return nil
		}
		return &array{onnx.Int64, nil, []element{elementOf(d)}}
	}
	lo, hi := shapeSpan(n, len(x))
	elems := make([]element, 0, hi-lo)
	for _, d := range x[lo:hi] {
		elems = append(elems, elementOf(d))
	}
	return vector(onnx.Int64, elems)
}

// arrayOf reads a small tensor; nil when it is large, damaged or of a type that shapes are not made of.
func arrayOf(t *onnx.Tensor) *array {
	if t == nil {
		return nil
	}
	a := newArray(t.DType, t.Dims)
	if a == nil || t.Check() != nil {
		return nil
	}
	switch t.DType {
	case onnx.Int64:
		fill(a, onnx.View[int64](t), func(v int64) element { return number(v) })
	case onnx.Int32:
		fill(a, onnx.View[int32](t), func(v int32) element { return number(int64(v)) })
	case onnx.Int16:
		fill(a, onnx.View[int16](t), func(v int16) element { return number(int64(v)) })
	case onnx.Bool:
		fill(a, onnx.View[uint8](t), func(v uint8) element { return number(int64(min(v, 1))) })
	case onnx.Float:
		fill(a, onnx.View[float32](t), func(v float32) element { return element{known: true, f: float64(v)} })
	case onnx.Double:
		fill(a, onnx.View[float64](t), func(v float64) element { return element{known: true, f: v} })
	case onnx.Float16, onnx.BFloat16:
		values, _ := t.Reals()
		fill(a, values, func(v float64) element { return element{known: true, f: v} })
	default:
		return nil
	}
	return a
}

func fill[T any](a *array, values []T, f func(T) element) {
	for i, v := range values {
		a.elems[i] = f(v)
	}
}

// elementsOf gives the elements of a vector or scalar of integers, some of which may be unknown.
func elementsOf(v *onnx.Value) ([]element, bool) {
	a := evaluate(v)
	if a == nil || len(a.dims) > 1 || a.dtype.IsFloat() {
		return nil, false
	}
	return a.elems, true
}

// floatsOf gives the elements of a float tensor when all are known.
func floatsOf(v *onnx.Value) ([]float32, bool) {
	a := evaluate(v)
	if a == nil || a.dtype != onnx.Float {
		return nil, false
	}
	out := make([]float32, len(a.elems))
	for i, e := range a.elems {
		if !e.known {
			return nil, false
		}
		out[i] = float32(e.f)
	}
	return out, true
}

// scalarElement is the only element of a value, as a number where it is known.
func scalarElement(v *onnx.Value) (e element, f float64, ok bool) {
	a := evaluate(v)
	if a == nil || len(a.elems) != 1 {
		return e, 0, false
	}
	e = a.elems[0]
	if f = e.f; !a.dtype.IsFloat() {
		f = float64(e.i)
	}
	return e, f, true
}

// scalarOf is the only element of a value that is known.
func scalarOf(v *onnx.Value) (float64, bool) {
	e, f, ok := scalarElement(v)
	return f, ok && e.known && !math.IsNaN(f)
}
