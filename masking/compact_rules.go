package masking

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// compactRule says how an operator treats channels. fits says whether the rule is true of this node; constants marks the outputs' constant channels; needs marks which
// channels of the inputs the node needs, given what is needed of its outputs; tie makes inputs and outputs keep the same
// channels where the operator demands it, and reports a change; apply cuts the node's weights to what is kept.
type compactRule interface {
	fits(*compactor, *onnx.Node) bool
	constants(*compactor, *onnx.Node)
	needs(*compactor, *onnx.Node)
	tie(*compactor, *onnx.Node) bool
	apply(*compactor, *onnx.Node) error
}

// compactRules has a row for every operator that channels can be removed across.
var compactRules = map[string]compactRule{
	"Conv":                  convRule{},
	"InstanceNormalization": normRule{},
	"Concat":                concatRule{},

	"Pad":         channelwise{stays: padKeeps},
	"AveragePool": channelwise{stays: poolKeeps},
	"MaxPool":     channelwise{stays: always},
	"Resize":      channelwise{stays: always},
	"Identity":    channelwise{stays: always},

	"LeakyRelu": channelwise{stays: always, maps: func(n *onnx.Node, x float64) float64 {
		if x < 0 {
			return x * float64(onnx.AttrOr(n, "alpha", float32(0.01)))
		}
		return x
	}},
	"Relu":    channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return max(x, 0) }},
	"Sigmoid": channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	"Tanh":    channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return math.Tanh(x) }},
}

func (c *compactor) rule(n *onnx.Node) compactRule {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return opaque{}
	}
	if r, ok := compactRules[n.Op]; ok {
		if r.fits(c, n) {
			return r
		}
	}
	return opaque{}
}

// opaque is the rule of an operator of which nothing is known: it needs everything.
type opaque struct{}

func (opaque) fits(*compactor, *onnx.Node) bool { return true }
func (opaque) constants(*compactor, *onnx.Node) {}
func (opaque) needs(c *compactor, n *onnx.Node) {
	for _, v := range append(n.Inputs(), n.Outputs()...) {
		c.of(v).needAll()
	}
	for _, g := range n.Subgraphs() { // a branch may read values of this graph
		for _, m := range g.Nodes() {
			opaque{}.needs(c, m)
		}
		for _, o := range g.Outputs() {
			c.of(o).needAll()
		}
	}
}
func (opaque) tie(*compactor, *onnx.Node) bool    { return false }
func (opaque) apply(*compactor, *onnx.Node) error { return nil }

// channelwise is the rule of an operator that makes channel i of its first output from channel i of its first input alone.
type channelwise struct {
	stays func(c *compactor, n *onnx.Node, value float64) bool // whether a constant channel stays constant
	maps  func(n *onnx.Node, value float64) float64            // to which value; nil: the same
}

func always(*compactor, *onnx.Node, float64) bool { return true }

func padKeeps(c *compactor, n *onnx.Node, value float64) bool {
	if onnx.AttrOr(n, "mode", "constant") != "constant" {
		return true
	}
	fill := n.Input(2)
	if fill == nil {
		return value == 0
	}
	t := c.fixed(fill)
	return value == 0 && t != nil && allZero(t)
}

func poolKeeps(_ *compactor, n *onnx.Node, value float64) bool {
	a := op.PoolAttrsOf(n)
	return value == 0 || !a.CountIncludePad && !a.CeilMode
}

// fits refuses nodes that touch axis 1 in another way than channel by channel.
func (r channelwise) fits(c *compactor, n *onnx.Node) bool {
	if n.Input(0) == nil || n.Output(0) == nil || n.NumOutputs() > 1 || c.of(n.Input(0)).count() != c.of(n.Output(0)).count() {
		return false // a second output counts places across channels
	}
	switch n.Op {
	case "Pad":
		if c.fixed(n.Input(1)) == nil || n.NumInputs() > 3 {
			return false
		}
		pads, ok := op.ConstantInts(n.Input(1))
		rank := len(pads) / 2
		return ok && rank >= 2 && pads[1] == 0 && pads[rank+1] == 0
	case "Resize":
		scales := c.fixed(n.Input(2))
		if scales == nil || scales.DType != onnx.Float || len(scales.Float32s()) < 2 || n.NumInputs() > 3 {
			return false
		}
		_, someAxes := n.Attr("axes")
		return scales.Float32s()[1] == 1 && !someAxes && onnx.AttrOr(n, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
	}
	return true
}

func (r channelwise) constants(c *compactor, n *onnx.Node) {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	for i := range x.constant {
		if x.constant[i] && r.stays(c, n, x.value[i]) {
			v := x.value[i]
			if r.maps != nil {
				v = r.maps(n, v)
			}
			y.set(i, v)
		}
	}
}

func (r channelwise) needs(c *compactor, n *onnx.Node) {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	for i, needed := range y.needed {
		x.needed[i] = x.needed[i] || needed
	}
}

func (r channelwise) tie(c *compactor, n *onnx.Node) bool {
	return same(c.of(n.Input(0)), c.of(n.Output(0)))
}

func (channelwise) apply(*compactor, *onnx.Node) error { return nil }

// same makes both keep the union of what they need.
func same(x, y *channels) (changed bool) {
	for i := range x.needed {
		if x.needed[i] != y.needed[i] {
			x.needed[i], y.needed[i], changed = true, true, true
		}
	}
	return changed
}

func allZero(t *onnx.Tensor) bool {
	for _, b := range t.Data {
		if b != 0 {
			return false
		}
	}
	return true
}
