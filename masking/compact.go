package masking

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Compaction is what Compact did.
type Compaction struct {
	Before, After int64 // elements of all float initializers
	Channels      int64 // channels that went, over all tensors of activations
	// Inputs are the channels that are left of the graph inputs that were cut, by name (CompactInputs).
	Inputs map[string][]int
}

// Compact removes channels in place, without changing the output. A channel (of axis 1, of the last axis behind a product of matrices, or
// a head of attention) goes when it is provably constant
// and all its readers can take the constant in, or when nothing that matters reads it. What fed it and what read it goes
// too: filters, kernel slices, norm scales. Nodes whose operator has no row here keep all channels they read and make.
//
// One forward sweep finds the constants, one backward sweep what is needed; together they are the fixpoint, because what is
// removed was constant or unread already. Where a graph needs no channel of a tensor at all, one stays.
//
// Channels are those that the values' types say: types must have been inferred. Unused nodes and initializers go.
func Compact(g *onnx.Graph) (Compaction, error) { return CompactInputs(g) }

// CompactInputs is Compact, and cuts the channels that nothing reads from the named inputs of the graph too: what is fed there
// is then cut likewise (Pick).
func CompactInputs(g *onnx.Graph, inputs ...string) (Compaction, error) {
	return compact(g, false, inputs)
}

// CompactZeros is Compact of channels that are zero or unread alone: no weight that stays changes, and they all may go on being
// trained while those that are zero stay so.
func CompactZeros(g *onnx.Graph) (Compaction, error) { return compact(g, true, nil) }

func compact(g *onnx.Graph, zeros bool, inputs []string) (Compaction, error) {
	done := Compaction{Before: weightCount(g)}
	g.RemoveUnused()
	nodes := g.Nodes()
	c := newCompactor(g, nodes, zeros)
	for _, n := range nodes {
		c.rules[n].constants(c, n)
	}
	for _, v := range append(g.Inputs(), g.Outputs()...) {
		if s := c.of(v); v.IsInitializer() || g.IsOutput(v) || !slices.Contains(inputs, v.Name) {
			s.needAll() // the signature stays
		}
	}
	for _, n := range slices.Backward(nodes) {
		c.rules[n].needs(c, n)
	}
	c.tie(nodes)
	for _, n := range nodes {
		if r, ok := c.rules[n].(interface {
			keepOne(*compactor, *onnx.Node) bool
		}); ok && r.keepOne(c, n) {
			c.tie(nodes)
		}
	}
	for v, s := range c.state {
		s.settle()
		done.Channels += int64(len(s.needed) - len(s.kept))
		if !s.whole() {
			v.Type.Shape = slices.Clone(v.Type.Shape)
			v.Type.Shape[c.axis(v)] = onnx.Dim{Size: int64(len(s.kept))}
		}
	}
	for _, v := range g.Inputs() {
		if s := c.of(v); s.count() > 0 && !s.whole() {
			if done.Inputs == nil {
				done.Inputs = map[string][]int{}
			}
			done.Inputs[v.Name] = s.kept
		}
	}
	for _, n := range nodes {
		if err := c.rules[n].apply(c, n); err != nil {
			return Compaction{}, fmt.Errorf("compact %v: %w", n, err)
		}
	}
	if err := c.dropJoins(); err != nil {
		return Compaction{}, fmt.Errorf("compact: %w", err)
	}
	g.RemoveUnused()
	done.After = weightCount(g)
	return done, nil
}

// tie makes values keep the same channels until all demands are met.
func (c *compactor) tie(nodes []*onnx.Node) {
	for changed := true; changed; {
		changed = false
		for _, n := range nodes {
			changed = c.rules[n].tie(c, n) || changed
		}
	}
}

// compactor holds what is known of every value's channels.
type compactor struct {
	graph  *onnx.Graph
	rules  map[*onnx.Node]compactRule
	state  map[*onnx.Value]*channels
	axes   map[*onnx.Value]int  // of the channels, where it is not axis 1
	pinned map[*onnx.Value]bool // graph inputs and outputs, and what branches hand out: never cut
	budget int64                // channels that may still be kept book of
	zeros  bool                 // a constant other than zero counts as none
	joins  []*onnx.Node         // concatenations of which one input is left
}

// maxChannels bounds the channels of all values together: a file's types can claim any number.
const maxChannels = 1 << 24

func newCompactor(g *onnx.Graph, nodes []*onnx.Node, zeros bool) *compactor {
	c := &compactor{graph: g, rules: map[*onnx.Node]compactRule{}, state: map[*onnx.Value]*channels{},
		pinned: map[*onnx.Value]bool{}, budget: maxChannels, zeros: zeros}
	c.pin(g.Inputs())
	c.pin(g.Outputs())
	for _, n := range nodes {
		for _, sub := range n.Subgraphs() {
			c.pinBranch(sub)
		}
	}
	c.findAxes(nodes)
	for _, n := range nodes {
		c.rules[n] = c.rule(n)
	}
	return c
}

