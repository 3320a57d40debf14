package onnx

import (
	"fmt"
	"slices"
)

// Graph is a network: inputs, initializers, nodes and outputs. A subgraph's nodes may also read the values of the graphs
// around it.
type Graph struct {
	Name     string
	Doc      string
	Metadata Metadata

	inputs       []*Value
	outputs      []*Value
	initializers []*Value
	nodes        []*Node // removed ones among them, as many as removed says; live lists the others
	removed      int
	entered      int // nodes that ever were: what the next one's place is
	extra        Opaque
}

// NewGraph is an empty graph.
func NewGraph(name string) *Graph { return &Graph{Name: name} }

// Inputs is a snapshot of the graph's inputs, in order.
func (g *Graph) Inputs() []*Value { return slices.Clone(g.inputs) }

// Outputs is a snapshot of the graph's outputs, in order.
func (g *Graph) Outputs() []*Value { return slices.Clone(g.outputs) }

// Initializers is a snapshot of the values that carry a tensor, in the file's order.
func (g *Graph) Initializers() []*Value { return slices.Clone(g.initializers) }

// AddInput appends a graph input.
func (g *Graph) AddInput(name string, t TensorType) *Value {
	v := &Value{Name: name, Type: t}
	g.inputs = append(g.inputs, v)
	return v
}

// AddInitializer appends a value that carries t.
func (g *Graph) AddInitializer(name string, t *Tensor) *Value {
	v := &Value{Name: name, Type: t.Type(), Const: t}
	g.initializers = append(g.initializers, v)
	return v
}

// AddSparseInitializer appends a value that carries s.
func (g *Graph) AddSparseInitializer(name string, s *SparseTensor) *Value {
	v := &Value{Name: name, Type: TypeOf(s.Values.DType, s.Dims...), Sparse: s}
	g.initializers = append(g.initializers, v)
	return v
}

// AddOutput makes v a graph output. When name is not empty v takes it.
func (g *Graph) AddOutput(v *Value, name string) {
	if name != "" {
		v.Name = name
	}
	g.outputs = append(g.outputs, v)
}

// SetInputs replaces the list of graph inputs, with inputs of g or values without a producer.
func (g *Graph) SetInputs(vs ...*Value) { g.inputs = slices.Clone(vs) }

// SetInitializers replaces the list of initializers, with those of g or values that carry a tensor.
func (g *Graph) SetInitializers(vs ...*Value) { g.initializers = slices.Clone(vs) }

// SetOutputs replaces the list of graph outputs.
func (g *Graph) SetOutputs(vs ...*Value) { g.outputs = slices.Clone(vs) }

// IsOutput reports whether v is one of the graph's outputs.
func (g *Graph) IsOutput(v *Value) bool { return slices.Contains(g.outputs, v) }

// IsInput reports whether v is one of the graph's inputs.
func (g *Graph) IsInput(v *Value) bool { return slices.Contains(g.inputs, v) }

// Add appends a node with the given number of outputs, of which nothing is known yet: package op infers their types.
func (g *Graph) Add(opType string, in []*Value, outs int, attrs ...Attr) *Node {
	n := &Node{Op: opType, Attrs: slices.Clone(attrs), graph: g,
		inputs: make([]*Value, len(in)), places: make([]int, len(in)), outputs: make([]*Value, 0, outs)}
	for i, v := range in {
		n.SetInput(i, v)
	}
	for i := range outs {
		n.outputs = append(n.outputs, &Value{producer: n, index: i})
	}
	g.enter(n)
	return n
}

// enter makes n the last node of g.
func (g *Graph) enter(n *Node) {
	n.graph, n.place = g, g.entered
	g.nodes = append(g.nodes, n)
	g.entered++
}

// Remove takes n out of the graph. Its outputs must have no uses and must not be graph outputs.
func (g *Graph) Remove(n *Node) error {
	if n.graph != g {
		return fmt.Errorf("remove %v: not in graph %q", n, g.Name)
	}
	for _, o := range n.outputs {
		if o != nil && (o.NumUses() > 0 || g.IsOutput(o)) {
			return fmt.Errorf("remove %v: output %q is still used", n, o.Name)
		}
	}
	n.detach()
	if g.removed++; 2*g.removed > len(g.nodes) { // seldom enough that removing many nodes takes time in their number alone
		g.compact()
	}
	return nil
}

// compact lets go of removed nodes and numbers the others anew.
func (g *Graph) compact() {
	g.nodes, g.removed = g.live(), 0
	g.entered = len(g.nodes)
	for i, n := range g.nodes {
		n.place = i
	}
}

// live lists the nodes that are not removed, in the order in which they were added. The caller must not change the list.
func (g *Graph) live() []*Node {
	if g.removed == 0 {
		return g.nodes
	}
	list := make([]*Node, 0, len(g.nodes)-g.removed)
	for _, n := range g.nodes {
		if n.graph == g {
			list = append(list, n)
		}
	}
	return list
}

// NumNodes is len(g.Nodes()) without the order.
func (g *Graph) NumNodes() int { return len(g.nodes) - g.removed }

// RemoveUnused removes every node that nothing reads, directly or through others, and every initializer without a use.
// It returns how many nodes and initializers went. Graph inputs stay: they are the graph's signature.
func (g *Graph) RemoveUnused() (nodes, initializers int) {
	kept := map[*Value]bool{} // without a use of its own: graph outputs, and outer values that a branch hands out as they are
	for _, o := range g.outputs {
		kept[o] = true
	}
	order := g.Nodes()
	for _, n := range slices.Backward(order) {
		if !slices.ContainsFunc(n.outputs, func(o *Value) bool { return o != nil && (o.NumUses() > 0 || kept[o]) }) {
			n.detach()
			nodes++
			continue
		}
		for _, sub := range n.Subgraphs() {
			sub.handedOut(kept)
		}
	}
	if g.removed += nodes; g.removed > 0 {
		g.compact()
	}
	for _, v := range g.inputs {
		kept[v] = true
	}
	before := len(g.initializers)
	g.initializers = slices.DeleteFunc(g.initializers, func(v *Value) bool { return v.NumUses() == 0 && !kept[v] })
	return nodes, before - len(g.initializers)
}

