package onnx

// spot is where a finding is. It is put into words when there is one.
type spot struct {
	graph string
	node  *Node
	part  string // of the graph or node: ": output "
	name  string // of the part
}

func (s spot) String() string {
	if s.node == nil {
		return s.graph + s.part + s.name
	}
	return s.graph + ": node " + s.node.String() + s.part + s.name
}

// graph checks g at a depth of nesting. defined and names hold what the graphs around it define; both are as
// before when it returns.
func (c *checker) graph(g *Graph, where string, depth int, defined map[*Value]bool, names map[string]bool) {
	if depth > maxSubgraphDepth {
		c.report(Error, where, "depth", "subgraphs are nested more than %d deep", maxSubgraphDepth)
		return
	}
	if g.Name == "" && c.main {
		c.report(Warning, where, "names", "the graph has no name")
	}
	if len(g.Metadata) > 0 {
		c.since(10, where, "metadata of graphs")
		c.metadata(where, g.Metadata)
	}
	order, cyclic := g.sorted()
	if cyclic != nil {
		c.report(Error, where, "cycle", "%v depends on its own output", cyclic)
		return
	}
	var mine, anonymous []*Value // undone at the end: the graphs around do not see them
	defer func() {
		for _, v := range anonymous {
			delete(defined, v)
		}
		for _, v := range mine {
			delete(defined, v)
			delete(names, v.Name)
		}
	}()
	define := func(v *Value, kind string, maker *Node) {
		what := func() string {
			if maker == nil {
				return kind
			}
			return kind + maker.String()
		}
		if defined[v] {
			c.report(Error, where, "ssa", "%s, %q, is defined a second time", what(), v.Name)
			return
		}
		defined[v] = true
		if v.Name == "" { // chosen at write
			anonymous = append(anonymous, v)
			return
		}
		if !addName(names, v.Name) {
			c.report(Error, where, "ssa", "%s: the name %q is taken", what(), v.Name)
			anonymous = append(anonymous, v)
			return
		}
		if depth > 0 { // around the outermost there is nothing
			mine = append(mine, v)
		}
		if !plainName(v.Name) {
			c.report(Warning, where, "names", "%s: the name %q has control or invalid characters", what(), v.Name)
		}
	}
	for _, v := range g.inputs {
		at := spot{graph: where, part: ": input ", name: v.Name}
		define(v, "input", nil)
		c.value(v, at)
		if c.main && depth == 0 && v.untyped() {
			c.report(Error, at.String(), "type", "an input of the main graph needs a type")
		}
	}
	inputs := make(map[*Value]bool, len(g.inputs))
	for _, v := range g.inputs {
		inputs[v] = true
	}
	for _, v := range g.initializers {
		at := spot{graph: where, part: ": initializer ", name: v.Name}
		if !inputs[v] {
			define(v, "initializer", nil)
			if c.main && depth == 0 && c.model.IRVersion < 4 {
				c.report(Error, at.String(), "ir-feature",
					"before ir_version 4 every initializer is an input as well; this is none and the model says %d", c.model.IRVersion)
			}
		}
		c.initializer(v, at)
	}
	nodeNames := make(map[string]bool, len(order))
	for _, n := range order {
		here := spot{graph: where, node: n}
		for i, v := range n.inputs {
			if v != nil && !defined[v] {
				c.report(Error, here.String(), "undefined", "input %d, %q, is not defined before it is read", i, v.Name)
			}
		}
		if !addName(nodeNames, n.Name) && n.Name != "" {
			c.report(Warning, here.String(), "names", "another node has the same name")
		}
		c.node(n, here)
		for _, a := range n.Attrs {
			c.attr(a, spot{where, n, ": attribute ", a.Name}, depth, defined, names)
		}
		for _, v := range n.outputs {
			if v != nil {
				define(v, "output of ", n)
				c.value(v, spot{where, n, ": output ", v.Name})
			}
		}
	}
	for i, v := range g.outputs {
		switch {
		case !defined[v]:
			c.report(Error, where, "undefined", "output %d, %q, is not defined", i, v.Name)
		case c.main && depth == 0 && v.untyped():
			c.report(Error, where+": output "+v.Name, "type", "an output of the main graph needs a type")
		case depth > 0 && !inputs[v] && v.producer == nil && !v.IsInitializer(),
			depth > 0 && v.producer != nil && v.producer.graph != g:
			c.report(Warning, where+": output "+v.Name, "outer-output",
				"a value of an outer graph is handed out directly; ONNX Runtime wants an Identity between")
		}
	}
}

