package masking

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// productRule is that of convolutions and of products of matrices [...,channels]: an output channel is constant when every input
// channel it has a weight for is; a constant input channel goes into the bias, where there is one to take it.
type productRule struct{}

// product is the weight of a node: for output o and input i it has taps numbers.
type product struct {
	w                     []float32
	output, input         int // axes of the weight
	outputs, inputs, taps int
}

func productOf(n *onnx.Node) product {
	w := n.Input(1).Const
	p := product{w: w.Float32s()}
	p.output, p.input = op.WeightAxes(n.Input(1))
	p.outputs, p.inputs = int(w.Dims[p.output]), int(w.Dims[p.input])
	p.taps = len(p.w) / (p.outputs * p.inputs)
	return p
}

// at is where the taps of an output and an input begin.
func (p product) at(output, input int) int {
	if p.output < p.input {
		return (output*p.inputs + input) * p.taps
	}
	return (input*p.outputs + output) * p.taps
}

// tapsOf are the taps of an output and an input.
func (p product) tapsOf(output, input int) []float32 {
	at := p.at(output, input)
	return p.w[at : at+p.taps]
}

// uses reports whether an output has a weight for an input that is not zero.
func (p product) uses(output, input int) bool {
	return slices.ContainsFunc(p.tapsOf(output, input), func(v float32) bool { return v != 0 })
}

// sum is that of the taps of an output and an input.
func (p product) sum(output, input int) (sum float64) {
	for _, v := range p.tapsOf(output, input) {
		sum += float64(v)
	}
	return sum
}

func (productRule) fits(c *compactor, n *onnx.Node) bool {
	weight, bias := n.Input(1), n.Input(2)
	if n.Input(0) == nil || !c.own(weight) || weight.Const.Len() == 0 || bias != nil && !c.own(bias) || onnx.AttrOr(n, "group", int64(1)) != 1 {
		return false
	}
	switch output, input := op.WeightAxes(weight); {
	case output < 0 || input < 0:
		return false
	case n.Is("Gemm") || n.Is("MatMul"):
		rank := len(n.Input(0).Type.Shape)
		if len(weight.Const.Dims) != 2 || rank < 2 || c.axis(n.Input(0)) != rank-1 || c.axis(n.Output(0)) != rank-1 || onnx.AttrOr(n, "transA", int64(0)) != 0 ||
			onnx.AttrOr(n, "alpha", float32(1)) != 1 || onnx.AttrOr(n, "beta", float32(1)) != 1 {
			return false
		}
		if bias != nil && (len(bias.Const.Dims) == 0 || bias.Const.Dims[len(bias.Const.Dims)-1] != bias.Const.Len()) {
			return false
		}
	case len(weight.Const.Dims) < 3 || c.axis(n.Input(0)) != 1:
		return false
	}
	p := productOf(n)
	return (bias == nil || int(bias.Const.Len()) == p.outputs) && c.of(n.Input(0)).count() == p.inputs && c.of(n.Output(0)).count() == p.outputs
}

// folds reports whether a constant input channel can be taken into the bias: not where zero padding, or the border of a
// transposed convolution, shows its edge, and not where there can be no bias.
func (productRule) folds(n *onnx.Node, value float64) bool {
	switch {
	case value == 0:
		return true
	case n.Is("Gemm"):
		return true
	case !n.Is("Conv"):
		return false
	}
	a := op.ConvAttrsOf(n, len(n.Input(1).Const.Dims)-2)
	padded := slices.ContainsFunc(a.Pads, func(p int64) bool { return p != 0 })
	return !padded && (a.AutoPad == "NOTSET" || a.AutoPad == "VALID")
}

func (r productRule) constants(c *compactor, n *onnx.Node) {
	x, y, p := c.of(n.Input(0)), c.of(n.Output(0)), productOf(n)
	for o := range y.count() {
		value, constant := 0.0, true
		if b := n.Input(2); b != nil {
			value = float64(b.Const.Float32s()[o])
		}
		for i := range p.inputs {
			if !p.uses(o, i) {
				continue
			}
			if constant = x.constant[i] && r.folds(n, x.value[i]); !constant {
				break
			}
			value += p.sum(o, i) * x.value[i]
		}
		if constant {
			y.set(o, value)
		}
	}
}

func (r productRule) needs(c *compactor, n *onnx.Node) {
	x, y, p := c.of(n.Input(0)), c.of(n.Output(0)), productOf(n)
	for i := range p.inputs {
		if x.needed[i] || x.constant[i] && r.folds(n, x.value[i]) {
			continue
		}
		for o, needed := range y.needed {
			if needed && p.uses(o, i) {
				x.needed[i] = true
				break
			}
		}
	}
}

func (productRule) tie(*compactor, *onnx.Node) bool { return false }

// apply folds the constants of x into the bias and keeps the weights of what stays.
func (r productRule) apply(c *compactor, n *onnx.Node) error {
	x, y, weight, p := c.of(n.Input(0)), c.of(n.Output(0)), n.Input(1), productOf(n)
	bias := make([]float64, y.count())
	if b := n.Input(2); b != nil {
		for o, v := range b.Const.Float32s() {
			bias[o] = float64(v)
		}
	}
	w := weight.Const
	erase := func(o, i int) {
		if w == weight.Const {
			w = w.Clone()
		}
		clear(w.Float32s()[p.at(o, i):][:p.taps])
	}
	folded := false
	for o := range y.count() {
		if !y.needed[o] { // it may stay as the only one: then as zeros
			for i := range p.inputs {
				erase(o, i)
			}
			bias[o] = 0
			continue
		}
		for i := range p.inputs {
			if x.needed[i] || !x.constant[i] || !p.uses(o, i) || !r.folds(n, x.value[i]) {
				continue
			}
			bias[o] += p.sum(o, i) * x.value[i]
			folded = folded || x.value[i] != 0
			erase(o, i) // the channel may stay as the only one: it must not count twice
		}
	}
	if !y.whole() {
		w = pick(w, p.output, y.kept)
	}
	if !x.whole() {
		w = pick(w, p.input, x.kept)
	}
	if w != weight.Const {
		replace(weight, w)
	}
	if n.Input(2) == nil && !folded {
		return nil
	}
	out := onnx.NewTensor(onnx.Float, int64(len(y.kept)))
	for at, o := range y.kept {
		out.Float32s()[at] = float32(bias[o])
	}
	if b := n.Input(2); b != nil {
		replace(b, out)
	} else {
		n.SetInput(2, c.graph.AddInitializer(c.freeName(weight.Name+".folded_bias"), out))
	}
	return nil
}

// freeName is name, or one made of it that nothing in the graph has yet.
func (c *compactor) freeName(name string) string {
	for free := name; ; free += "_" {
		if c.graph.Lookup(free) == nil {
			return free
		}
	}
}
