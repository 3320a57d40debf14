package masking

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Flow says what of a network's inputs reaches its outputs.
type Flow struct {
	// Dead are the weights, in the order of their readers, behind which nothing of the inputs is left, or of which nothing
	// reaches an output: all their numbers are zero, or no path of channels leads through them.
	Dead  []string
	Empty []string // those of Dead that have no number but zero
	Cut   bool     // no output depends on an input
}

// FlowOf follows the inputs of g through the weights that are not zero: node by node, and channel by channel as far as there
// are rules for that (Compact). Types must have been inferred; g stays as it is.
func FlowOf(g *onnx.Graph) Flow {
	g = unbiased(g)
	nodes := g.Nodes()
	f := follower{fed: map[*onnx.Value]bool{}, leads: map[*onnx.Value]bool{}, channels: newCompactor(g, nodes, false)}
	f.channels.follow(nodes)
	for _, v := range g.Inputs() {
		f.fed[v] = !v.IsInitializer()
	}
	for _, v := range g.Outputs() {
		f.leads[v] = true
	}
	for _, n := range nodes {
		if f.carries(n) && slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return f.fed[v] }) {
			for _, o := range n.Outputs() {
				f.fed[o] = o != nil
			}
		}
	}
	for _, n := range slices.Backward(nodes) {
		if f.carries(n) && slices.ContainsFunc(n.Outputs(), func(v *onnx.Value) bool { return f.leads[v] }) {
			for _, v := range n.Inputs() {
				f.leads[v] = v != nil
			}
		}
	}
	var out Flow
	for _, n := range nodes {
		w := carrier(n)
		if w == nil || slices.Contains(out.Dead, w.Name) {
			continue
		}
		empty := zeros(w)
		if empty {
			out.Empty = append(out.Empty, w.Name)
		}
		if empty || !f.alive(n.Output(0)) {
			out.Dead = append(out.Dead, w.Name)
		}
	}
	out.Cut = len(g.Outputs()) > 0 && !slices.ContainsFunc(g.Outputs(), f.alive)
	return out
}

// unbiased is a copy of g whose biases, shifts and means are zero: what does not depend on the inputs is then zero, which no
// padding makes visible.
func unbiased(g *onnx.Graph) *onnx.Graph {
	g, _ = g.Clone()
	for _, n := range g.Nodes() {
		if !n.Is(n.Op) {
			continue
		}
		for i, v := range n.Inputs() {
			if v == nil || v.Const == nil || v.Const.DType != onnx.Float {
				continue
			}
			switch {
			case i == 2 && carrier(n) != nil && n.Op != "DeformConv", i == 3 && n.Op == "BatchNormalization",
				(n.Op == "Add" || n.Op == "Sub") && v.NumUses() == 1:
				zero := onnx.NewTensor(onnx.Float, v.Const.Dims...)
				zero.Name = v.Name
				v.Const = zero
			}
		}
	}
	return g
}

// follow finds what is constant, and then what is needed.
func (c *compactor) follow(nodes []*onnx.Node) {
	for _, n := range nodes {
		c.rules[n].constants(c, n)
	}
	for _, v := range c.graph.Outputs() {
		c.of(v).needAll()
	}
	for _, n := range slices.Backward(nodes) {
		c.rules[n].needs(c, n)
	}
}

// follower is what is known of every value of a graph.
type follower struct {
	fed, leads map[*onnx.Value]bool // depends on an input; an output depends on it
	channels   *compactor
}

// alive reports whether what v takes from the inputs reaches an output.
func (f *follower) alive(v *onnx.Value) bool {
	if v == nil || !f.fed[v] || !f.leads[v] {
		return false
	}
	s := f.channels.of(v)
	for i, needed := range s.needed {
		if needed && !s.constant[i] {
			return true
		}
	}
	return s.count() == 0
}

// carries is false for a node whose weight is zero.
func (*follower) carries(n *onnx.Node) bool {
	w := carrier(n)
	return w == nil || !zeros(w)
}

// carrier is the weight that all that n passes on is multiplied with; nil: there is none.
func carrier(n *onnx.Node) *onnx.Value {
	if !n.Is(n.Op) {
		return nil
	}
	at := []int{1}
	switch n.Op {
	case "Conv", "ConvTranspose", "DeformConv", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization":
	case "Gemm", "MatMul", "Mul":
		at = []int{1, 0}
	default:
		return nil
	}
	for _, i := range at {
		if v := n.Input(i); v != nil && v.Const != nil && v.Const.DType.IsFloat() && op.IsParameter(v) {
			return v
		}
	}
	return nil
}

// zeros reports whether a weight has elements, all of them +0, as masks leave them.
func zeros(v *onnx.Value) bool { return v.Const.Len() > 0 && allZero(v.Const) }
