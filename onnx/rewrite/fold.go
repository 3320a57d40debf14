package rewrite

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Folding says what Fold may compute.
type Folding struct {
	// Keep reports whether an initializer stays as it is, with everything that is computed from it: a parameter that is
	// trained by its name. nil: none does.
	Keep func(v *onnx.Value) bool
	// Weight reports whether a use reads a learned weight. nil: where the operator keeps its weights (op.IsWeightInput).
	Weight func(u onnx.Use) bool
}

// Bounds of Fold, in elements.
const (
	maxSmall   = 1 << 14 // of a tensor that may grow larger than what it is made of
	maxWeights = 1 << 28 // of all weights together that are larger than what they are made of, 64-bit ones counting twice
	maxWork    = 1 << 24 // of all that is computed, beyond what the model holds
)

// Fold computes what is constant in g and in the graphs inside its nodes: of Constant nodes, initializers, static shapes
// and the operators between them. What a learned weight is read from becomes an initializer under its name; anything else
// a Constant node. A branch of an If with a constant condition takes the If's place. The types of g's values must be
// inferred before; they are again where branches were taken. It gives the number of tensors made and branches taken.
//
// A tensor that is much larger than what it is made of is made only where a weight is read; beyond a bound that is an
// error.
func Fold(g *onnx.Graph, c Folding) (int, error) {
	if c.Weight == nil {
		c.Weight = func(u onnx.Use) bool { return op.IsWeightInput(u.Node, u.Index) }
	}
	f := &folder{Folding: c, constants: map[*onnx.Value]*constant{}, kept: map[*onnx.Value]bool{}, work: maxWork}
	taken, err := takeBranches(g)
	if err != nil {
		return 0, fmt.Errorf("fold: %w", err)
	}
	if taken > 0 {
		if err := op.InferGraph(g); err != nil {
			return taken, fmt.Errorf("fold: %w", err)
		}
	}
	f.mark(g, 0)
	if err := f.place(g, 0); err != nil {
		return f.made + taken, fmt.Errorf("fold: %w", err)
	}
	removeUnused(g, 0)
	return f.made + taken, nil
}

// removeUnused is RemoveUnused for g and the graphs inside its nodes, the inner ones first.
func removeUnused(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			removeUnused(sub, depth+1)
		}
	}
	g.RemoveUnused()
}

// constant is a value that follows from constants.
type constant struct {
	tensor *onnx.Tensor // when it was computed, or is there
	size   int64        // elements
	source int64        // elements of the tensors of the model that it is made of
	failed bool
}

type folder struct {
	Folding
	constants map[*onnx.Value]*constant
	kept      map[*onnx.Value]bool // values that depend on initializers that stay
	held      int64                // elements of the tensors of the model
	work      int64                // elements that may still be computed
	weights   int64                // elements of weights made, larger than what they are made of
	made      int
}

// mark finds the values that follow from constants. Nothing large is computed.
func (f *folder) mark(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, v := range g.Initializers() {
		if v.Const == nil || g.IsInput(v) || f.Keep != nil && f.Keep(v) {
			f.kept[v] = true
		} else {
			f.hold(v, v.Const)
		}
	}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			f.mark(sub, depth+1)
		}
		if !n.Is(n.Op) {
			f.keepOutputs(n)
			continue
		}
		if n.Op == "Constant" {
			if t := op.ConstantOf(n.Output(0)); t != nil {
				f.hold(n.Output(0), t)
			}
			continue
		}
		if n.Op != "Shape" && n.Op != "Size" && slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return f.kept[v] }) {
			f.keepOutputs(n)
			continue
		}
		for i, o := range n.Outputs() {
			if o != nil {
				f.follow(n, i, o)
			}
		}
	}
}

func (f *folder) hold(v *onnx.Value, t *onnx.Tensor) {
	if t.Check() == nil {
		f.constants[v] = &constant{tensor: t, size: t.Len(), source: t.Len()}
		f.held += t.Len()
		f.work += t.Len()
	}
}

func (f *folder) keepOutputs(n *onnx.Node) {
	for _, o := range n.Outputs() {
		if o != nil {
			f.kept[o] = true
		}
	}
}

// follow enters the i-th output of n, o, when it follows from constants.
func (f *folder) follow(n *onnx.Node, i int, o *onnx.Value) {
	sizes, static := o.Type.Shape.Sizes()
	size, err := onnx.ElementCount(sizes)
	if !static || err != nil || o.Type.DType.Bits() == 0 {
		return
	}
	c := &constant{size: size}
	computed := folds[n.Op] != nil && n.Input(0) != nil
	for _, v := range n.Inputs() {
		if v == nil {
			continue
		}
		in := f.constants[v]
		computed = computed && in != nil
		switch {
		case in == nil:
		case n.Op == "Concat":
			c.source = min(c.source+in.source, f.held)
		default:
			c.source = max(c.source, in.source)
		}
	}
	switch {
	case computed:
		f.constants[o] = c
	case size <= 256: // shapes that are known, of values that are not
		if c.tensor = op.Known(o); c.tensor != nil && c.tensor.DType == o.Type.DType {
			c.source = size
			f.constants[o] = c
		}
	}
}

