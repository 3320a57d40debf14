package masking

import (
	"math"

	"graft/onnx"
)

// normRule is that of norms whose statistics are the instance's, or at rest: a channel whose scale is zero is its shift, and a
// constant one stays constant.
type normRule struct{}

// learned are a norm's inputs beside what is normalized: scale, shift, and statistics at rest.
func learned(n *onnx.Node) []*onnx.Value { return n.Inputs()[1:] }

func (normRule) fits(c *compactor, n *onnx.Node) bool {
	wants := 2
	if n.Is("BatchNormalization") {
		wants = 4
	}
	if n.Input(0) == nil || n.NumInputs() != wants+1 || n.NumOutputs() != 1 || onnx.AttrOr(n, "training_mode", int64(0)) != 0 {
		return false
	}
	if n.Output(0) == nil || c.axis(n.Input(0)) != 1 || c.axis(n.Output(0)) != 1 {
		return false
	}
	channels := c.of(n.Input(0)).count()
	for _, v := range learned(n) {
		if !c.own(v) || len(v.Const.Dims) != 1 || int(v.Const.Len()) != channels {
			return false
		}
	}
	return c.of(n.Output(0)).count() == channels
}

func (normRule) constants(c *compactor, n *onnx.Node) {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	scale, shift := n.Input(1).Const.Float32s(), n.Input(2).Const.Float32s()
	for i := range x.constant {
		switch {
		case scale[i] == 0 || x.constant[i] && n.Is("InstanceNormalization"):
			y.set(i, float64(shift[i]))
		case x.constant[i]:
			mean, variance := float64(n.Input(3).Const.Float32s()[i]), float64(n.Input(4).Const.Float32s()[i])
			epsilon := float64(onnx.AttrOr(n, "epsilon", float32(1e-5)))
			y.set(i, float64(scale[i])*(x.value[i]-mean)/math.Sqrt(variance+epsilon)+float64(shift[i]))
		}
	}
}

func (normRule) needs(c *compactor, n *onnx.Node) {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	for i, needed := range y.needed {
		// A needed constant is made from whatever stands in the channel: scale zero hides it.
		x.needed[i] = x.needed[i] || needed
	}
}

func (normRule) tie(c *compactor, n *onnx.Node) bool {
	return same(c.of(n.Input(0)), c.of(n.Output(0)))
}

func (normRule) apply(c *compactor, n *onnx.Node) error {
	y := c.of(n.Output(0))
	if y.whole() && !y.unneeded() {
		return nil
	}
	for i, v := range learned(n) {
		t := pick(v.Const, 0, y.kept)
		if y.unneeded() && i < 2 { // the one that stays is zero
			clear(t.Data)
		}
		replace(v, t)
	}
	return nil
}
