package masking

import (
	"graft/onnx"
	"graft/onnx/op"
)

// axis is the axis of v that its channels are counted along: 1 for pictures and rows, the last where products of matrices make or read
// what has more axes, that of the heads where such a last axis has been split.
func (c *compactor) axis(v *onnx.Value) int {
	if a, known := c.axes[v]; known {
		return a
	}
	return 1
}

// findAxes goes through the nodes in order. What is not otherwise known is 1.
func (c *compactor) findAxes(nodes []*onnx.Node) {
	c.axes = map[*onnx.Value]int{}
	for _, v := range c.graph.Inputs() {
		for _, u := range v.Uses() {
			if len(v.Type.Shape) > 2 && u.Index == 0 && u.Node.Is("MatMul") && c.weighs(u.Node.Input(1)) {
				c.axes[v] = len(v.Type.Shape) - 1
			}
		}
	}
	for _, n := range nodes {
		if n.Domain != "" && n.Domain != "ai.onnx" {
			continue
		}
		for _, y := range n.Outputs() {
			if y == nil {
				continue
			}
			if a, known := c.axisBehind(n, y); known && a != 1 && a < len(y.Type.Shape) {
				c.axes[y] = a
			}
		}
	}
}

// weighs reports whether v is the weight of a product, which makes the last axis of its output.
func (c *compactor) weighs(v *onnx.Value) bool {
	t := c.fixed(v)
	return t != nil && len(t.Dims) == 2
}

// axisBehind is that of an output, from those of what the node reads.
func (c *compactor) axisBehind(n *onnx.Node, y *onnx.Value) (axis int, known bool) {
	x := n.Input(0)
	rank := len(y.Type.Shape)
	switch n.Op {
	case "MatMul":
		if c.weighs(n.Input(1)) {
			return rank - 1, true
		}
		return c.axis(x), true
	case "LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization", "Gather":
		return rank - 1, rank > 2
	case "Transpose":
		for at, from := range permutation(n, rank) {
			if int(from) == c.axis(x) {
				return at, true
			}
		}
		return 0, false
	case "Reshape":
		// Heads come where the last axis was, or go there again: the axis keeps its place.
		if rank > 2 || len(shapeOf(x)) > 2 && c.axis(x) != 1 {
			return c.axis(x), true
		}
		return 0, false
	case "Conv", "ConvTranspose", "Gemm", "Flatten", "BatchNormalization", "InstanceNormalization":
		return 1, true
	}
	for _, v := range n.Inputs() { // element by element: the operand that says so
		if v != nil && len(v.Type.Shape) == rank && c.axis(v) != 1 {
			return c.axis(v), true
		}
	}
	return 0, false
}

func shapeOf(v *onnx.Value) onnx.Shape {
	if v == nil {
		return nil
	}
	return v.Type.Shape
}

// permutation is that of a Transpose: nil where it is none of that many axes.
func permutation(n *onnx.Node, rank int) []int64 {
	perm := onnx.AttrOr(n, "perm", []int64(nil))
	if len(perm) == 0 {
		for i := range rank {
			perm = append(perm, int64(rank-1-i))
		}
	}
	seen := map[int64]bool{}
	for _, p := range perm {
		if p < 0 || p >= int64(rank) || seen[p] {
			return nil
		}
		seen[p] = true
	}
	if len(perm) != rank {
		return nil
	}
	return perm
}

// transposeRule moves the axis of the channels.
type transposeRule struct{ channelwise }

func (transposeRule) fits(c *compactor, n *onnx.Node) bool {
	x, y := n.Input(0), n.Output(0)
	if x == nil || y == nil || c.of(x).count() == 0 || c.of(x).count() != c.of(y).count() || len(x.Type.Shape) != len(y.Type.Shape) {
		return false
	}
	perm := permutation(n, len(y.Type.Shape))
	return perm != nil && perm[c.axis(y)] == int64(c.axis(x))
}

// batchedRule is that of a product of two values whose channels are an axis that both have: every channel is a product of its own.
type batchedRule struct{}

func (batchedRule) fits(c *compactor, n *onnx.Node) bool {
	a, b, y := n.Input(0), n.Input(1), n.Output(0)
	if a == nil || b == nil || y == nil || n.NumInputs() != 2 {
		return false
	}
	rank := len(y.Type.Shape)
	return rank > 2 && len(a.Type.Shape) == rank && len(b.Type.Shape) == rank && c.axis(y) < rank-2 && c.axis(a) == c.axis(y) && c.axis(b) == c.axis(y) &&
		c.of(y).count() > 0 && c.of(a).count() == c.of(y).count() && c.of(b).count() == c.of(y).count()
}

// constants: zero on either side makes zero.
func (batchedRule) constants(c *compactor, n *onnx.Node) {
	a, b, y := c.of(n.Input(0)), c.of(n.Input(1)), c.of(n.Output(0))
	for i := range y.count() {
		if a.constant[i] && a.value[i] == 0 || b.constant[i] && b.value[i] == 0 {
			y.set(i, 0)
		}
	}
}

func (r batchedRule) needs(c *compactor, n *onnx.Node) { r.tie(c, n) }

