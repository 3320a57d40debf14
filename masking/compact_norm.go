package masking

import "graft/onnx"

// normRule: with the statistics of the instance, a channel whose scale is zero or whose input is constant is its shift.
type normRule struct{}

func (normRule) fits(c *compactor, n *onnx.Node) bool {
	channels := c.of(n.Input(0)).count()
	for _, v := range []*onnx.Value{n.Input(1), n.Input(2)} {
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
		if scale[i] == 0 || x.constant[i] {
			y.set(i, float64(shift[i]))
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
	for _, v := range []*onnx.Value{n.Input(1), n.Input(2)} {
		if y.whole() && !y.unneeded() {
			continue
		}
		t := pick(v.Const, 0, y.kept)
		if y.unneeded() { // the one that stays is zero
			clear(t.Data)
		}
		replace(v, t)
	}
	return nil
}
