package masking

import (
	"slices"

	"graft/onnx"
)

// groupedRule is that of a convolution in groups of more than one channel. Groups stay of one size: those of which something is
// left keep as many channels as the one that keeps most.
type groupedRule struct{ productRule }

// grouped is the sizes of such a convolution: groups, and channels of one group.
type grouped struct{ groups, inputs, outputs, taps int }

func (groupedRule) of(n *onnx.Node) grouped {
	w := n.Input(1).Const
	g := grouped{groups: int(onnx.AttrOr(n, "group", int64(1))), inputs: int(w.Dims[1])}
	g.outputs = int(w.Dims[0]) / g.groups
	g.taps = int(w.Len()) / (g.groups * g.outputs * g.inputs)
	return g
}

func (r groupedRule) fits(c *compactor, n *onnx.Node) bool {
	weight, bias := n.Input(1), n.Input(2)
	groups := onnx.AttrOr(n, "group", int64(1))
	if n.Input(0) == nil || c.axis(n.Input(0)) != 1 || !c.own(weight) || bias != nil && !c.own(bias) || groups < 2 {
		return false
	}
	w := weight.Const
	return len(w.Dims) >= 3 && w.Len() > 0 && w.Dims[0]%groups == 0 && int64(c.of(n.Output(0)).count()) == w.Dims[0] &&
		int64(c.of(n.Input(0)).count())%groups == 0 && int64(c.of(n.Input(0)).count())/groups == w.Dims[1] &&
		(bias == nil || bias.Const.Len() == w.Dims[0])
}

// sum is that of the taps of output o for place i of its group's inputs, and whether any is not zero.
func (p grouped) sum(w *onnx.Tensor, o, i int) (sum float64, used bool) {
	at := (o*p.inputs + i) * p.taps
	for _, v := range w.Float32s()[at : at+p.taps] {
		sum += float64(v)
		used = used || v != 0
	}
	return sum, used
}

// constants: an output is one when every input is that it has weights for.
func (r groupedRule) constants(c *compactor, n *onnx.Node) {
	x, y, p, w := c.of(n.Input(0)), c.of(n.Output(0)), r.of(n), n.Input(1).Const
	for o := range y.count() {
		value, constant := 0.0, true
		if b := n.Input(2); b != nil {
			value = float64(b.Const.Float32s()[o])
		}
		for i := range p.inputs {
			from := o/p.outputs*p.inputs + i
			if sum, used := p.sum(w, o, i); used {
				constant = constant && x.constant[from] && r.folds(n, x.value[from])
				value += sum * x.value[from]
			}
		}
		if constant {
			y.set(o, value)
		}
	}
}

func (r groupedRule) needs(c *compactor, n *onnx.Node) {
	x, y, p, w := c.of(n.Input(0)), c.of(n.Output(0)), r.of(n), n.Input(1).Const
	for o, needed := range y.needed {
		for i := range p.inputs {
			from := o/p.outputs*p.inputs + i
			// A constant that is not zero stays: there may be no bias to take it.
			if _, used := p.sum(w, o, i); needed && used && !(x.constant[from] && x.value[from] == 0) {
				x.needed[from] = true
			}
		}
	}
}

// tie makes the groups that stay keep the same number of channels, more of the first that are not needed where there are too
// few. A group goes when nothing of it is needed on either side.
func (r groupedRule) tie(c *compactor, n *onnx.Node) (changed bool) {
	x, y, p := c.of(n.Input(0)), c.of(n.Output(0)), r.of(n)
	inputs, outputs := 1, 1
	alive := make([]bool, p.groups)
	for g := range p.groups {
		in, out := count(x.needed[g*p.inputs:][:p.inputs]), count(y.needed[g*p.outputs:][:p.outputs])
		alive[g] = in+out > 0
		inputs, outputs = max(inputs, in), max(outputs, out)
	}
	for g, stays := range alive {
		if stays {
			changed = fill(x.needed[g*p.inputs:][:p.inputs], inputs) || changed
			changed = fill(y.needed[g*p.outputs:][:p.outputs], outputs) || changed
		}
	}
	return changed
}

func count(marks []bool) (n int) {
	for _, m := range marks {
		if m {
			n++
		}
	}
	return n
}

// fill marks the first unmarked until n are.
func fill(marks []bool, n int) (changed bool) {
	n -= count(marks)
	for i := range marks {
		if n > 0 && !marks[i] {
			marks[i], changed = true, true
			n--
		}
	}
	return changed
}

func (r groupedRule) apply(c *compactor, n *onnx.Node) error {
	x, y, p := c.of(n.Input(0)), c.of(n.Output(0)), r.of(n)
	if x.whole() && y.whole() && !y.unneeded() {
		return nil
	}
	inputs := map[int][]int{} // places that a group keeps of its inputs
	for _, k := range x.kept {
		inputs[k/p.inputs] = append(inputs[k/p.inputs], k%p.inputs)
	}
	dims := slices.Clone(n.Input(1).Const.Dims)
	dims[0], dims[1] = int64(len(y.kept)), int64(len(inputs[y.kept[0]/p.outputs]))
	w := onnx.NewTensor(onnx.Float, dims...)
	from, to, none := n.Input(1).Const.Float32s(), w.Float32s(), y.unneeded()
	for _, o := range y.kept {
		for _, i := range inputs[o/p.outputs] {
			if !none { // or the one that stays is zero
				copy(to[:p.taps], from[(o*p.inputs+i)*p.taps:])
			}
			to = to[p.taps:]
		}
	}
	replace(n.Input(1), w)
	if b := n.Input(2); b != nil {
		t := pick(b.Const, 0, y.kept)
		if none {
			clear(t.Data)
		}
		replace(b, t)
	}
	n.SetAttr(onnx.Int("group", int64(len(inputs))))
	return nil
}
