package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// MeanVarianceNormalization is, over the axes (0, 2 and 3 unless given), y = (x-m) / (sqrt(mean (x-m)^2) + 1e-9) with the
// mean m.
func MeanVarianceNormalization(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x := n.Input(0)
	axes := onnx.AttrOr(n, "axes", []int64{0, 2, 3})
	centred := b.Sub(x, b.ReduceMean(x, true, axes...))
	deviation := b.Sqrt(b.ReduceMean(b.Mul(centred, centred), true, axes...))
	return []*onnx.Value{b.Div(centred, b.Add(deviation, b.Scalar(x, 1e-9)))}
}

// GroupNormalization is y = scale (x-m)/sqrt(variance + epsilon) + bias with the mean m and variance of each group of
// channels of each sample: an InstanceNormalization of x [N,C,...] seen as [N,G,...], which has a kernel for float32.
func GroupNormalization(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, groups := n.Input(0), onnx.AttrOr(n, "num_groups", int64(0))
	if b.Err() != nil {
		return nil
	}
	rank := len(x.Type.Shape)
	if rank < 2 {
		b.Fail("input is %v, want [N C ...] of known rank", x.Type)
		return nil
	}
	if groups < 1 {
		b.Fail("num_groups = %d, wants 1 or more", groups)
		return nil
	}
	epsilon := onnx.AttrOr(n, "epsilon", float32(1e-5))
	grouped := b.Reshape(widened(b, n, x), 0, groups, -1)
	if b.Err() != nil {
		return nil
	}
	var normal *onnx.Value
	if grouped.Type.DType == onnx.Float {
		ones := onnx.NewTensor(onnx.Float, groups)
		for i := range ones.Float32s() {
			ones.Float32s()[i] = 1
		}
		normal = b.InstanceNormalization(grouped, b.Const(ones), b.Const(onnx.NewTensor(onnx.Float, groups)), epsilon)
	} else {
		centred := b.Sub(grouped, b.ReduceMean(grouped, true, 2))
		variance := b.ReduceMean(b.Mul(centred, centred), true, 2)
		normal = b.Div(centred, b.Sqrt(b.Add(variance, b.Scalar(variance, float64(epsilon)))))
	}
	column := make([]int64, rank-1)
	for i := range column {
		column[i] = 1
	}
	column[0] = -1
	y := b.Mul(castTo(b, samplesLike(b, normal, x), x), b.Reshape(n.Input(1), column...))
	return []*onnx.Value{b.Add(y, b.Reshape(n.Input(2), column...))}
}

// samplesLike gives v [N,...] the shape of x, which has as many samples and elements.
func samplesLike(b *op.Builder, v, x *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if s := x.Type.Shape; len(s) > 0 && s[1:].Static() {
		sizes, _ := s[1:].Sizes()
		dims := []int64{0}
		for _, s := range sizes {
			if s == 0 { // stands for a size to copy
				return b.ReshapeTo(v, b.Shape(x))
			}
			dims = append(dims, s)
		}
		return b.Reshape(v, dims...)
	}
	return b.ReshapeTo(v, b.Shape(x))
}

// LayerNormalization is y = scale (x-m) r + bias with the mean m and r = 1/sqrt(variance + epsilon) over the axes from one on;
// m and r are outputs too. Narrow types are normalized in float32, as the standard asks.
func LayerNormalization(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, axes := stashed(b, n)
	mean := b.ReduceMean(x, true, axes...)
	centred := b.Sub(x, mean)
	r := inverseRoot(b, n, b.ReduceMean(b.Mul(centred, centred), true, axes...))
	y := b.Mul(castTo(b, b.Mul(centred, r), n.Input(0)), n.Input(1))
	if bias := n.Input(2); bias != nil {
		y = b.Add(y, bias)
	}
	out := []*onnx.Value{y, nil, nil}
	for i, v := range []*onnx.Value{mean, r} {
		if o := n.Output(1 + i); o != nil {
			out[1+i] = castTo(b, v, o)
		}
	}
	return out
}

// RMSNormalization is y = scale x r with r = 1/sqrt(mean x^2 + epsilon) over the axes from one on.
func RMSNormalization(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, axes := stashed(b, n)
	r := inverseRoot(b, n, b.ReduceMean(b.Mul(x, x), true, axes...))
	return []*onnx.Value{b.Mul(castTo(b, b.Mul(x, r), n.Input(1)), n.Input(1))}
}

// stashed is a norm's input in the type that it computes in, and the axes that it normalizes.
func stashed(b *op.Builder, n *onnx.Node) (x *onnx.Value, axes []int64) {
	x = n.Input(0)
	rank := int64(len(x.Type.Shape))
	if rank == 0 {
		b.Fail("input is %v, want a known rank of 1 or more", x.Type)
		return nil, nil
	}
	axis := onnx.AttrOr(n, "axis", int64(-1))
	if axis < 0 {
		axis += rank
	}
	for ; axis < rank; axis++ {
		axes = append(axes, axis)
	}
	return widened(b, n, x), axes
}

// widened is a norm's input x in the type that it computes in: float32 for narrow types unless the node says otherwise.
func widened(b *op.Builder, n *onnx.Node, x *onnx.Value) *onnx.Value {
	d := x.Type.DType
	if (d == onnx.Float16 || d == onnx.BFloat16) && onnx.AttrOr(n, "stash_type", int64(onnx.Float)) == int64(onnx.Float) {
		return b.Cast(x, onnx.Float)
	}
	return x
}

// inverseRoot is 1/sqrt(v + epsilon).
func inverseRoot(b *op.Builder, n *onnx.Node, v *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	return b.Reciprocal(b.Sqrt(b.Add(v, b.Scalar(v, float64(onnx.AttrOr(n, "epsilon", float32(1e-5)))))))
}

// castTo gives v the element type of like.
func castTo(b *op.Builder, v, like *onnx.Value) *onnx.Value {
	if b.Err() != nil || v.Type.DType == like.Type.DType {
		return v
	}
	return b.Cast(v, like.Type.DType)
}