func (batchedRule) tie(c *compactor, n *onnx.Node) bool {
	changed := same(c.of(n.Input(0)), c.of(n.Output(0)))
	return same(c.of(n.Input(1)), c.of(n.Output(0))) || changed
}

func (batchedRule) apply(*compactor, *onnx.Node) error { return nil }

func (batchedRule) join(j *joiner, n *onnx.Node) {
	j.same(n.Input(0), n.Output(0))
	j.same(n.Input(1), n.Output(0))
}

// headsRule is that of a Reshape that splits the axis of the channels into heads and the places of one, or joins such two again. A head
// is then what goes or stays.
type headsRule struct{}

// of gives the places of a head, and whether the node splits; ok is false where it does neither.
func (headsRule) of(c *compactor, n *onnx.Node) (places int, splits, ok bool) {
	x, y := n.Input(0), n.Output(0)
	if x == nil || y == nil || n.NumInputs() != 2 || onnx.AttrOr(n, "allowzero", int64(0)) != 0 || c.axis(x) != c.axis(y) {
		return 0, false, false
	}
	many, few := x.Type.Shape, y.Type.Shape
	if splits = len(few) > len(many); !splits {
		many, few = few, many
	}
	axis := c.axis(x)
	if len(few) != len(many)+1 || len(many) != axis+1 || len(many) < 3 {
		return 0, false, false
	}
	for i := range axis {
		if many[i] != few[i] {
			return 0, false, false
		}
	}
	if !few[axis].Known() || !few[axis+1].Known() || few[axis+1].Size < 1 {
		return 0, false, false
	}
	target, constant := op.ConstantInts(n.Input(1))
	a, b := c.of(x).count(), c.of(y).count()
	if splits {
		a, b = b, a
	}
	places = int(few[axis+1].Size)
	return places, splits, constant && len(target) == len(y.Type.Shape) && a > 0 && a*places == b
}

func (r headsRule) fits(c *compactor, n *onnx.Node) bool {
	_, _, ok := r.of(c, n)
	return ok
}

// each calls f for every channel of the side that has more, and the head that it is of.
func (r headsRule) each(c *compactor, n *onnx.Node, f func(many, heads *channels, i, head int)) {
	places, splits, _ := r.of(c, n)
	many, heads := c.of(n.Output(0)), c.of(n.Input(0))
	if splits {
		many, heads = heads, many
	}
	for i := range many.count() {
		f(many, heads, i, i/places)
	}
}

// constants: those of a head follow where all its places are zero.
func (r headsRule) constants(c *compactor, n *onnx.Node) {
	_, splits, _ := r.of(c, n)
	if !splits {
		r.each(c, n, func(many, heads *channels, i, head int) {
			if heads.constant[head] {
				many.set(i, heads.value[head])
			}
		})
		return
	}
	some := map[int]bool{}
	r.each(c, n, func(many, heads *channels, i, head int) {
		some[head] = some[head] || !many.constant[i] || many.value[i] != 0
	})
	r.each(c, n, func(_, heads *channels, _, head int) {
		if !some[head] {
			heads.set(head, 0)
		}
	})
}

func (r headsRule) needs(c *compactor, n *onnx.Node) { r.tie(c, n) }

// tie keeps a head with all its places, or none.
func (r headsRule) tie(c *compactor, n *onnx.Node) (changed bool) {
	r.each(c, n, func(many, heads *channels, i, head int) {
		if many.needed[i] && !heads.needed[head] {
			heads.needed[head], changed = true, true
		}
	})
	r.each(c, n, func(many, heads *channels, i, head int) {
		if heads.needed[head] && !many.needed[i] {
			many.needed[i], changed = true, true
		}
	})
	return changed
}

// keepOne keeps the first head where none is needed: one has to stay, with all its places.
func (r headsRule) keepOne(c *compactor, n *onnx.Node) (changed bool) {
	r.each(c, n, func(_, heads *channels, _, head int) {
		if head == 0 && heads.unneeded() {
			heads.needed[0], changed = true, true
		}
	})
	return changed
}

// apply puts what is left into the target.
func (r headsRule) apply(c *compactor, n *onnx.Node) error {
	x, y := c.of(n.Input(0)), c.of(n.Output(0))
	if x.whole() && y.whole() {
		return nil
	}
	target, _ := op.ConstantInts(n.Input(1))
	target = append([]int64(nil), target...)
	if at := c.axis(n.Output(0)); target[at] != -1 {
		target[at] = int64(len(y.kept))
	}
	n.SetInput(1, c.graph.AddInitializer(c.freeName(n.Output(0).Name+".shape"), onnx.FromSlice(target)))
	return nil
}

func (r headsRule) join(j *joiner, n *onnx.Node) {
	places, splits, _ := r.of(j.compactor, n)
	many, heads := n.Output(0), n.Input(0)
	if splits {
		many, heads = heads, many
	}
	for i := range j.of(many).count() {
		j.unite(j.at(heads, i/places), j.at(many, i))
	}
	for i := range j.of(heads).count() {
		j.heads = append(j.heads, j.at(heads, i))
	}
}
