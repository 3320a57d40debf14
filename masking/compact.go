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
}

// Compact removes channels in place, without changing the output. A channel (of axis 1) goes when it is provably constant
// and all its readers can take the constant in, or when nothing that matters reads it. What fed it and what read it goes
// too: filters, kernel slices, norm scales. Nodes whose operator has no row here keep all channels they read and make.
//
// One forward sweep finds the constants, one backward sweep what is needed; together they are the fixpoint, because what is
// removed was constant or unread already.
func Compact(g *onnx.Graph) (Compaction, error) {
	done := Compaction{Before: weightCount(g)}
	c := &compactor{graph: g, state: map[*onnx.Value]*channels{}}
	nodes := g.Nodes()
	for _, n := range nodes {
		c.rule(n).constants(c, n)
	}
	for _, v := range append(g.Inputs(), g.Outputs()...) {
		c.of(v).needAll() // the signature stays
	}
	for _, n := range slices.Backward(nodes) {
		c.rule(n).needs(c, n)
	}
	for changed := true; changed; {
		changed = false
		for _, n := range nodes {
			changed = c.rule(n).tie(c, n) || changed
		}
	}
	for _, s := range c.state {
		s.settle()
		done.Channels += int64(len(s.needed) - len(s.kept))
	}
	for _, n := range nodes {
		if err := c.rule(n).apply(c, n); err != nil {
			return Compaction{}, fmt.Errorf("compact %v: %w", n, err)
		}
	}
	g.RemoveUnused()
	for _, n := range g.Nodes() {
		types, err := op.Infer(n)
		if err != nil {
			continue // an operator of the file that the table does not know keeps its types
		}
		for i, t := range types {
			if v := n.Output(i); v != nil {
				v.Type = t
			}
		}
	}
	done.After = weightCount(g)
	return done, nil
}

// compactor holds what is known of every value's channels.
type compactor struct {
	graph *onnx.Graph
	state map[*onnx.Value]*channels
}

// channels is what is known of one value, along axis 1.
type channels struct {
	constant []bool    // the channel has one value everywhere, for every input
	value    []float64 // that value
	needed   []bool    // some reader needs the channel as it is
	kept     []int     // after settle: the channels that stay, in order
}

// of gives what is known of v; a value without a countable axis 1 has no channels.
func (c *compactor) of(v *onnx.Value) *channels {
	if s := c.state[v]; s != nil {
		return s
	}
	n := int64(0)
	if v != nil && len(v.Type.Shape) >= 2 && v.Type.Shape[1].Known() && v.Type.DType.IsFloat() && !v.IsInitializer() {
		n = v.Type.Shape[1].Size
	}
	s := &channels{constant: make([]bool, n), value: make([]float64, n), needed: make([]bool, n)}
	c.state[v] = s
	return s
}

func (s *channels) count() int { return len(s.needed) }

func (s *channels) set(i int, value float64) { s.constant[i], s.value[i] = true, value }

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
func own(v *onnx.Value) bool {
	return v != nil && v.Const != nil && v.Const.DType == onnx.Float && v.NumUses() == 1
}

func weightCount(g *onnx.Graph) (n int64) {
	for _, v := range g.Initializers() {
		if v.Const != nil && v.Const.DType.IsFloat() {
			n += v.Const.Len()
		}
	}
	return n
}
