package inspect

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// Memory is what a run holds at the least when every value is let go after its last reader and none is written over
// another. Inputs are there from the beginning and outputs to the end; a dimension without a size counts as 1. A runtime
// that reuses memory in place takes less, one that rearranges weights or packs buffers more.
type Memory struct {
	Activations int64  `json:"activation_peak"`         // bytes, the largest sum of values alive at once
	At          string `json:"activation_at,omitempty"` // the node that runs then
	Weights     int64  `json:"weights"`                 // bytes of all initializers
	Unknown     int    `json:"unknown_values"`          // of unknown rank or type, which are not counted
}

// memoryOf follows the values of g in the order of its nodes.
func memoryOf(g *onnx.Graph, weights int64) Memory {
	m := Memory{Weights: weights}
	nodes := g.Nodes()
	peak, at := m.follow(g, nodes, 0)
	m.Activations = peak
	if at >= 0 {
		m.At = layerName(nodes[at])
	}
	return m
}

// follow gives the peak of g alone and the place of the node that has it, -1 for the inputs. What graphs inside a node take
// comes on top of what is alive around it.
func (m *Memory) follow(g *onnx.Graph, nodes []*onnx.Node, depth int) (peak int64, at int) {
	if depth > maxDepth {
		return 0, -1
	}
	const forever = -1
	last := map[*onnx.Value]int{} // the place of the last reader
	for i, n := range nodes {
		for _, v := range append(n.Inputs(), n.Captured()...) {
			if v != nil {
				last[v] = i
			}
		}
	}
	for _, v := range g.Outputs() {
		last[v] = forever
	}
	sizes := map[*onnx.Value]int64{}
	live := int64(0)
	enter := func(v *onnx.Value) {
		n, ok := bytesOf(v)
		if !ok {
			m.Unknown++
		}
		sizes[v] = n
		if sum, ok := limits.AddInt(live, n); ok {
			live = sum
		}
	}
	for _, v := range g.Inputs() {
		if !v.IsInitializer() {
			enter(v)
			last[v] = forever
		}
	}
	peak, at = live, -1
	for i, n := range nodes {
		constant := n.Is("Constant")
		if !constant {
			if _, _, reader := constantWeight(n); reader != nil { // a weight that is filled in
				size, _ := bytesOf(n.Output(0))
				m.Weights += size
				constant = true
			}
		}
		for _, v := range n.Outputs() {
			if v != nil && !constant {
				enter(v)
			}
		}
		inner := int64(0)
		for _, sub := range n.Subgraphs() {
			p, _ := m.follow(sub, sub.Nodes(), depth+1)
			inner = max(inner, p)
		}
		if sum, ok := limits.AddInt(live, inner); ok && sum > peak {
			peak, at = sum, i
		}
		leave := func(v *onnx.Value) {
			if until, read := last[v]; !read || until == i {
				live -= sizes[v]
				delete(sizes, v)
			}
		}
		for _, v := range append(append(n.Inputs(), n.Captured()...), n.Outputs()...) {
			if v != nil {
				leave(v)
			}
		}
	}
	return peak, at
}

// bytesOf is the size of a value; ok is false when too little is known of it.
func bytesOf(v *onnx.Value) (int64, bool) {
	bits := v.Type.DType.Bits()
	if !v.Type.Shape.Ranked() || bits == 0 {
		return 0, false
	}
	dims := make([]int64, len(v.Type.Shape))
	for i, d := range v.Type.Shape {
		dims[i] = 1
		if d.Known() {
			dims[i] = d.Size
		}
	}
	return limits.Bytes(dims, bits)
}

// symbolsOf lists the named dimensions of inputs and outputs, in the order in which they come.
func symbolsOf(s *Summary) []Symbol {
	list := []Symbol{}
	for _, p := range append(slices.Clone(s.Inputs), s.Outputs...) {
		for i, d := range p.Shape {
			name, ok := d.(string)
			if !ok {
				continue
			}
			at := slices.IndexFunc(list, func(x Symbol) bool { return x.Name == name })
			if at < 0 {
				at = len(list)
				list = append(list, Symbol{Name: name})
			}
			list[at].Ports = append(list[at].Ports, fmt.Sprintf("%s[%d]", p.Name, i))
		}
	}
	return list
}

// SetDims gives free dimensions of m their sizes, wherever they stand.
func SetDims(m *onnx.Model, sizes map[string]int64) {
	if m.Graph != nil && len(sizes) > 0 {
		setDims(m.Graph, sizes, 0)
	}
}

func setDims(g *onnx.Graph, sizes map[string]int64, depth int) {
	if depth > maxDepth {
		return
	}
	set := func(list []*onnx.Value) {
		for _, v := range list {
			if v == nil {
				continue
			}
			for i, d := range v.Type.Shape {
				if n, ok := sizes[d.Symbol]; ok && d.Symbol != "" {
					v.Type.Shape[i] = onnx.Dim{Size: n}
				}
			}
		}
	}
	set(g.Inputs())
	set(g.Outputs())
	for _, n := range g.Nodes() {
		set(n.Outputs())
		for _, sub := range n.Subgraphs() {
			setDims(sub, sizes, depth+1)
		}
	}
}