// handedOut adds the outputs of g, and of the graphs inside its nodes, to a set.
func (g *Graph) handedOut(set map[*Value]bool) {
	for _, o := range g.outputs {
		set[o] = true
	}
	for _, n := range g.live() {
		for _, sub := range n.Subgraphs() {
			sub.handedOut(set)
		}
	}
}

// RemoveInput takes an unused input out of the signature.
func (g *Graph) RemoveInput(v *Value) error {
	if v.NumUses() > 0 || g.IsOutput(v) {
		return fmt.Errorf("remove input %q: it is still used", v.Name)
	}
	g.inputs = slices.DeleteFunc(g.inputs, func(w *Value) bool { return w == v })
	return nil
}

// UnlistInitializers takes the initializers out of g's inputs, among which files of old list all of them, and gives how
// many there were. Nobody can feed them then.
func (g *Graph) UnlistInitializers() int {
	before := len(g.inputs)
	g.inputs = slices.DeleteFunc(g.inputs, (*Value).IsInitializer)
	return before - len(g.inputs)
}

// ReplaceUses makes every reader of old read new. A graph output keeps its name: when old is one, new takes its name and
// its place. The element types must agree, and the shapes as far as both are known.
func (g *Graph) ReplaceUses(old, new *Value) error {
	if old == new {
		return nil
	}
	if err := compatible(old.Type, new.Type); err != nil {
		return fmt.Errorf("replace %q by %q: %w", old.Name, new.Name, err)
	}
	if i := slices.Index(g.outputs, old); i >= 0 {
		if g.IsInput(new) || new.IsInitializer() || g.IsOutput(new) {
			copied := g.Add("Identity", []*Value{new}, 1).outputs[0]
			copied.Type = new.Type
			return g.ReplaceUses(old, copied)
		}
		new.Name, old.Name = old.Name, ""
		for j, o := range g.outputs {
			if o == old {
				g.outputs[j] = new
			}
		}
	}
	for _, u := range old.Uses() {
		u.Node.SetInput(u.Index, new)
	}
	return nil
}

// ReplaceHandedOut puts, for each value of a map, another in its place where a graph inside a node hands it out as its
// output without a node of its own: these are no uses. The values themselves may be replaced again.
func (g *Graph) ReplaceHandedOut(by map[*Value]*Value) {
	if len(by) == 0 {
		return
	}
	for _, n := range g.live() {
		for _, sub := range n.Subgraphs() {
			for i := range sub.outputs {
				for by[sub.outputs[i]] != nil {
					sub.outputs[i] = by[sub.outputs[i]]
				}
			}
			sub.ReplaceHandedOut(by)
		}
	}
}

func compatible(a, b TensorType) error {
	switch {
	case a.Of != nil && b.Of != nil && a.Of.Kind == b.Of.Kind:
		return compatible(a.Of.Elem, b.Of.Elem)
	case a.Of != nil && (b.Of != nil || b.DType != Undefined), b.Of != nil && a.DType != Undefined:
		return fmt.Errorf("types differ: %v and %v", a, b)
	}
	if a.DType != Undefined && b.DType != Undefined && a.DType != b.DType {
		return fmt.Errorf("element types differ: %v and %v", a.DType, b.DType)
	}
	if a.Shape.Ranked() && b.Shape.Ranked() {
		ok := len(a.Shape) == len(b.Shape)
		for i := 0; ok && i < len(a.Shape); i++ {
			ok = !a.Shape[i].Known() || !b.Shape[i].Known() || a.Shape[i].Size == b.Shape[i].Size
		}
		if !ok {
			return fmt.Errorf("shapes differ: %v and %v", a.Shape, b.Shape)
		}
	}
	return nil
}

// detach cuts n from what it and its subgraphs read.
func (n *Node) detach() {
	for i := range n.inputs {
		if n.inputs[i] != nil {
			n.SetInput(i, nil)
		}
	}
	for _, sub := range n.Subgraphs() {
		for _, m := range sub.live() {
			m.detach()
		}
	}
	n.graph = nil
}

// Lookup finds an input, an initializer or a node's output of this graph by name; nil when there is none.
func (g *Graph) Lookup(name string) *Value {
	if name == "" {
		return nil
	}
	for _, list := range [][]*Value{g.inputs, g.initializers} {
		for _, v := range list {
			if v.Name == name {
				return v
			}
		}
	}
	for _, n := range g.live() {
		for _, o := range n.outputs {
			if o != nil && o.Name == name {
				return o
			}
		}
	}
	return nil
}

// Take moves the nodes and initializers of another graph to the end of g. The other graph's inputs must have no uses; its
// outputs, which stay listed there, are values of g then.
func (g *Graph) Take(other *Graph) error {
	for _, v := range other.inputs {
		if v.NumUses() > 0 {
			return fmt.Errorf("take graph %q: its input %q is read", other.Name, v.Name)
		}
	}
	for _, n := range other.live() {
		g.enter(n)
	}
	g.initializers = append(g.initializers, other.initializers...)
	other.nodes, other.removed, other.entered, other.initializers = nil, 0, 0, nil
	return nil
}
