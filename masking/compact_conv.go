package masking

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// convRule: an output channel is constant when every input channel it has a weight for is; a constant input channel goes
// into the bias, unless zero padding shows its edge.
type convRule struct{}

func (convRule) fits(c *compactor, n *onnx.Node) bool {
	weight, bias := n.Input(1), n.Input(2)
	if !c.own(weight) || bias != nil && !c.own(bias) || onnx.AttrOr(n, "group", int64(1)) != 1 {
		return false
	}
	w := weight.Const
	return len(w.Dims) >= 3 && w.Len() > 0 && (bias == nil || bias.Const.Len() == w.Dims[0]) &&
		int64(c.of(n.Input(0)).count()) == w.Dims[1] && int64(c.of(n.Output(0)).count()) == w.Dims[0]
}

// folds reports whether a constant input channel can be taken into the bias.
func (convRule) folds(n *onnx.Node, value float64) bool {
	if value == 0 {
		return true
	}
	a := op.ConvAttrsOf(n, len(n.Input(1).Const.Dims)-2)
	padded := slices.ContainsFunc(a.Pads, func(p int64) bool { return p != 0 })
	return !padded && (a.AutoPad == "NOTSET" || a.AutoPad == "VALID")
}

// kernelSums gives for output channel o and each input channel the sum of the kernel, and whether any weight is not zero.
func kernelSums(w *onnx.Tensor, o int64) (sums []float64, any []bool) {
	in := w.Dims[1]
	taps := int64(1)
	for _, d := range w.Dims[2:] {
		taps *= d
	}
	data := w.Float32s()[o*in*taps : (o+1)*in*taps]
	sums, any = make([]float64, in), make([]bool, in)
	for i := range in {
		for _, v := range data[i*taps : (i+1)*taps] {
			sums[i] += float64(v)
			any[i] = any[i] || v != 0
		}
	}
	return sums, any
}

func (r convRule) constants(c *compactor, n *onnx.Node) {
	x, y, w := c.of(n.Input(0)), c.of(n.Output(0)), n.Input(1).Const
	for o := range y.count() {
		sums, any := kernelSums(w, int64(o))
		value, constant := 0.0, true
		if b := n.Input(2); b != nil {
			value = float64(b.Const.Float32s()[o])
		}
		for i, used := range any {
			if !used {
				continue
			}
			if constant = x.constant[i] && r.folds(n, x.value[i]); !constant {
				break
			}
			value += sums[i] * x.value[i]
		}
		if constant {
			y.set(o, value)
		}
	}
}

func (r convRule) needs(c *compactor, n *onnx.Node) {
	x, y, w := c.of(n.Input(0)), c.of(n.Output(0)), n.Input(1).Const
	for o, needed := range y.needed {
		if !needed {
			continue
		}
		_, any := kernelSums(w, int64(o))
		for i, used := range any {
			if used && !(x.constant[i] && r.folds(n, x.value[i])) {
				x.needed[i] = true
			}
		}
	}
}

func (convRule) tie(*compactor, *onnx.Node) bool { return false }

// apply folds the constants of x into the bias and keeps the filters and kernel slices of what stays.
func (r convRule) apply(c *compactor, n *onnx.Node) error {
	x, y, weight := c.of(n.Input(0)), c.of(n.Output(0)), n.Input(1)
	bias := make([]float64, y.count())
	if b := n.Input(2); b != nil {
		for o, v := range b.Const.Float32s() {
			bias[o] = float64(v)
		}
	}
	w := weight.Const.Clone()
	inner := int(w.Len() / w.Dims[0] / w.Dims[1])
	folded := false
	for o := range y.count() {
		if !y.needed[o] { // it may stay as the only one: then as zeros
			clear(w.Float32s()[o*x.count()*inner : (o+1)*x.count()*inner])
			bias[o] = 0
			continue
		}
		sums, any := kernelSums(weight.Const, int64(o))
		for i, used := range any {
			if !used || x.needed[i] || !x.constant[i] || !r.folds(n, x.value[i]) {
				continue
			}
			bias[o] += sums[i] * x.value[i]
			folded = folded || x.value[i] != 0
			at := (o*x.count() + i) * inner // the channel may stay as the only one: it must not count twice
			clear(w.Float32s()[at : at+inner])
		}
	}
	replace(weight, pick(pick(w, 0, y.kept), 1, x.kept))
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
