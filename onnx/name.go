package onnx

import "strconv"

// AssignNames names every value and node that has none, in topological order, from its operator: "Conv_12". A name that is
// there stays. Names are unique across the graph and its subgraphs.
func (g *Graph) AssignNames() {
	if g.named() {
		return
	}
	taken := make(map[string]bool, 2*g.values())
	g.collectNames(taken)
	g.assign(taken, map[string]int{})
}

// named reports whether nothing in g is without a name.
func (g *Graph) named() bool {
	for _, list := range [][]*Value{g.inputs, g.initializers} {
		for _, v := range list {
			if v.Name == "" {
				return false
			}
		}
	}
	for _, n := range g.live() {
		if n.Name == "" {
			return false
		}
		for _, o := range n.outputs {
			if o != nil && o.Name == "" {
				return false
			}
		}
		for _, sub := range n.Subgraphs() {
			if !sub.named() {
				return false
			}
		}
	}
	return true
}

// values is about how many values g has: what a set of them is made for.
func (g *Graph) values() int { return len(g.inputs) + len(g.initializers) + len(g.nodes) }

func (g *Graph) collectNames(taken map[string]bool) {
	for _, list := range [][]*Value{g.inputs, g.initializers, g.outputs} {
		for _, v := range list {
			taken[v.Name] = true
		}
	}
	for _, n := range g.live() {
		taken[n.Name] = true
		for _, o := range n.outputs {
			if o != nil {
				taken[o.Name] = true
			}
		}
		for _, sub := range n.Subgraphs() {
			sub.collectNames(taken)
		}
	}
}

func (g *Graph) assign(taken map[string]bool, next map[string]int) {
	pick := func(stem string) string {
		for {
			i := next[stem]
			next[stem] = i + 1
			if name := stem + "_" + strconv.Itoa(i); addName(taken, name) {
				return name
			}
		}
	}
	for _, v := range g.inputs {
		if v.Name == "" {
			v.Name = pick("input")
		}
	}
	for _, v := range g.initializers {
		if v.Name == "" {
			v.Name = pick("constant")
		}
	}
	for _, n := range g.Nodes() {
		if n.Name == "" {
			n.Name = pick(n.Op)
		}
		for i, o := range n.outputs {
			if o == nil || o.Name != "" {
				continue
			}
			name := n.Name + "_output"
			if i > 0 {
				name += strconv.Itoa(i)
			}
			if !addName(taken, name) {
				name = pick(name)
			}
			o.Name = name
		}
		for _, sub := range n.Subgraphs() {
			sub.assign(taken, next)
		}
	}
}

// addName puts a name into a set, and reports whether it is new there.
func addName(set map[string]bool, name string) bool {
	before := len(set)
	set[name] = true
	return len(set) > before
}
