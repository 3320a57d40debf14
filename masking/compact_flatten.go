package masking

import (
	"graft/onnx"
	"graft/onnx/op"
)

// flattenRule is that of Flatten, Reshape and Squeeze from [N,C,...] to [N,C*places]: a channel becomes as many as it has places.
type flattenRule struct{}

func (flattenRule) fits(c *compactor, n *onnx.Node) bool {
	if n.Input(0) == nil || n.NumOutputs() != 1 || n.Output(0) == nil || c.axis(n.Input(0)) != 1 || c.axis(n.Output(0)) != 1 {
		return false
	}
	in, out := n.Input(0).Type.Shape, n.Output(0).Type.Shape
	x, y := c.of(n.Input(0)).count(), c.of(n.Output(0)).count()
	if len(in) < 2 || len(out) != 2 || x == 0 || y == 0 || y%x != 0 || in[0] != out[0] {
		return false
	}
	places := int64(1)
	for _, d := range in[2:] {
		if !d.Known() {
			return false
		}
		places *= d.Size
	}
	if int64(y) != int64(x)*places {
		return false
	}
	switch n.Op {
	case "Flatten":
		axis := onnx.AttrOr(n, "axis", int64(1))
		return axis == 1 || axis == 1-int64(len(in))
	case "Reshape":
		target, ok := op.ConstantInts(n.Input(1))
		return ok && len(target) == 2 && onnx.AttrOr(n, "allowzero", int64(0)) == 0
	}
	return places == 1 && len(in) > 2 // Squeeze: of places alone, for the first two axes are the result's
}

// each calls f for every pair of an input's channel and one of the result that it becomes.
func (flattenRule) each(c *compactor, n *onnx.Node, f func(x, y *channels, i, o int)) {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	places := y.count() / x.count()
	for o := range y.count() {
		f(x, y, o/places, o)
	}
}

func (r flattenRule) constants(c *compactor, n *onnx.Node) {
	r.each(c, n, func(x, y *channels, i, o int) {
		if x.constant[i] {
			y.set(o, x.value[i])
		}
	})
}

func (r flattenRule) needs(c *compactor, n *onnx.Node) {
	r.each(c, n, func(x, y *channels, i, o int) { x.needed[i] = x.needed[i] || y.needed[o] })
}

// keepOne keeps the first channel where nothing is needed: one has to stay, with all its places.
func (flattenRule) keepOne(c *compactor, n *onnx.Node) bool {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	if !x.unneeded() || x.count() == y.count() {
		return false
	}
	x.needed[0] = true
	return true
}

// tie keeps all places of a channel, or none.
func (r flattenRule) tie(c *compactor, n *onnx.Node) (changed bool) {
	r.each(c, n, func(x, y *channels, i, o int) {
		if y.needed[o] && !x.needed[i] {
			x.needed[i], changed = true, true
		}
	})
	r.each(c, n, func(x, y *channels, i, o int) {
		if x.needed[i] && !y.needed[o] {
			y.needed[o], changed = true, true
		}
	})
	return changed
}

// apply lets a Reshape find out how many are left.
func (flattenRule) apply(c *compactor, n *onnx.Node) error {
	if !n.Is("Reshape") || c.of(n.Output(0)).whole() {
		return nil
	}
	target, _ := op.ConstantInts(n.Input(1))
	first := target[0]
	if first == -1 {
		first = 0 // as the input has it
	}
	n.SetInput(1, c.graph.AddInitializer(c.freeName(n.Output(0).Name+".shape"), onnx.FromSlice([]int64{first, -1})))
	return nil
}
