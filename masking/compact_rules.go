package masking

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// compactRule says how an operator treats channels. fits says whether the rule is true of this node; constants marks the outputs' constant channels; needs marks which
// channels of the inputs the node needs, given what is needed of its outputs; tie makes inputs and outputs keep the same
// channels where the operator demands it, and reports a change; apply cuts the node's weights to what is kept; join tells which
// channels go together with which slices of the weights (Groups).
type compactRule interface {
	fits(*compactor, *onnx.Node) bool
	constants(*compactor, *onnx.Node)
	needs(*compactor, *onnx.Node)
	tie(*compactor, *onnx.Node) bool
	apply(*compactor, *onnx.Node) error
	join(*joiner, *onnx.Node)
}

// compactRules has a row for every operator that channels can be removed across.
var compactRules = map[string]compactRule{
	"Conv":                  productRule{},
	"ConvTranspose":         productRule{},
	"Gemm":                  productRule{},
	"MatMul":                productRule{},
	"InstanceNormalization": normRule{},
	"BatchNormalization":    normRule{},
	"Concat":                concatRule{},
	"Flatten":               flattenRule{},
	"Reshape":               flattenRule{},
	"Squeeze":               flattenRule{},
	"Transpose":             transposeRule{channelwise{stays: always}},

	"Add": pairRule{of: func(a, b float64) float64 { return a + b }},
	"Sub": pairRule{of: func(a, b float64) float64 { return a - b }},
	"Mul": pairRule{of: func(a, b float64) float64 { return a * b }, absorbs: true},
	"Div": pairRule{of: func(a, b float64) float64 { return a / b }},
	"Sum": pairRule{of: func(a, b float64) float64 { return a + b }},
	"Max": pairRule{of: func(a, b float64) float64 { return max(a, b) }},
	"Min": pairRule{of: func(a, b float64) float64 { return min(a, b) }},
	"PRelu": pairRule{of: func(x, slope float64) float64 {
		if x < 0 {
			return slope * x
		}
		return x
	}},

	"Pad":         channelwise{stays: padKeeps},
	"AveragePool": channelwise{stays: poolKeeps},
	"MaxPool":     channelwise{stays: always},
	"Resize":      channelwise{stays: always},
	"Identity":    channelwise{stays: always},
	"Dropout":     channelwise{stays: always},

	"GlobalAveragePool": channelwise{stays: always},
	"GlobalMaxPool":     channelwise{stays: always},
	"ReduceMean":        channelwise{stays: always},
	"ReduceMax":         channelwise{stays: always},

	"LeakyRelu": channelwise{stays: always, maps: func(n *onnx.Node, x float64) float64 {
		if x < 0 {
			return x * float64(onnx.AttrOr(n, "alpha", float32(0.01)))
		}
		return x
	}},
	"Relu":    channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return max(x, 0) }},
	"Sigmoid": channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	"Tanh":    channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 { return math.Tanh(x) }},
	"HardSwish": channelwise{stays: always, maps: func(_ *onnx.Node, x float64) float64 {
		return x * max(0, min(1, x/6+0.5))
	}},
	"HardSigmoid": channelwise{stays: always, maps: func(n *onnx.Node, x float64) float64 {
		alpha, beta := onnx.AttrOr(n, "alpha", float32(0.2)), onnx.AttrOr(n, "beta", float32(0.5))
		return max(0, min(1, float64(alpha)*x+float64(beta)))
	}},
	// Of these only zero is followed: it stays zero.
	"Clip": channelwise{stays: clipKeeps},
	"Erf":  channelwise{stays: zero},
	"Elu":  channelwise{stays: zero},
	"Gelu": channelwise{stays: zero},
	"Mish": channelwise{stays: zero},
	"Neg":  channelwise{stays: zero},
	"Abs":  channelwise{stays: zero},
	"Selu": channelwise{stays: zero},
	// Of these none is followed.
	"Softmax":    channelwise{stays: never},
	"LogSoftmax": channelwise{stays: never},
}

// otherForms are rules of operators for forms of them that the first does not fit.
var otherForms = map[string][]compactRule{"Conv": {depthwiseRule{}, groupedRule{}}, "Reshape": {headsRule{}}, "MatMul": {batchedRule{}}}

func (c *compactor) rule(n *onnx.Node) compactRule {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return opaque{}
	}
	if r, ok := compactRules[n.Op]; ok && r.fits(c, n) {
		return r
	}
	for _, r := range otherForms[n.Op] {
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

func never(*compactor, *onnx.Node, float64) bool { return false }

func zero(_ *compactor, _ *onnx.Node, value float64) bool { return value == 0 }

// clipKeeps: zero inside the bounds.
func clipKeeps(c *compactor, n *onnx.Node, value float64) bool {
	for i, v := range n.Inputs()[1:] {
		if v == nil {
			continue
		}
		t := c.fixed(v)
		if t == nil || t.DType != onnx.Float || t.Len() != 1 {
			return false
		}
		if bound := float64(t.Float32s()[0]); i == 0 && bound > 0 || i == 1 && bound < 0 {
			return false
		}
	}
	least, most := onnx.AttrOr(n, "min", float32(math.Inf(-1))), onnx.AttrOr(n, "max", float32(math.Inf(1)))
	return value == 0 && least <= 0 && most >= 0
}

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

// alone reports whether the first output is the only one that is read.
func (c *compactor) alone(n *onnx.Node) bool {
	for _, v := range n.Outputs()[1:] {
		if v != nil && (v.NumUses() > 0 || c.pinned[v]) {
			return false
		}
	}
	return true
}

// fits refuses nodes that touch axis 1 in another way than channel by channel.
func (r channelwise) fits(c *compactor, n *onnx.Node) bool {
	x, y := n.Input(0), n.Output(0)
	if x == nil || y == nil || !c.alone(n) || c.of(x).count() != c.of(y).count() || c.axis(x) != c.axis(y) {
		return false // a second output counts places across channels
	}
	switch n.Op {
	case "Pad", "AveragePool", "MaxPool", "Resize", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax":
		if c.axis(x) != 1 {
			return false
		}
	}
	switch n.Op {
	case "Softmax", "LogSoftmax":
		// Without the attribute the axis depends on the opset, and before opset 13 all axes behind it are meant as well.
		axis, rank := onnx.AttrOr(n, "axis", int64(0)), int64(len(x.Type.Shape))
		if axis < 0 {
			axis += rank
		}
		return axis < rank && axis > int64(c.axis(x))
	case "Dropout":
		return n.NumInputs() < 3 || c.fixed(n.Input(2)) != nil && allZero(c.fixed(n.Input(2)))
	case "ReduceMean", "ReduceMax":
		return reducesPlaces(n)
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

// reducesPlaces reports whether a reduction leaves the first two axes as they are.
func reducesPlaces(n *onnx.Node) bool {
	axes, ok := onnx.AttrOr(n, "axes", []int64(nil)), true
	if n.Input(1) != nil {
		axes, ok = op.ConstantInts(n.Input(1))
	}
	rank := int64(len(n.Input(0).Type.Shape))
	for _, a := range axes {
		if a < 0 {
			a += rank
		}
		ok = ok && a >= 2
	}
	return ok && len(axes) > 0
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
