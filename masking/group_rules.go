package masking

import (
	"slices"

	"graft/onnx"
)

// join: outputs and inputs of a product are channels of their own.
func (productRule) join(j *joiner, n *onnx.Node) {
	p := productOf(n)
	j.slot(n.Input(1), p.output, Filter, n.Output(0))
	j.slot(n.Input(1), p.input, Reader, n.Input(0))
	if b := n.Input(2); b != nil {
		j.slot(b, len(b.Const.Dims)-1, Bias, n.Output(0))
	}
}

// join: a filter has a channel of its own.
func (depthwiseRule) join(j *joiner, n *onnx.Node) {
	j.same(n.Input(0), n.Output(0))
	j.slot(n.Input(1), 0, Filter, n.Output(0))
	if b := n.Input(2); b != nil {
		j.slot(b, 0, Bias, n.Output(0))
	}
}

// join: the channels at one place of every group go together, on either side, so that the groups stay of one size. A group of
// one input goes as a whole.
func (r groupedRule) join(j *joiner, n *onnx.Node) {
	p, x, y := r.of(n), n.Input(0), n.Output(0)
	for g := range p.groups {
		for o := range p.outputs {
			if p.inputs == 1 {
				j.unite(j.at(x, g), j.at(y, g*p.outputs+o))
			} else {
				j.unite(j.at(y, o), j.at(y, g*p.outputs+o))
			}
		}
		for i := range p.inputs {
			if p.inputs > 1 {
				j.unite(j.at(x, i), j.at(x, g*p.inputs+i))
			}
		}
	}
	for i := range p.inputs {
		if p.inputs > 1 {
			j.slots = append(j.slots, slot{j.at(x, i), part{n.Input(1), 1, Reader}, i})
		}
	}
	j.slot(n.Input(1), 0, Filter, y)
	if b := n.Input(2); b != nil {
		j.slot(b, 0, Bias, y)
	}
}

// join: statistics at rest are cut with the channel, but are no weights to be masked.
func (normRule) join(j *joiner, n *onnx.Node) {
	j.same(n.Input(0), n.Output(0))
	j.slot(n.Input(1), 0, Scale, n.Output(0))
	j.slot(n.Input(2), 0, Shift, n.Output(0))
}

// join: of constants, what is added to a channel or multiplied with it is masked; others (a divisor, a slope) are cut with the
// channel.
func (r pairRule) join(j *joiner, n *onnx.Node) {
	sides, _ := r.operands(j.compactor, n)
	for _, s := range sides {
		switch {
		case s.channels != nil:
			j.same(s.value, n.Output(0))
		case s.numbers == nil:
			j.fix(s.value)
		case len(s.numbers) > 1 && (n.Is("Add") || n.Is("Sub") || n.Is("Sum") || n.Is("Mul")):
			role := Shift
			if n.Is("Mul") {
				role = Scale
			}
			j.slot(s.value, slices.Index(s.value.Const.Dims, s.value.Const.Len()), role, n.Output(0))
		}
	}
}

func (r concatRule) join(j *joiner, n *onnx.Node) {
	at := 0
	for _, v := range n.Inputs() {
		for i := range j.of(v).count() {
			j.unite(j.at(v, i), j.at(n.Output(0), at))
			at++
		}
	}
}

// join: all places of a channel go with it.
func (r flattenRule) join(j *joiner, n *onnx.Node) {
	places := j.of(n.Output(0)).count() / j.of(n.Input(0)).count()
	for o := range j.of(n.Output(0)).count() {
		j.unite(j.at(n.Input(0), o/places), j.at(n.Output(0), o))
	}
}

func (channelwise) join(j *joiner, n *onnx.Node) { j.same(n.Input(0), n.Output(0)) }

// join: what nothing is known of stays whole.
func (opaque) join(j *joiner, n *onnx.Node) {
	for _, v := range append(n.Inputs(), n.Outputs()...) {
		if v != nil {
			j.fix(v)
		}
	}
	for _, g := range n.Subgraphs() {
		for _, m := range g.Nodes() {
			opaque{}.join(j, m)
		}
		for _, v := range g.Outputs() {
			j.fix(v)
		}
	}
}