// place puts constants where nodes that are none read them.
func (f *folder) place(g *onnx.Graph, depth int) error {
	if depth > maxGraphs {
		return nil
	}
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			if err := f.place(sub, depth+1); err != nil {
				return err
			}
		}
		for _, o := range n.Outputs() {
			if c := f.constants[o]; o == nil || c == nil || !f.read(g, o) {
				continue
			}
			if err := f.put(g, n, o, replaced); err != nil {
				return fmt.Errorf("%v: %w", n, err)
			}
		}
	}
	g.ReplaceHandedOut(replaced)
	return nil
}

// read reports whether anything but constants reads v.
func (f *folder) read(g *onnx.Graph, v *onnx.Value) bool {
	return g.IsOutput(v) || slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool {
		return slices.ContainsFunc(u.Node.Outputs(), func(o *onnx.Value) bool { return o != nil && (f.constants[o] == nil || f.constants[o].failed) })
	})
}

// put makes an initializer or a Constant of o, an output of n.
func (f *folder) put(g *onnx.Graph, n *onnx.Node, o *onnx.Value, replaced map[*onnx.Value]*onnx.Value) error {
	c := f.constants[o]
	weight := o.Type.DType.IsFloat() && len(o.Type.Shape) > 0 && !g.IsOutput(o) && slices.ContainsFunc(o.Uses(), func(u onnx.Use) bool { return f.leads(u, 0) })
	if n.Is("Constant") && !weight {
		return nil
	}
	bound := max(maxSmall, c.source)
	if weight && c.size > bound {
		if f.weights += c.size * max(1, int64(o.Type.DType.Bits())/32); f.weights > maxWeights {
			return fmt.Errorf("a weight of shape %v: at most %d elements are made", o.Type.Shape, int64(maxWeights))
		}
		bound = c.size
		f.work += c.size
	}
	t := f.compute(o, bound, 0)
	if t == nil {
		c.failed = true
		return nil
	}
	var v *onnx.Value
	if weight {
		if o.Name == "" {
			g.AssignNames()
		}
		v = g.AddInitializer("", t)
		v.Name, o.Name = o.Name, ""
	} else {
		v = g.Add("Constant", nil, 1, onnx.TensorAttr("value", t)).Output(0)
		v.Type = t.Type()
		if !g.IsOutput(o) {
			v.Name, o.Name = o.Name, ""
		}
	}
	f.made++
	f.constants[v] = &constant{tensor: t, size: c.size, source: c.source}
	replaced[o] = v
	return g.ReplaceUses(o, v)
}

// carriers hand a weight on to the node that uses it.
var carriers = []string{"Identity", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}

// leads reports whether a use reads a weight, itself or through nodes that only rearrange it.
func (f *folder) leads(u onnx.Use, depth int) bool {
	const longest = 16
	if f.Weight(u) {
		return true
	}
	if u.Index != 0 || depth > longest || !u.Node.Is(u.Node.Op) || !slices.Contains(carriers, u.Node.Op) || u.Node.Output(0) == nil {
		return false
	}
	return slices.ContainsFunc(u.Node.Output(0).Uses(), func(u onnx.Use) bool { return f.leads(u, depth+1) })
}

// compute gives the tensor of a constant; nil when it, or something that it is made of, has more elements than bound, when
// the work is spent, or when the operator has no result.
func (f *folder) compute(v *onnx.Value, bound int64, depth int) *onnx.Tensor {
	const deepest = 1000
	c := f.constants[v]
	if c == nil || c.failed || c.tensor != nil {
		if c == nil {
			return nil
		}
		return c.tensor
	}
	if c.size > bound || c.size > f.work || depth > deepest {
		return nil
	}
	n := v.Producer()
	in := make([]*onnx.Tensor, n.NumInputs())
	for i, x := range n.Inputs() {
		if x == nil {
			continue
		}
		if in[i] = f.compute(x, bound, depth+1); in[i] == nil {
			return nil
		}
	}
	if c.size > f.work {
		return nil
	}
	f.work -= c.size
	sizes, _ := v.Type.Shape.Sizes()
	t := folds[n.Op](n, in, result{v.Type.DType, sizes, v.OutputIndex()})
	if t == nil || t.DType != v.Type.DType || !slices.Equal(t.Dims, sizes) || t.Check() != nil {
		c.failed = true
		return nil
	}
	c.tensor = t
	return t
}

// result is what a node's output is known to be like before it is computed.
type result struct {
	dtype onnx.DataType
	dims  []int64
	index int // of the output
}
