package masking

import "graft/onnx"

// depthwiseRule: every output channel is made of one input channel of its own.
type depthwiseRule struct{ productRule }

func (depthwiseRule) fits(c *compactor, n *onnx.Node) bool {
	weight, bias := n.Input(1), n.Input(2)
	if n.Input(0) == nil || c.axis(n.Input(0)) != 1 || !c.own(weight) || bias != nil && !c.own(bias) {
		return false
	}
	w, channels := weight.Const, c.of(n.Input(0)).count()
	return len(w.Dims) >= 3 && w.Len() > 0 && w.Dims[1] == 1 && int(w.Dims[0]) == channels && c.of(n.Output(0)).count() == channels &&
		int(onnx.AttrOr(n, "group", int64(1))) == channels && (bias == nil || int(bias.Const.Len()) == channels)
}

func (r depthwiseRule) constants(c *compactor, n *onnx.Node) {
	x, y, w := c.of(n.Input(0)), c.of(n.Output(0)), n.Input(1).Const
	taps := int(w.Len()) / y.count()
	for o := range y.count() {
		value, sum, used := 0.0, 0.0, false
		if b := n.Input(2); b != nil {
			value = float64(b.Const.Float32s()[o])
		}
		for _, v := range w.Float32s()[o*taps : (o+1)*taps] {
			sum += float64(v)
			used = used || v != 0
		}
		if !used {
			y.set(o, value)
		} else if x.constant[o] && r.folds(n, x.value[o]) {
			y.set(o, value+sum*x.value[o])
		}
	}
}

func (depthwiseRule) needs(c *compactor, n *onnx.Node) { channelwise{}.needs(c, n) }

func (depthwiseRule) tie(c *compactor, n *onnx.Node) bool { return channelwise{}.tie(c, n) }

func (depthwiseRule) apply(c *compactor, n *onnx.Node) error {
	y := c.of(n.Output(0))
	if y.whole() && !y.unneeded() {
		return nil
	}
	for _, v := range []*onnx.Value{n.Input(1), n.Input(2)} {
		if v == nil {
			continue
		}
		t := pick(v.Const, 0, y.kept)
		if y.unneeded() { // the one that stays is zero
			clear(t.Data)
		}
		replace(v, t)
	}
	n.SetAttr(onnx.Int("group", int64(len(y.kept))))
	return nil
}
