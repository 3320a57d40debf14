package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// broadcasts lists the operators whose inputs are broadcast, and whose rules leave it to the walker to sum their cotangents
// back. All of them align shapes at the last axis.
var broadcasts = map[string]bool{
	"Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Mod": true, "Max": true, "Min": true, "Sum": true,
	"Mean": true, "Where": true, "PRelu": true, "Expand": true, "MatMul": true, "Gemm": true,
}

// unbroadcast sums d, the cotangent of input i of n, over the axes along which that input was broadcast.
func (b *Builder) unbroadcast(d *onnx.Value, n *onnx.Node, i int) *onnx.Value {
	v := n.Input(i)
	switch {
	case b.Err() != nil:
		return nil
	case slices.Contains(v.Type.Shape, onnx.Dim{}): // no elements: ONNX Runtime drops an Expand to such a shape
		return b.zerosLike(v)
	}
	if (!v.Type.Shape.Ranked() || !d.Type.Shape.Ranked()) && !mayBroadcastWhole(n, i) {
		return b.typed(d, v)
	}
	return b.sumTo(d, v, func(axis int) bool { return mayBroadcast(n, i, len(v.Type.Shape)-axis) })
}

// mayBroadcast reports whether input i of n, whose size there is not known, may be 1 and another's larger, along the axis
// that is fromEnd from the end.
func mayBroadcast(n *onnx.Node, i, fromEnd int) bool {
	switch {
	case !broadcasts[n.Op] || !n.Is(n.Op):
		return false
	case n.Op == "Expand":
		return true
	case n.Op == "MatMul" && fromEnd <= 2, n.Op == "Gemm" && i < 2:
		return false
	}
	if n.Op == "Gemm" {
		return true
	}
	at := func(v *onnx.Value) (onnx.Dim, bool) {
		s := v.Type.Shape
		if !s.Ranked() {
			return onnx.UnknownDim, true
		}
		if len(s) < fromEnd {
			return onnx.Dim{}, false
		}
		return s[len(s)-fromEnd], true
	}
	own, _ := at(n.Input(i))
	for j, v := range n.Inputs() {
		if j == i || v == nil {
			continue
		}
		dim, ok := at(v)
		if ok && dim != (onnx.Dim{Size: 1}) && (dim != own || dim == onnx.UnknownDim) {
			return true
		}
	}
	return false
}

// mayBroadcastWhole is mayBroadcast for an input of unknown rank: only scalars surely leave it as it is.
func mayBroadcastWhole(n *onnx.Node, i int) bool {
	if !broadcasts[n.Op] || !n.Is(n.Op) {
		return false
	}
	for j, v := range n.Inputs() {
		if j != i && v != nil && (!v.Type.Shape.Ranked() || len(v.Type.Shape) > 0) {
			return true
		}
	}
	return false
}

// reduceTo sums d over the axes along which v was broadcast to d's shape.
func (b *Builder) reduceTo(d, v *onnx.Value) *onnx.Value {
	return b.sumTo(d, v, func(int) bool { return true })
}

// sumTo sums d over the axes along which v was broadcast to d's shape. Where two sizes are not known to be the same, and may
// says that v's may be 1, that is seen when the graph runs.
func (b *Builder) sumTo(d, v *onnx.Value, may func(axis int) bool) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	ds, vs := d.Type.Shape, v.Type.Shape
	if !vs.Ranked() || !ds.Ranked() {
		return b.sumToRank(d, v)
	}
	if len(ds) < len(vs) {
		b.Fail("a gradient of %v does not fit %s of %v", ds, label(v), vs)
		return nil
	}
	lead := len(ds) - len(vs)
	var axes []int64
	for i := range lead {
		axes = append(axes, int64(i))
	}
	open := false
	for i, dim := range vs {
		got := ds[lead+i]
		switch {
		case dim == got && dim != onnx.UnknownDim, op.CutAboveOne(dim, got):
		case dim == onnx.Dim{Size: 1}:
			axes = append(axes, int64(lead+i))
		case dim.Known() && got.Known():
			b.Fail("a gradient of %v does not fit %s of %v", ds, label(v), vs)
			return nil
		case dim.Known(), got == onnx.Dim{Size: 1}:
		default:
			open = open || may(i)
		}
	}
	switch {
	case open:
		d = b.sumOnes(d, v)
	case len(axes) == 0:
	case len(vs) == 0:
		d = b.ReduceSum(d, false, axes...)
	default:
		d = b.ReduceSum(d, true, axes...)
	}
	if lead > 0 && len(vs) > 0 {
		d = b.reshapeLike(d, v)
	}
	return b.typed(d, v)
}

// sumOnes sums d over the axes along which v, aligned at the last, has size 1 or none when the graph runs; the axes stay.
func (b *Builder) sumOnes(d, v *onnx.Value) *onnx.Value {
	lead := len(d.Type.Shape) - len(v.Type.Shape)
	ones := b.Squeeze(b.Node("NonZero", []*onnx.Value{b.Equal(b.shapeOf(v), b.Ints(1))}, 1)[0], 0)
	if lead > 0 {
		before := make([]int64, lead)
		for i := range before {
			before[i] = int64(i)
		}
		ones = b.Concat(0, b.Ints(before...), b.Add(ones, b.Ints(int64(lead))))
	}
	out := b.Node("ReduceSum", []*onnx.Value{d, ones}, 1, onnx.Int("noop_with_empty_axes", 1))[0]
	if out != nil {
		dims := make([]int64, lead)
		for i := range dims {
			dims[i] = 1
		}
		b.refine(out, append(onnx.NewShape(dims...), v.Type.Shape...))
	}
	return out
}

// sumToRank is sumTo for shapes of unknown rank.
func (b *Builder) sumToRank(d, v *onnx.Value) *onnx.Value {
	rank := func(v *onnx.Value) *onnx.Value { return b.Shape(b.Shape(v)) }
	lead := b.Sub(rank(d), rank(v))
	one := onnx.NewTensor(onnx.Int64, 1)
	one.Int64s()[0] = 1
	aligned := b.Concat(0, b.ConstantOfShape(lead, one), b.Shape(v))
	ones := b.Squeeze(b.Node("NonZero", []*onnx.Value{b.Equal(aligned, b.Ints(1))}, 1)[0], 0)
	d = b.Node("ReduceSum", []*onnx.Value{d, ones}, 1, onnx.Int("noop_with_empty_axes", 1))[0]
	return b.typed(b.reshapeTo(d, b.Shape(v)), v)
}
