package rewrite

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// A site is the graph that a rule works on, with what it may ask and make there.
type site struct {
	*op.Builder
	*simplifier
	opset int64
	same  map[string]*onnx.Node  // nodes of this round by what they compute
	known map[string]*onnx.Value // values of this round by what they hold
}

// tensor is an initializer that holds t: one for all that hold the same.
func (s *site) tensor(t *onnx.Tensor) *onnx.Value { return s.pool.value(t) }

// ints is an int64 vector as an initializer.
func (s *site) ints(v ...int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Int64, int64(len(v)))
	copy(t.Int64s(), v)
	return s.tensor(t)
}

// one makes a node with one output.
func (s *site) one(name string, in []*onnx.Value, attrs ...onnx.Attr) []*onnx.Value {
	out := s.Node(name, in, 1, attrs...)
	if out[0] == nil {
		return nil
	}
	return out
}

// constant is the tensor of a value that is constant; nil when it is none.
func (s *site) constant(v *onnx.Value) *onnx.Tensor {
	t := op.ConstantOf(v)
	if t == nil || t.Check() != nil {
		return nil
	}
	return t
}

// numbers are the elements of a constant.
func (s *site) numbers(v *onnx.Value) ([]float64, bool) {
	t := s.constant(v)
	if t == nil {
		return nil, false
	}
	return t.Reals()
}

// number is the one element of a constant.
func (s *site) number(v *onnx.Value) (float64, bool) {
	t := s.constant(v)
	if t == nil || t.Len() != 1 {
		return 0, false
	}
	x, ok := t.Reals()
	if !ok {
		return 0, false
	}
	return x[0], true
}

// integers are the elements of a constant of integers.
func (s *site) integers(v *onnx.Value) ([]int64, bool) {
	if v == nil || s.constant(v) == nil {
		return nil, false
	}
	return op.ConstantInts(v)
}

// listed is a list of integers that is input i, or in older forms the attribute of that name. given says that there is one.
func (s *site) listed(n *onnx.Node, i int, name string) (list []int64, given, ok bool) {
	if v := n.Input(i); v != nil {
		list, ok = s.integers(v)
		return list, true, ok
	}
	if a, found := n.Attr(name); found {
		list, ok = a.Value.([]int64)
		return list, true, ok
	}
	return nil, false, true
}

// sole reports whether one node alone reads v, in one place, so that what makes it may go.
func (s *site) sole(v *onnx.Value) bool { return v.NumUses() == 1 && !s.outputs[v] }

// maker is the node that makes v for one reader alone, in this graph, when it is one of those operators; else nil.
func (s *site) maker(v *onnx.Value, ops ...string) *onnx.Node {
	if n := s.source(v, ops...); n != nil && s.sole(v) {
		return n
	}
	return nil
}

// source is maker for a value that others may read as well.
func (s *site) source(v *onnx.Value, ops ...string) *onnx.Node {
	if v == nil || v.Producer() == nil || v.OutputIndex() != 0 {
		return nil
	}
	n := v.Producer()
	if n.Graph() != s.Graph() || !n.Is(n.Op) || !slices.Contains(ops, n.Op) {
		return nil
	}
	return n
}

// reader is the one node that reads v, when it is one of those operators in this graph; else nil.
func (s *site) reader(v *onnx.Value, ops ...string) *onnx.Node {
	if v == nil || !s.sole(v) {
		return nil
	}
	n := v.Uses()[0].Node
	if n.Graph() != s.Graph() || !n.Is(n.Op) || !slices.Contains(ops, n.Op) {
		return nil
	}
	return n
}

// either gives the operands of a node with two inputs as one that test holds for, and the other.
func either(n *onnx.Node, test func(v *onnx.Value) bool) (which, other *onnx.Value) {
	for i := range 2 {
		if v := n.Input(i); v != nil && n.Input(1-i) != nil && test(v) {
			return v, n.Input(1 - i)
		}
	}
	return nil, nil
}

// mayAlias reports whether v may take the place of old, an output of a node here: a graph output must be made by a node of
// its graph, and have one name.
func (s *site) mayAlias(old, v *onnx.Value) bool {
	if !s.outputs[old] {
		return true
	}
	p := v.Producer()
	return p != nil && p.Graph() == s.Graph() && !s.outputs[v] && !p.Is("Constant")
}

// alike reports whether two shapes are known to be the same.
func alike(a, b onnx.Shape) bool {
	if !a.Ranked() || len(a) != len(b) {
		return false
	}
	for i, d := range a {
		if d != b[i] || !d.Known() && d.Symbol == "" {
			return false
		}
	}
	return true
}

// attrsBut are n's attributes without those named.
func attrsBut(n *onnx.Node, names ...string) []onnx.Attr {
	return slices.DeleteFunc(slices.Clone(n.Attrs), func(a onnx.Attr) bool { return slices.Contains(names, a.Name) })
}

// fromEnd puts an axis that may count from the end into 0..rank-1.
func fromEnd(axis int64, rank int) int64 {
	if axis < 0 {
		axis += int64(rank)
	}
	return axis
}

// rank is v's rank; -1 when it is not known.
func rank(v *onnx.Value) int {
	if v == nil || !v.Type.Shape.Ranked() {
		return -1
	}
	return len(v.Type.Shape)
}

func isFloat(v *onnx.Value) bool { return v != nil && v.Type.DType.IsFloat() }
