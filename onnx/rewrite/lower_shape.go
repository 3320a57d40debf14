package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// splitUncounted: equal parts are what Split without sizes makes; the last may be smaller since 18, which takes sizes.
func splitUncounted(b *op.Builder, n *onnx.Node) []*onnx.Value {
	parts := onnx.AttrOr(n, "num_outputs", int64(0))
	removeAttr(n, "num_outputs")
	if parts == 0 || n.Input(1) != nil {
		return nil
	}
	shape, axis := n.Input(0).Type.Shape, onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(shape))
	}
	if axis < 0 || axis >= int64(len(shape)) || !shape[axis].Known() {
		b.Fail("input is %v: whether %d parts are equal needs its size", n.Input(0).Type, parts)
		return nil
	}
	whole := shape[axis].Size
	if whole%parts == 0 {
		return nil
	}
	each := (whole + parts - 1) / parts
	sizes := make([]int64, parts)
	for i := range sizes {
		sizes[i] = min(each, max(0, whole-int64(i)*each))
	}
	n.SetInput(1, b.Ints(sizes...))
	return nil
}

func sliceAttributes(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if n.Input(4) != nil {
		steps, ok := known(b, n, 4, "steps")
		if ok && slices.ContainsFunc(steps, func(s int64) bool { return s != 1 }) {
			b.Fail("steps of %v, which came with opset 10", steps)
		}
	}
	for i, name := range []string{"starts", "ends", "axes"} {
		if n.Input(1+i) == nil {
			continue
		}
		if v, ok := known(b, n, 1+i, name); ok {
			n.SetAttr(onnx.Ints(name, v...))
		}
	}
	if b.Err() == nil {
		dropInputs(b, n, 1)
	}
	return nil
}

// padEveryAxis: axes came with 18.
func padEveryAxis(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if n.Input(3) == nil {
		return nil
	}
	rank := rankOf(n, 0)
	axes, ok := known(b, n, 3, "axes")
	pads, there := known(b, n, 1, "pads")
	if !ok || !there {
		return nil
	}
	if rank < 0 || len(pads) != 2*len(axes) {
		b.Fail("input is %v: pads of %v need its rank", n.Input(0).Type, axes)
		return nil
	}
	all := make([]int64, 2*rank)
	for i, a := range axes {
		if a < 0 {
			a += rank
		}
		if a < 0 || a >= rank {
			b.Fail("axis %d is outside rank %d", a, rank)
			return nil
		}
		all[a], all[rank+a] = pads[i], pads[len(axes)+i]
	}
	n.SetInput(1, b.Ints(all...))
	dropInputs(b, n, 3)
	return nil
}

func padAttributes(b *op.Builder, n *onnx.Node) []*onnx.Value {
	pads, ok := known(b, n, 1, "pads")
	if !ok {
		return nil
	}
	if v := n.Input(2); v != nil {
		value, ok := number(v)
		if !ok {
			b.Fail("its value is computed, which was an attribute before")
			return nil
		}
		n.SetAttr(onnx.Float32("value", float32(value)))
	}
	n.SetAttr(onnx.Ints("pads", pads...))
	dropInputs(b, n, 1)
	return nil
}

func shapeSliced(b *op.Builder, n *onnx.Node) []*onnx.Value {
	start, _ := n.Attr("start")
	end, ended := n.Attr("end")
	from, _ := start.Value.(int64)
	to, _ := end.Value.(int64)
	if !ended && from == 0 {
		removeAttr(n, "start")
		return nil
	}
	rank := rankOf(n, 0)
	if rank < 0 {
		b.Fail("input is %v: a part of its shape needs its rank before opset 15", n.Input(0).Type)
		return nil
	}
	within := func(i int64) int64 {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	if !ended {
		to = rank
	}
	return []*onnx.Value{b.Slice(b.Shape(n.Input(0)), op.SliceSpec{Start: within(from), End: max(within(from), within(to))})}
}

func reshapeZeros(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if onnx.AttrOr(n, "allowzero", int64(0)) != 0 {
		if dims, ok := op.ConstantInts(n.Input(1)); !ok || slices.Contains(dims, 0) {
			b.Fail("a 0 in its shape may be a size, which it may since opset 14")
			return nil
		}
	}
	removeAttr(n, "allowzero")
	return nil
}

// expandValue: a value for every element is one that is broadcast.
func expandValue(b *op.Builder, n *onnx.Node) []*onnx.Value {
	value := onnx.AttrOr(n, "value", onnx.NewTensor(onnx.Float)).Clone()
	value.Name, value.Dims = "", nil // a number takes the whole shape, also that of a number
	return []*onnx.Value{b.Expand(b.Const(value), n.Input(0))}
}

// expandKnown makes a constant of what a number is broadcast to, where that is known and no more than 64 MB.
func expandKnown(b *op.Builder, n *onnx.Node) []*onnx.Value {
	const most = 64_000_000
	value := op.ConstantOf(n.Input(0))
	dims, ok := op.ConstantInts(n.Input(1))
	if !ok || value == nil || value.Check() != nil || value.Len() != 1 || value.DType == onnx.String {
		b.Fail("the operator came with opset 8")
		return nil
	}
	size := int64(len(value.Data))
	for _, d := range dims {
		if d < 0 || d > 0 && size > most/d {
			b.Fail("the operator came with opset 8, and its result of %v is too large for a constant", dims)
			return nil
		}
		size *= d
	}
	t := onnx.NewTensor(value.DType, dims...)
	for at := 0; at < len(t.Data); at += len(value.Data) {
		copy(t.Data[at:], value.Data)
	}
	return []*onnx.Value{b.Graph().AddInitializer("", t)}
}
