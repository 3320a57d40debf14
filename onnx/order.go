package onnx

// Nodes lists the nodes in stable topological order: producers before readers, else as they were added. It is a snapshot.
// In a cyclic graph, which only a damaged file can give and the checker refuses, the cycle is cut where it was entered.
func (g *Graph) Nodes() []*Node {
	order, _ := g.sorted()
	return order
}

// Cycle returns a node that depends on itself, nil when the graph has none.
func (g *Graph) Cycle() *Node {
	_, cyclic := g.sorted()
	return cyclic
}

func (g *Graph) sorted() (order []*Node, cyclic *Node) {
	const (
		entered = 1
		done    = 2
	)
	nodes := g.live()
	state := make(map[*Node]int8, len(nodes))
	order = make([]*Node, 0, len(nodes))
	type frame struct {
		node *Node
		deps []*Node
	}
	var stack []frame // explicit: a file chooses how deep it goes
	for _, root := range nodes {
		if state[root] != 0 {
			continue
		}
		state[root] = entered
		stack = append(stack[:0], frame{root, g.dependencies(root)})
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.deps) == 0 {
				state[top.node] = done
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.deps[0]
			top.deps = top.deps[1:]
			switch state[next] {
			case entered:
				if cyclic == nil {
					cyclic = next
				}
			case 0:
				state[next] = entered
				stack = append(stack, frame{next, g.dependencies(next)})
			}
		}
	}
	return order, cyclic
}

// dependencies lists the nodes of g that make what n and its subgraphs read.
func (g *Graph) dependencies(n *Node) []*Node {
	var deps []*Node
	for _, v := range n.inputs {
		if v != nil && v.producer != nil && v.producer.graph == g {
			deps = append(deps, v.producer)
		}
	}
	for _, sub := range n.Subgraphs() {
		for _, m := range sub.live() {
			deps = append(deps, g.dependencies(m)...)
		}
		for _, o := range sub.outputs { // a branch may hand out an outer value directly
			if o.producer != nil && o.producer.graph == g {
				deps = append(deps, o.producer)
			}
		}
	}
	return deps
}
