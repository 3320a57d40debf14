package onnx

import "slices"

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
	nodes := g.live()
	if g.inOrder(nodes) {
		return slices.Clone(nodes), nil
	}
	const (
		entered = 1
		done    = 2
	)
	state := make([]int8, g.entered) // by place
	order = make([]*Node, 0, len(nodes))
	type frame struct {
		node *Node
		deps []*Value // what is left of the values that the node reads
	}
	var stack []frame // explicit: a file chooses how deep it goes
	for _, root := range nodes {
		if state[root.place] != 0 {
			continue
		}
		state[root.place] = entered
		stack = append(stack[:0], frame{root, root.reads()})
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.deps) == 0 {
				state[top.node.place] = done
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			next := g.maker(top.deps[0])
			top.deps = top.deps[1:]
			switch {
			case next == nil || state[next.place] == done:
			case state[next.place] == entered:
				if cyclic == nil {
					cyclic = next
				}
			default:
				state[next.place] = entered
				stack = append(stack, frame{next, next.reads()})
			}
		}
	}
	return order, cyclic
}

// OrderByDepth puts the nodes of g in the order of the longest way that leads to them, each behind those that lie less deep; those
// of a depth keep their order. Of what a node reads, ONNX Runtime makes first what stands last: with this order that is the
// longest way, and what follows quickly from values that exist already, such as the mask of an activation that its gradient
// is multiplied with, is not held meanwhile. A graph with a cycle stays as it is.
func (g *Graph) OrderByDepth() {
	order, cyclic := g.sorted()
	if cyclic != nil {
		return
	}
	depth := make(map[*Node]int, len(order))
	for _, n := range order {
		for _, v := range n.reads() {
			if p := g.maker(v); p != nil {
				depth[n] = max(depth[n], depth[p]+1)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *Node) int { return depth[a] - depth[b] })
	g.nodes = order
	g.compact()
}

// maker is the node of g that makes v; nil when none does.
func (g *Graph) maker(v *Value) *Node {
	if v == nil || v.producer == nil || v.producer.graph != g {
		return nil
	}
	return v.producer
}

// inOrder reports whether none of the nodes of g reads what a node makes that does not stand before it.
func (g *Graph) inOrder(nodes []*Node) bool {
	for _, n := range nodes {
		for _, v := range n.reads() {
			if p := g.maker(v); p != nil && p.place >= n.place {
				return false
			}
		}
	}
	return true
}

// reads lists the values that n and the graphs inside it read, nil for absent inputs. The caller must not change the list.
func (n *Node) reads() []*Value {
	subs := n.Subgraphs()
	if subs == nil {
		return n.inputs
	}
	list := slices.Clone(n.inputs)
	for _, sub := range subs {
		for _, m := range sub.live() {
			list = append(list, m.reads()...)
		}
		list = append(list, sub.outputs...) // a branch may hand out an outer value directly
	}
	return list
}
