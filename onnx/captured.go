package onnx

// Captured lists the values of graphs around n that its subgraphs read, each once, in the order in which they are met.
func (n *Node) Captured() []*Value {
	c := captures{own: map[*Value]bool{}, seen: map[*Value]bool{}}
	for _, sub := range n.Subgraphs() {
		c.define(sub)
	}
	for _, sub := range n.Subgraphs() {
		c.read(sub)
	}
	return c.list
}

type captures struct {
	own, seen map[*Value]bool
	list      []*Value
}

// define notes what g and the graphs inside it define.
func (c *captures) define(g *Graph) {
	for _, list := range [][]*Value{g.inputs, g.initializers} {
		for _, v := range list {
			c.own[v] = true
		}
	}
	for _, n := range g.nodes {
		for _, o := range n.outputs {
			c.own[o] = true
		}
		for _, sub := range n.Subgraphs() {
			c.define(sub)
		}
	}
}

func (c *captures) read(g *Graph) {
	note := func(v *Value) {
		if v != nil && !c.own[v] && !c.seen[v] {
			c.seen[v] = true
			c.list = append(c.list, v)
		}
	}
	for _, n := range g.Nodes() {
		for _, v := range n.inputs {
			note(v)
		}
		for _, sub := range n.Subgraphs() {
			c.read(sub)
		}
	}
	for _, v := range g.outputs {
		note(v)
	}
}
