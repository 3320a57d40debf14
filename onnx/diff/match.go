package diff

import "graft/onnx"

// pairs says which node of the second model is which of the first, over all graphs of both.
type pairs struct {
	toB, toA map[*onnx.Node]*onnx.Node
}

func (p *pairs) add(a, b *onnx.Node) {
	p.toB[a], p.toA[b] = b, a
}

// match pairs the nodes of two graphs whose forward hashes are there. What computes the same goes first, then what is
// read in the same way, then what looks alike but for weights and precision, then neighbours of pairs, then names.
func (d *digests) match(p *pairs, a, b *onnx.Graph) {
	d.backward(a)
	d.backward(b)
	first, second := a.Nodes(), b.Nodes()
	by := func(always bool, key func(*onnx.Node) uint64) {
		p.group(first, second, always, key)
	}
	by(true, func(n *onnx.Node) uint64 { return d.nodes[n].exact })
	by(false, func(n *onnx.Node) uint64 { return d.nodes[n].exactBack })
	by(false, func(n *onnx.Node) uint64 { return d.nodes[n].loose })
	by(false, func(n *onnx.Node) uint64 { return d.nodes[n].looseBack })
	p.spread(first)
	p.named(first, second, true)
	p.spread(first)
	p.named(first, second, false)
}

// group pairs nodes of equal key: those of one name, then in order, the latter always or only where both models have as
// many.
func (p *pairs) group(first, second []*onnx.Node, always bool, key func(*onnx.Node) uint64) {
	type named struct {
		key  uint64
		name string
	}
	byName := map[named]*onnx.Node{}
	for _, n := range second {
		if p.toA[n] == nil {
			byName[named{key(n), nameOf(n)}] = n
		}
	}
	for _, n := range first {
		if m := byName[named{key(n), nameOf(n)}]; p.toB[n] == nil && m != nil && p.toA[m] == nil {
			p.add(n, m)
		}
	}
	rest, counts := map[uint64][]*onnx.Node{}, map[uint64]int{}
	for _, n := range second {
		if p.toA[n] == nil {
			rest[key(n)] = append(rest[key(n)], n)
		}
	}
	for _, n := range first {
		if p.toB[n] == nil {
			counts[key(n)]++
		}
	}
	skip := map[uint64]bool{}
	for k, n := range counts {
		skip[k] = !always && n != len(rest[k])
	}
	for _, n := range first {
		k := key(n)
		if p.toB[n] == nil && !skip[k] && len(rest[k]) > 0 {
			p.add(n, rest[k][0])
			rest[k] = rest[k][1:]
		}
	}
}

// spread pairs the neighbours of pairs: the only readers of one operator at the same input, and the makers of the same
// input.
func (p *pairs) spread(first []*onnx.Node) {
	var queue []*onnx.Node
	for _, n := range first {
		if p.toB[n] != nil {
			queue = append(queue, n)
		}
	}
	try := func(a, b *onnx.Node) {
		if a != nil && b != nil && p.toB[a] == nil && p.toA[b] == nil && sameOperator(a, b) {
			p.add(a, b)
			queue = append(queue, a)
		}
	}
	for len(queue) > 0 {
		a := queue[0]
		b := p.toB[a]
		queue = queue[1:]
		for i, v := range a.Inputs() {
			if w := b.Input(i); v != nil && w != nil {
				try(v.Producer(), w.Producer())
			}
		}
		for i, v := range a.Outputs() {
			w := b.Output(i)
			if v == nil || w == nil {
				continue
			}
			readers := p.readers(w, p.toA)
			own := p.readers(v, p.toB)
			if len(own) == 0 || len(readers) == 0 {
				continue
			}
			for _, u := range v.Uses() {
				if at := placeOf(u); own[at] == u.Node {
					try(u.Node, readers[at])
				}
			}
		}
	}
}

// place is how a node reads a value.
type place struct {
	domain, op string
	index      int
}

func placeOf(u onnx.Use) place { return place{domainOf(u.Node), u.Node.Op, u.Index} }

// readers are the readers of v without a partner, by how they read it; nil where several read it in one way.
func (p *pairs) readers(v *onnx.Value, partner map[*onnx.Node]*onnx.Node) map[place]*onnx.Node {
	const most = 1000 // a constant that everything reads says nothing of who is who
	if v.NumUses() > most {
		return nil
	}
	found := map[place]*onnx.Node{}
	for _, u := range v.Uses() {
		if partner[u.Node] != nil {
			continue
		}
		at := placeOf(u)
		if _, taken := found[at]; taken {
			found[at] = nil
			continue
		}
		found[at] = u.Node
	}
	return found
}

// named pairs nodes of one name, or whose first outputs have one name, of the same operator or of any.
func (p *pairs) named(first, second []*onnx.Node, operator bool) {
	for _, name := range []func(*onnx.Node) string{func(n *onnx.Node) string { return n.Name }, firstOutput} {
		byName := map[string]*onnx.Node{}
		for _, n := range second {
			if s := name(n); s != "" && p.toA[n] == nil {
				byName[s] = n
			}
		}
		for _, n := range first {
			m := byName[name(n)]
			if p.toB[n] == nil && m != nil && p.toA[m] == nil && (!operator || sameOperator(n, m)) {
				p.add(n, m)
			}
		}
	}
}

func sameOperator(a, b *onnx.Node) bool {
	return a.Op == b.Op && domainOf(a) == domainOf(b) && a.Overload == b.Overload
}

// nameOf is the node's name, or that of its first output.
func nameOf(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return firstOutput(n)
}

func firstOutput(n *onnx.Node) string {
	for _, v := range n.Outputs() {
		if v != nil && v.Name != "" {
			return v.Name
		}
	}
	return ""
}
