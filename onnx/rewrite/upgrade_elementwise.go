package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var (
	oldUnary  = []string{"Abs", "Ceil", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Sqrt", "Tanh", "Sigmoid"}
	oldBinary = []string{"Add", "Sub", "Mul", "Div"}
	variadic  = []string{"Sum", "Max", "Min", "Mean"}
)

var elementwiseSteps = slices.Concat(
	each(slices.Concat(oldUnary, oldBinary, variadic, []string{"Clip"}), 6, hints),
	sameFor(oldUnary, 13),
	each(append([]string{"Pow"}, oldBinary...), 7, oldBroadcast),
	sameFor(oldBinary, 13, 14),
	sameFor(variadic, 8, 13), sameFor([]string{"Max", "Min"}, 12),
	same("Pow", 12, 13, 15), same("Mod", 13), same("Sign", 13), same("Erf", 13), same("Where", 16),
	[]step{
		{"Cast", 6, castByNumber},
		{"Clip", 11, clipBounds},
	},
	same("Cast", 9, 13, 19, 21), same("CastLike", 19, 21), same("Clip", 12, 13),
)

// oldBroadcast: before 7 the second operand was put against the axes of the first from axis on; without axis, against its
// last ones, as now. Without broadcast both have one shape.
func oldBroadcast(b *op.Builder, n *onnx.Node) []*onnx.Value {
	axis, given := n.Attr("axis")
	at, _ := axis.Value.(int64)
	if given && onnx.AttrOr(n, "broadcast", int64(0)) != 0 && n.Input(1) != nil {
		rx, ry := rankOf(n, 0), rankOf(n, 1)
		if rx < 0 || ry < 0 {
			b.Fail("operands are %v and %v: broadcasting along axis %d needs the ranks of both", n.Input(0).Type, n.Input(1).Type, at)
			return nil
		}
		if at < 0 {
			at += rx
		}
		if at < 0 || at+ry > rx {
			b.Fail("axis %d is outside rank %d", at, rx)
			return nil
		}
		var axes []int64
		for i := ry; i < rx-at; i++ {
			axes = append(axes, i)
		}
		if len(axes) > 0 {
			n.SetInput(1, b.Unsqueeze(n.Input(1), axes...))
		}
	}
	removeAttr(n, "axis")
	removeAttr(n, "broadcast")
	return nil
}

// castByNumber: before 6 the element type was named by a string.
func castByNumber(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if name := onnx.AttrOr(n, "to", ""); name != "" {
		d, ok := onnx.ParseDataType(name)
		if !ok {
			b.Fail("no element type %q", name)
			return nil
		}
		n.SetAttr(onnx.Int("to", int64(d)))
	}
	return nil
}

// clipBounds: the bounds are inputs since 11.
func clipBounds(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "min", "max") {
		return nil
	}
	for i, name := range []string{"min", "max"} {
		if a, ok := n.Attr(name); ok && n.Input(1+i) == nil {
			v, _ := a.Value.(float32)
			n.SetInput(1+i, like(b, n.Input(0), v))
		}
		removeAttr(n, name)
	}
	return nil
}
