package masking

import "graft/onnx"

// concatRule: along the axis of the channels the output's channels are the inputs' behind each other; along another axis they are the same.
type concatRule struct{}

func (concatRule) axis(n *onnx.Node) int64 {
	axis := onnx.AttrOr(n, "axis", int64(0))
	if axis < 0 {
		axis += int64(len(n.Output(0).Type.Shape))
	}
	return axis
}

func (r concatRule) fits(c *compactor, n *onnx.Node) bool {
	if n.Output(0) == nil || r.axis(n) != int64(c.axis(n.Output(0))) {
		return false
	}
	channels := 0
	for _, v := range n.Inputs() {
		x := c.of(v)
		if x.count() == 0 || c.axis(v) != c.axis(n.Output(0)) {
			return false
		}
		channels += x.count()
	}
	return c.of(n.Output(0)).count() == channels
}

// each calls f for every channel: i of the input, o of the output.
func (concatRule) each(c *compactor, n *onnx.Node, f func(x, y *channels, i, o int)) {
	y, at := c.of(n.Output(0)), 0
	for _, v := range n.Inputs() {
		x := c.of(v)
		for i := range x.count() {
			f(x, y, i, at)
			at++
		}
	}
}

func (r concatRule) constants(c *compactor, n *onnx.Node) {
	r.each(c, n, func(x, y *channels, i, o int) {
		if x.constant[i] {
			y.set(o, x.value[i])
		}
	})
}

func (r concatRule) needs(c *compactor, n *onnx.Node) {
	r.each(c, n, func(x, y *channels, i, o int) { x.needed[i] = x.needed[i] || y.needed[o] })
}

func (r concatRule) tie(c *compactor, n *onnx.Node) (changed bool) {
	r.each(c, n, func(x, y *channels, i, o int) {
		if x.needed[i] != y.needed[o] {
			x.needed[i], y.needed[o], changed = true, true, true
		}
	})
	return changed
}

// apply leaves out the inputs of which nothing is needed. When nothing at all is, the first stands for all.
func (r concatRule) apply(c *compactor, n *onnx.Node) error {
	var rest []*onnx.Value
	for _, v := range n.Inputs() {
		if !c.of(v).unneeded() {
			rest = append(rest, v)
		}
	}
	if len(rest) == n.NumInputs() {
		return nil
	}
	if len(rest) == 0 {
		rest = []*onnx.Value{n.Input(0)}
	}
	old := n.Output(0)
	made := c.graph.Add("Concat", rest, 1, n.Attrs...)
	made.Name, made.Doc, made.Metadata = n.Name, n.Doc, n.Metadata
	fresh := made.Output(0)
	fresh.Type, fresh.Name, fresh.Doc = old.Type, old.Name, old.Doc
	n.Name, old.Name = "", ""
	c.state[fresh], c.axes[fresh] = c.of(old), c.axis(old)
	if len(rest) == 1 {
		c.joins = append(c.joins, made)
	}
	return c.graph.ReplaceUses(old, fresh)
}

// dropJoins takes out the concatenations that have one input left. Only then do readers see another value.
func (c *compactor) dropJoins() error {
	for _, n := range c.joins {
		if err := c.graph.ReplaceUses(n.Output(0), n.Input(0)); err != nil {
			return err
		}
	}
	return nil
}