func (c *compactor) pin(list []*onnx.Value) {
	for _, v := range list {
		c.pinned[v] = true
	}
}

func (c *compactor) pinBranch(g *onnx.Graph) {
	c.pin(g.Outputs())
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			c.pinBranch(sub)
		}
	}
}

// fixed is the tensor of a value that no caller of the graph can override; nil when there is none.
func (c *compactor) fixed(v *onnx.Value) *onnx.Tensor {
	if v == nil || c.graph.IsInput(v) {
		return nil
	}
	return op.ConstantOf(v)
}

// channels is what is known of one value, along the axis of its channels.
type channels struct {
	constant []bool    // the channel has one value everywhere, for every input
	value    []float64 // that value
	needed   []bool    // some reader needs the channel as it is
	kept     []int     // after settle: the channels that stay, in order
	zeros    bool      // constants other than zero are not kept book of
}

// of gives what is known of v; a value without a countable axis of channels has none.
func (c *compactor) of(v *onnx.Value) *channels {
	if s := c.state[v]; s != nil {
		return s
	}
	n := int64(0)
	if v != nil && len(v.Type.Shape) >= 2 && v.Type.DType.IsFloat() && !v.IsInitializer() {
		if d := v.Type.Shape[c.axis(v)]; d.Known() {
			n = d.Size
		}
	}
	if n < 0 || n > c.budget {
		n = 0
	}
	c.budget -= n
	s := &channels{constant: make([]bool, n), value: make([]float64, n), needed: make([]bool, n), zeros: c.zeros}
	c.state[v] = s
	return s
}

func (s *channels) count() int { return len(s.needed) }

func (s *channels) set(i int, value float64) {
	if !s.zeros || value == 0 {
		s.constant[i], s.value[i] = true, value
	}
}

func (s *channels) needAll() {
	for i := range s.needed {
		s.needed[i] = true
	}
}

// settle fixes which channels stay: those needed, and one if none is, for a tensor without elements is no tensor.
func (s *channels) settle() {
	for i, needed := range s.needed {
		if needed {
			s.kept = append(s.kept, i)
		}
	}
	if len(s.kept) == 0 && len(s.needed) > 0 {
		s.kept = []int{0}
	}
}

// unneeded reports whether no channel is needed.
func (s *channels) unneeded() bool { return !slices.Contains(s.needed, true) }

// whole reports whether every channel stays.
func (s *channels) whole() bool { return len(s.kept) == len(s.needed) }

// Pick gives the entries of t at the kept positions of an axis: those of what is fed to an input that CompactInputs has cut, for
// axis 1.
func Pick(t *onnx.Tensor, axis int, kept []int) (*onnx.Tensor, error) {
	if axis < 0 || axis >= len(t.Dims) || t.DType.Bits() < 8 || t.Check() != nil {
		return nil, fmt.Errorf("pick of %v along axis %d: no such axis, or no whole elements", t.Type(), axis)
	}
	for _, k := range kept {
		if k < 0 || int64(k) >= t.Dims[axis] {
			return nil, fmt.Errorf("pick of %v along axis %d: there is no entry %d", t.Type(), axis, k)
		}
	}
	return pick(t, axis, kept), nil
}

// pick gives the entries of t at the kept positions of an axis.
func pick(t *onnx.Tensor, axis int, kept []int) *onnx.Tensor {
	dims := slices.Clone(t.Dims)
	dims[axis] = int64(len(kept))
	out := onnx.NewTensor(t.DType, dims...)
	out.Name = t.Name
	inner := int64(t.DType.Bits() / 8)
	for _, d := range t.Dims[axis+1:] {
		inner *= d
	}
	outer := int64(1)
	for _, d := range t.Dims[:axis] {
		outer *= d
	}
	at := out.Data
	for o := range outer {
		for _, k := range kept {
			from := (o*t.Dims[axis] + int64(k)) * inner
			at = at[copy(at, t.Data[from:from+inner]):]
		}
	}
	return out
}

// replace puts t in the place of an initializer's tensor.
func replace(v *onnx.Value, t *onnx.Tensor) {
	t.Name = v.Name
	v.Const, v.Type = t, t.Type()
}

// own reports whether v is a float initializer that one node alone reads.
func (c *compactor) own(v *onnx.Value) bool {
	return v != nil && v.Const != nil && v.Const.DType == onnx.Float && v.NumUses() == 1 && !c.pinned[v]
}

func weightCount(g *onnx.Graph) (n int64) {
	for _, v := range g.Initializers() {
		if v.Const != nil && v.Const.DType.IsFloat() {
			n += v.Const.Len()
		}
	}
	return n
}
