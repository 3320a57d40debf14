package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// lastAxisSoftmax: before 13 the axes from one on were normalized as one, which along the last axis is the same.
func lastAxisSoftmax(b *op.Builder, n *onnx.Node) []*onnx.Value {
	rank := rankOf(n, 0)
	if rank < 1 {
		b.Fail("input is %v: the form before opset 13 needs its rank", n.Input(0).Type)
		return nil
	}
	axis := onnx.AttrOr(n, "axis", int64(-1))
	if axis < 0 {
		axis += rank
	}
	if axis == rank-1 {
		n.SetAttr(onnx.Int("axis", axis))
		return nil
	}
	if axis < 0 || axis >= rank {
		b.Fail("axis %d is outside rank %d", axis, rank)
		return nil
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[axis], perm[rank-1] = rank-1, axis
	y := b.Node(n.Op, []*onnx.Value{b.Transpose(n.Input(0), perm...)}, 1, onnx.Int("axis", rank-1))[0]
	return []*onnx.Value{b.Transpose(y, perm...)}
}

func clipAttributes(b *op.Builder, n *onnx.Node) []*onnx.Value {
	for i, name := range []string{"min", "max"} {
		if n.Input(1+i) == nil {
			continue
		}
		v, ok := number(n.Input(1 + i))
		if !ok || float64(float32(v)) != v {
			b.Fail("its %s is computed, or no float32, as the attribute was", name)
			return nil
		}
		n.SetAttr(onnx.Float32(name, float32(v)))
	}
	dropInputs(b, n, 1)
	return nil
}

func dropoutAttribute(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if training := n.Input(2); training != nil {
		if v, ok := number(training); !ok || v != 0 {
			b.Fail("it trains, which is an input since opset 12")
			return nil
		}
	}
	if used(n, 1) {
		b.Fail("its mask is read, of which opset 12 first said what it holds outside of training")
		return nil
	}
	if n.Input(1) != nil {
		ratio, ok := number(n.Input(1))
		if !ok {
			b.Fail("its ratio is computed, which was an attribute before")
			return nil
		}
		n.SetAttr(onnx.Float32("ratio", float32(ratio)))
	}
	removeAttr(n, "seed")
	dropInputs(b, n, 1)
	return nil
}

func boolMask(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if used(n, 1) {
		b.Fail("its mask is read, which has a type of its own before opset 10")
	} else if o := n.Output(1); o != nil {
		o.Type = onnx.TensorType{}
	}
	return nil
}

// geluExpression is x Phi(x), or the approximation of it by a tanh.
func geluExpression(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	s := func(v float64) *onnx.Value { return b.Scalar(x, v) }
	var phi *onnx.Value
	if onnx.AttrOr(n, "approximate", "none") == "tanh" {
		cubed := b.Mul(b.Mul(x, x), x)
		phi = b.Tanh(b.Mul(b.Add(x, b.Mul(cubed, s(0.044715))), s(0.7978845608028654)))
	} else {
		phi = b.Erf(b.Mul(x, s(0.7071067811865476)))
	}
	return []*onnx.Value{b.Mul(b.Mul(x, s(0.5)), b.Add(phi, s(1)))}
}

// mishExpression is x tanh(softplus(x)).
func mishExpression(b *op.Builder, n *onnx.Node) []*onnx.Value {
	return []*onnx.Value{b.Mul(n.Input(0), b.Tanh(b.Softplus(n.Input(0))))}
}

// hardSwishExpression is x HardSigmoid(x) with the slope 1/6.
func hardSwishExpression(b *op.Builder, n *onnx.Node) []*onnx.Value {
	gate := b.Node("HardSigmoid", []*onnx.Value{n.Input(0)}, 1, onnx.Float32("alpha", 1.0/6), onnx.Float32("beta", 0.5))[0]
	return []*onnx.Value{b.Mul(n.Input(0), gate)}
}