// untyped reports whether the file does not say what v is, or says that it is a tensor and not of what.
func (v *Value) untyped() bool {
	return !v.typed() || v.IsTensor() && v.Type.DType == Undefined
}

func (c *checker) value(v *Value, where spot) {
	if v.Type.DType != Undefined {
		c.elementType(v.Type.DType, where)
	}
}

func (c *checker) elementType(d DataType, where spot) {
	if !d.Valid() {
		c.report(Error, where.String(), "type", "element type %d is not known", int32(d))
		return
	}
	if ir := typeSince(d); ir > c.model.IRVersion {
		c.since(ir, where.String(), d.String()+" elements")
	}
}

func (c *checker) initializer(v *Value, where spot) {
	t := v.Type
	switch {
	case v.Sparse != nil:
		c.since(6, where.String(), "sparse initializers")
		if v.Sparse.Values == nil || v.Sparse.Indices == nil {
			c.report(Error, where.String(), "tensor", "values or indices are missing")
			return
		}
		if err := v.Sparse.check(); err != nil {
			c.report(Error, where.String(), "tensor", "%v", err)
		} else if err := v.Sparse.ascending(); err != nil {
			c.report(Error, where.String(), "tensor", "%v", err)
		}
		c.tensor(v.Sparse.Values, where)
		t = TypeOf(v.Sparse.Values.DType, v.Sparse.Dims...)
	case v.Const != nil:
		c.tensor(v.Const, where)
		t = v.Const.Type()
	default:
		c.report(Error, where.String(), "tensor", "it has no tensor")
	}
	if v.IsTensor() {
		if err := compatible(v.Type, t); err != nil {
			c.report(Error, where.String(), "type", "declared as %v, the tensor is %v", v.Type, t)
		}
	}
}

func (c *checker) tensor(t *Tensor, where spot) {
	c.elementType(t.DType, where)
	if t.DType.Valid() {
		if err := t.Check(); err != nil {
			c.report(Error, where.String(), "tensor", "%v", err)
		}
	}
}

func (c *checker) node(n *Node, where spot) {
	if n.Op == "" {
		c.report(Error, where.String(), "names", "it has no operator")
	}
	imported := c.main && len(c.imports) == 0 && c.model.IRVersion < 3
	for _, o := range c.imports {
		imported = imported || canonicalDomain(o.Domain) == canonicalDomain(n.Domain)
	}
	if !imported {
		domain := n.Domain
		if canonicalDomain(domain) == "" {
			domain = "ai.onnx"
		}
		c.report(Error, where.String(), "opset-import", "no opset of domain %q is imported", domain)
	}
	if n.Overload != "" {
		c.since(10, where.String(), "overloads")
	}
	if len(n.Metadata) > 0 {
		c.since(10, where.String(), "metadata of nodes")
		c.metadata(where.String(), n.Metadata)
	}
}

func (c *checker) attr(a Attr, where spot, depth int, defined map[*Value]bool, names map[string]bool) {
	if a.Ref != "" {
		if c.main {
			c.report(Error, where.String(), "reference", "it refers to %q, which only the body of a function may", a.Ref)
		}
		return
	}
	switch v := a.Value.(type) {
	case *Tensor:
		if v == nil {
			c.report(Error, where.String(), "tensor", "the tensor is missing")
			return
		}
		c.tensor(v, where)
	case []*Tensor:
		for _, t := range v {
			c.tensor(t, where)
		}
	case *Graph:
		if v == nil {
			c.report(Error, where.String(), "graph", "the graph is missing")
			return
		}
		c.graph(v, where.String(), depth+1, defined, names)
	case []*Graph:
		for _, g := range v {
			c.graph(g, where.String(), depth+1, defined, names)
		}
	case nil:
		c.report(Error, where.String(), "attribute", "it has no value")
	case int64, float32, string, []int64, []float32, []string, TensorType, Opaque:
	default:
		c.report(Error, where.String(), "attribute", "a value of type %T cannot be written", v)
	}
}
