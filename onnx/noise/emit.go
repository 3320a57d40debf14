package noise

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Emit adds nodes that make the key's first uniform numbers in the given shape, the same as Uniform does. It takes some
// twenty nodes and a few hundred bytes, whatever the shape.
func Emit(b *op.Builder, k Key, dims ...int64) *onnx.Value {
	count, err := onnx.ElementCount(dims)
	if err != nil || count > prime {
		b.Fail("noise of shape %v: at most 2^31 - 1 numbers", dims)
		return nil
	}
	n := func(v int64) *onnx.Value { return b.Const(onnx.Scalar(v)) }
	mod := func(x *onnx.Value) *onnx.Value { return b.Mod(x, n(prime)) }
	power5 := func(x *onnx.Value) *onnx.Value {
		square := mod(b.Mul(x, x))
		return mod(b.Mul(mod(b.Mul(square, square)), x))
	}
	i := b.Range(n(0), n(count), n(1))
	x := power5(mod(b.Add(b.Mul(i, n(spread)), n(int64(k.a)))))
	x = power5(mod(b.Add(x, n(int64(k.b)))))
	u := b.Cast(b.Div(x, n(1<<dropped)), onnx.Float)
	u = b.Mul(b.Add(u, b.Const(onnx.Scalar(float32(0.5)))), b.Const(onnx.Scalar(float32(scale))))
	return b.Reshape(u, dims...)
}
