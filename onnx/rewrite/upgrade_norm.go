package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var normSteps = slices.Concat(
	each([]string{"InstanceNormalization"}, 6, hints),
	[]step{
		{"BatchNormalization", 6, hints},
		{"BatchNormalization", 7, func(_ *op.Builder, n *onnx.Node) []*onnx.Value {
			removeAttr(n, "is_test")
			return nil
		}},
		{"BatchNormalization", 9, normPerElement},
		{"BatchNormalization", 14, normMode},
		{"GroupNormalization", 21, normPerGroup},
	},
	same("BatchNormalization", 15), same("LRN", 13), same("MeanVarianceNormalization", 13),
)

// normPerElement: before 9 BatchNormalization could keep a statistic for each element of a sample (spatial = 0), scale,
// bias, mean and variance having the shape [C D1 ...]:
//
//	y = (x-mean)/sqrt(variance+epsilon)*scale + bias
func normPerElement(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "spatial", "epsilon") {
		return nil
	}
	spatial := onnx.AttrOr(n, "spatial", int64(1))
	removeAttr(n, "spatial")
	if spatial != 0 || rankOf(n, 0) == 2 {
		return nil
	}
	if used(n, 1) {
		b.Fail("statistics of each element (spatial = 0) are moved: this is not read")
		return nil
	}
	x, scale, bias, mean, variance := n.Input(0), n.Input(1), n.Input(2), n.Input(3), n.Input(4)
	deviation := b.Sqrt(b.Add(variance, like(b, x, onnx.AttrOr(n, "epsilon", float32(1e-5)))))
	return []*onnx.Value{b.Add(b.Mul(b.Div(b.Sub(x, mean), deviation), scale), bias)}
}

// normMode: before 14 BatchNormalization trained where it had more than one output; the fourth and fifth, which hold what a
// gradient may use again, are gone since.
func normMode(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if used(n, 3) {
		b.Fail("its saved mean or variance is read, which has no place since opset 14")
		return nil
	}
	outs := 1
	for i := 1; i < n.NumOutputs(); i++ {
		if n.Output(i) != nil {
			outs = 3
		}
	}
	if outs == 1 && n.NumOutputs() == 1 {
		return nil
	}
	attrs := slices.Clone(n.Attrs)
	if outs == 3 {
		attrs = append(attrs, onnx.Int("training_mode", 1))
	}
	return b.Node(n.Op, n.Inputs(), outs, attrs...)
}

// used reports whether an output of n from the given one on is read.
func used(n *onnx.Node, from int) bool {
	for i := from; i < n.NumOutputs(); i++ {
		if o := n.Output(i); o != nil && (o.NumUses() > 0 || n.Graph().IsOutput(o)) {
			return true
		}
	}
	return false
}

// normPerGroup: before 21 scale and bias of GroupNormalization were one for each group and not for each channel.
func normPerGroup(b *op.Builder, n *onnx.Node) []*onnx.Value {
	if !own(b, n, "num_groups") {
		return nil
	}
	x, groups := n.Input(0), onnx.AttrOr(n, "num_groups", int64(0))
	if groups < 1 || rankOf(n, 0) == 0 || rankOf(n, 0) == 1 {
		b.Fail("num_groups is %d, input is %v", groups, x.Type)
		return nil
	}
	var shape *onnx.Value // [groups channels/groups]
	if s := x.Type.Shape; s.Ranked() && s[1].Known() {
		if s[1].Size%groups != 0 {
			b.Fail("%d channels in %d groups", s[1].Size, groups)
			return nil
		}
		shape = b.Ints(groups, s[1].Size/groups)
	} else {
		channels := b.Slice(b.Shape(x), op.SliceSpec{Start: 1, End: 2})
		shape = b.Concat(0, b.Ints(groups), b.Div(channels, b.Ints(groups)))
	}
	for i := 1; i < 3; i++ {
		if n.Input(i) == nil {
			b.Fail("input %d is absent", i)
			return nil
		}
		if s := n.Input(i).Type.Shape; s.Ranked() && (len(s) != 1 || s[0].Known() && s[0].Size != groups) {
			b.Fail("input %d is %v, wants one element for each of %d groups", i, n.Input(i).Type, groups)
			return nil
		}
		n.SetInput(i, b.Reshape(b.Expand(b.Unsqueeze(n.Input(i), 1), shape), -1))
	}
	return nil
}
