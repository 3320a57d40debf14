package autodiff

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"graft/onnx"
	"graft/onnx/op"
)

// openPrefix begins the names, which are identifiers so that inference can compute with them.
const openPrefix = "open_"

// naming gives every unknown size of a graph a symbol of its own while rules run, so that they see which sizes are the same
// although neither is known. Types are as they were after restore.
type naming struct {
	graph *onnx.Graph
	next  int
	mine  map[string]bool
	was   map[*onnx.Value]onnx.Shape
}

// nameUnknown names the sizes of g's values, in topological order: where a shape rule says that an output has a size of an
// input, it has its symbol.
func nameUnknown(g *onnx.Graph) *naming {
	m := &naming{graph: g, mine: map[string]bool{}, was: map[*onnx.Value]onnx.Shape{}}
	m.skipTaken(g)
	for _, v := range g.Inputs() {
		m.name(v, nil)
	}
	for _, n := range g.Nodes() {
		var types []onnx.TensorType
		for _, o := range n.Outputs() {
			if o == nil || !unknownIn(o.Type.Shape) {
				continue
			}
			if types == nil && n.Is(n.Op) && len(n.Subgraphs()) == 0 && op.Lookup(n.Op) != nil {
				types, _ = op.Infer(n)
			}
			if i := o.OutputIndex(); i < len(types) {
				m.name(o, types[i].Shape)
			} else {
				m.name(o, nil)
			}
		}
	}
	return m
}

// unknownIn reports whether s has a size of which nothing is known, or no known rank.
func unknownIn(s onnx.Shape) bool {
	for _, d := range s {
		if d == onnx.UnknownDim {
			return true
		}
	}
	return !s.Ranked()
}

// name puts what inferred says, or a symbol, in the place of v's unknown sizes.
func (m *naming) name(v *onnx.Value, inferred onnx.Shape) {
	if !unknownIn(v.Type.Shape) {
		return
	}
	s := v.Type.Shape.Clone()
	if !s.Ranked() {
		if !inferred.Ranked() {
			return
		}
		s = inferred.Clone()
	}
	for i, d := range s {
		if d != onnx.UnknownDim {
			continue
		}
		if len(inferred) == len(s) && inferred[i] != onnx.UnknownDim {
			s[i] = inferred[i]
			continue
		}
		m.next++
		s[i] = onnx.Dim{Symbol: openPrefix + strconv.Itoa(m.next)}
		m.mine[s[i].Symbol] = true
	}
	if _, ok := m.was[v]; !ok {
		m.was[v] = v.Type.Shape
	}
	v.Type.Shape = s
}

// agree gives d the sizes of y where its own are unknown: they have one shape.
func (m *naming) agree(d, y *onnx.Value) {
	if len(d.Type.Shape) == len(y.Type.Shape) {
		m.name(d, y.Type.Shape)
	}
}

// skipTaken starts the count above the names that look like its own.
func (m *naming) skipTaken(g *onnx.Graph) {
	look := func(v *onnx.Value) {
		if v == nil {
			return
		}
		for _, d := range v.Type.Shape {
			for _, word := range words(d.Symbol) {
				rest, ok := strings.CutPrefix(word, openPrefix)
				if k, err := strconv.Atoi(rest); ok && err == nil && k < 1<<30 {
					m.next = max(m.next, k)
				}
			}
		}
	}
	for _, v := range g.Inputs() {
		look(v)
	}
	for _, n := range g.Nodes() {
		for _, v := range n.Inputs() {
			look(v)
		}
		for _, v := range n.Outputs() {
			look(v)
		}
		for _, sub := range n.Subgraphs() {
			m.skipTaken(sub)
		}
	}
}

// restore takes the symbols out again, from the values that were there and from those that rules have made.
func (m *naming) restore() {
	for v, s := range m.was {
		v.Type.Shape = s
	}
	if len(m.mine) > 0 {
		m.forget(m.graph)
	}
}

// words lists the names in a symbol, which may be computed: "2*N + 1".
func words(symbol string) []string {
	return strings.FieldsFunc(symbol, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// forget takes the symbols out of what nodes make.
func (m *naming) forget(g *onnx.Graph) {
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				m.forgetIn(o)
			}
		}
		for _, sub := range n.Subgraphs() {
			for _, v := range sub.Inputs() {
				m.forgetIn(v)
			}
			m.forget(sub)
		}
	}
}

func (m *naming) forgetIn(v *onnx.Value) {
	for i, d := range v.Type.Shape {
		if slices.ContainsFunc(words(d.Symbol), func(w string) bool { return m.mine[w] }) {
			v.Type.Shape = v.Type.Shape.Clone()
			v.Type.Shape[i] = onnx.UnknownDim
		}
	}
}
